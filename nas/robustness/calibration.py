"""Whether a network's confidence can be believed: calibration error, its interval, and the numbers of a reliability diagram.

Axes: N examples, B bins.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.errors import BenchmarkError

BINS = 15
"""As Guo et al. 2017 have them."""

DRAWS = 1_000
"""Of the examples, for the interval."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Bin:
    """One bar of a reliability diagram."""

    low: float
    high: float
    """Of the confidences in it, which lie above `low`."""
    count: int
    confidence: float | None
    """Their mean; None where there are none."""
    accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How far confidence is from accuracy."""

    error: float
    low: float
    high: float
    """The 95 % interval of what drawing the examples again gives, by its quantiles. A mean of distances is raised by chance, the
    more the fewer examples a bin has, and so are its ends (Nixon et al. 2019, arXiv:1904.01685)."""
    bins: Sequence[Bin]


def calibrate(
    confidence_N: Floats, right_N: NDArray[np.bool_], *, mass: bool = False, bins: int = BINS, seed: int = 0
) -> Calibration:
    """The expected calibration error of answers, by the confidence in each and whether it is right (Guo et al. 2017,
    arXiv:1706.04599, eq. 3), in bins of equal width or, with `mass`, of equally many examples.

    Raises:
        BenchmarkError: there are no answers, or a confidence is no share.
    """
    if not len(confidence_N) or not ((confidence_N >= 0) & (confidence_N <= 1)).all():
        raise BenchmarkError(f"Confidences are shares from 0 to 1, of one answer at least, got {len(confidence_N):,} answers.")
    edges_B = np.linspace(0, 1, bins + 1)
    if mass:
        edges_B = np.quantile(confidence_N, edges_B)
    bin_N = np.clip(np.searchsorted(edges_B, confidence_N, side="left") - 1, 0, bins - 1)
    gap_N = right_N - confidence_N
    random = np.random.RandomState(seed)
    errors = [_error(bin_N, gap_N, bins)]
    for _ in range(DRAWS):
        drawn_N = random.randint(0, len(gap_N), len(gap_N))
        errors.append(_error(bin_N[drawn_N], gap_N[drawn_N], bins))
    low, high = np.quantile(errors[1:], [0.025, 0.975])
    count_B = np.bincount(bin_N, minlength=bins)
    sums_B = [np.bincount(bin_N, weights=values, minlength=bins) for values in (confidence_N, right_N)]
    return Calibration(
        error=errors[0],
        low=float(low),
        high=float(high),
        bins=tuple(
            Bin(
                low=float(edges_B[n]),
                high=float(edges_B[n + 1]),
                count=int(count),
                confidence=float(sums_B[0][n] / count) if count else None,
                accuracy=float(sums_B[1][n] / count) if count else None,
            )
            for n, count in enumerate(count_B)
        ),
    )


def _error(bin_N: NDArray[np.intp], gap_N: Floats, bins: int) -> float:
    """Σ over bins of |Σ of accuracy − confidence| / N, which is each bin's share times its distance."""
    return float(np.abs(np.bincount(bin_N, weights=gap_N, minlength=bins)).sum() / len(gap_N))
