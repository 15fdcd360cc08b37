"""Multiply-adds of Fourier transforms, for formulas and for both counters."""

from collections.abc import Sequence
from math import log2, prod


def transforms(shape: Sequence[int], axes: Sequence[int], *, real: bool) -> int:
    """Multiply-adds of transforming a tensor of `shape` along `axes`, once for each place in the others.

    One transform of n points takes 5 n log2(n) floating-point operations: n/2 log2(n) butterflies of ten (Cooley & Tukey 1965,
    doi:10.1090/S0025-5718-1965-0178586-1), which FFTW's benchmarks take for any n (Frigo & Johnson 2005,
    doi:10.1109/JPROC.2004.840301); where one side is `real`, half as many. Along several axes n is the product of their points.
    Two operations are a multiply-add; each transform's are rounded down. `shape` is of the real side, or of either where both are
    complex, and has the zeros that are appended.
    """
    points = prod(shape[axis] for axis in axes)
    each = int((1.25 if real else 2.5) * points * log2(points))
    return prod(shape) // points * each
