"""A Gaussian process over architectures: what is to be expected of one that is not known, and how surely.

Two architectures are alike by two measures, each the exponential of minus a distance:

    answers     the choices they answer differently (Hamming's distance); numbers differ by a part of their range, and
                a choice that only one of them has is one difference
    tallies     how often each answer is given in all choices that have the same domain, wherever they stand; squared

The second knows that one more convolution does much the same on any edge; it is what lets a dozen evaluations say something of a
whole space (Rasmussen and Williams 2006, ch. 2 and 5).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.space import Architecture, Categorical, Domain, Encoding

Matrix = NDArray[np.float64]

LENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""How far apart likeness has gone down to 1/e, in mean distances of what is known."""

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Parts that a further measure has in the likeness; the others have the rest."""

NOISES = (1e-4, 1e-3, 1e-2, 0.05, 0.2)
"""Variances of one evaluation of the same architecture, as parts of the variance between architectures."""

SWEEPS = 3
"""How often each of these may go one step up or down, the others as they are; all begin in the middle."""

STEP_COST = 0.1
"""What the square of the steps away from the middle takes from the logarithm of the likelihood, so that a dozen evaluations do
not argue for an extreme: to one standard deviation it lets a length be some five times longer or shorter."""

LEARNED_FROM = 80
"""The most architectures from which these are chosen."""


class Inputs:
    """Architectures as the process sees them: (N, …) arrays."""

    def __init__(self, encoding: Encoding) -> None:
        """Read architectures by `encoding`."""
        self.encoding = encoding
        domains = [*encoding.domains.values()]
        widths = [domain.size if isinstance(domain, Categorical) else 1 for domain in domains]
        self.first = np.cumsum([0, *widths])[:-1]
        """Of each choice, its first column."""
        self.ranges = [n for n, domain in enumerate(domains) if not isinstance(domain, Categorical)]
        """Which choices are from ranges."""
        self.agreeing = np.ones(len(encoding.columns) + len(domains))
        """(F + C,): which columns of a row are 1 in two architectures that agree; not those of ranges."""
        self.agreeing[self.first[self.ranges]] = 0.0
        self.tally = self._tally(domains, widths)

    def _tally(self, domains: Sequence[Domain], widths: Sequence[int]) -> Matrix:
        """(F, G): which columns are counted together; those of choices with equal domains, answer by answer."""
        groups: dict[tuple[Domain, int], int] = {}
        at = [
            groups.setdefault((domain, n), len(groups))
            for domain, width in zip(domains, widths, strict=True)
            for n in range(width)
        ]
        return np.eye(len(groups))[at].astype(float)

    def read(self, architectures: Sequence[Architecture]) -> Matrix:
        """(N, F + C): their vectors, and beside them which choices they have."""
        values_NF, mask_NF = self.encoding.encode_all(architectures)
        return np.hstack([values_NF, mask_NF[:, self.first]])

    def distances(self, one: Matrix, other: Matrix) -> tuple[Matrix, Matrix]:
        """(N, M) each: by answers, and by tallies."""
        wide = len(self.encoding.columns)
        has_a, has_b = one[:, wide:], other[:, wide:]
        apart = has_a.sum(1)[:, None] + has_b.sum(1)[None] - (one * self.agreeing) @ other.T
        for n, column in zip(self.ranges, self.first[self.ranges], strict=True):
            closeness = np.abs(np.subtract.outer(one[:, column], other[:, column]))
            np.subtract(1.0, closeness, out=closeness)
            if not (has_a[:, n].all() and has_b[:, n].all()):
                closeness *= np.outer(has_a[:, n], has_b[:, n])
            apart -= closeness
        return apart, squared(one[:, :wide] @ self.tally, other[:, :wide] @ self.tally)


def squared(a: Matrix, b: Matrix) -> Matrix:
    """(N, M): squares of the distances of rows."""
    apart: Matrix = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2.0 * (a @ b.T)
    return np.maximum(apart, 0.0)


class Likeness:
    """How distances by several measures become one correlation."""

    def __init__(self, distances: Sequence[Matrix], values: Matrix) -> None:
        """Choose what makes `values` (N,) likeliest, given the `distances` (N, N) between those who have them."""
        self.units = [max(float(distance.mean()), 1e-12) for distance in distances]
        self.chosen = [2] * (2 * len(distances))
        """Positions in the grids: a length for each measure, a share for each but the first, and the noise."""
        best = self._likelihood(distances, values)
        for _ in range(SWEEPS):
            before = list(self.chosen)
            for place in range(len(self.chosen)):
                for step in (1, -1):
                    while 0 <= self.chosen[place] + step < 5:
                        self.chosen[place] += step
                        found = self._likelihood(distances, values)
                        if found <= best:
                            self.chosen[place] -= step
                            break
                        best = found
            if before == self.chosen:
                break

    @property
    def noise(self) -> float:
        """Variance of one evaluation, as a part of the process's own."""
        return NOISES[self.chosen[-1]]

    def of(self, distances: Sequence[Matrix]) -> Matrix:
        """The correlation of what lies so far apart, without noise."""
        kinds = len(distances)
        total = np.exp(distances[0] * (-1 / (LENGTHS[self.chosen[0]] * self.units[0])))
        for n in range(1, kinds):
            share = SHARES[self.chosen[kinds + n - 1]]
            total *= 1 - share
            total += share * np.exp(distances[n] * (-1 / (LENGTHS[self.chosen[n]] * self.units[n])))
        return total

    def _likelihood(self, distances: Sequence[Matrix], values: Matrix) -> float:
        """The logarithm of it, up to a constant, at the variance that makes it greatest (Rasmussen and Williams, eq. 5.8)."""
        root, white = whitened(with_noise(self.of(distances), self.noise), values)
        fit = len(values) * np.log(white @ white / len(values) + 1e-12) / 2 + np.log(np.diag(root)).sum()
        return float(-fit - STEP_COST * sum((place - 2) ** 2 for place in self.chosen))


def whitened(noisy: Matrix, values: Matrix) -> tuple[Matrix, Matrix]:
    """Cholesky's root L (N, N) of a correlation with its noise, and L⁻¹ `values`."""
    count = len(values)
    bordered = np.empty((count + 1, count + 1))
    bordered[:count, :count] = noisy
    bordered[count, :count] = bordered[:count, count] = values
    bordered[count, count] = 1e12  # the root's last row is then what a triangular solver would give, which numpy has none of
    root: Matrix = np.linalg.cholesky(bordered).astype(np.float64, copy=False)
    return root[:count, :count], root[count, :count]


def with_noise(correlation: Matrix, noise: float) -> Matrix:
    """(N, N): what evaluations have in common, of which each has a noise of its own."""
    noisy = correlation.copy()
    noisy[np.diag_indices(len(noisy))] += noise
    return noisy


class Process:
    """What is expected of architectures, given what came of others."""

    def __init__(self, distances: Sequence[Matrix], values: Matrix, likeness: Likeness, *, variance: float | None = None) -> None:
        """Condition on `values` (N,), whose owners are `distances` (N, N) apart; their mean far from all of them is 0.

        Its `variance` far from all of them is the likeliest, where it is not given.
        """
        self.likeness = likeness
        self.known = likeness.of(distances)
        self.inverse = np.linalg.inv(with_noise(self.known, likeness.noise))
        self.weights = self.inverse @ values
        self.variance = max(float(values @ self.weights) / len(values), 1e-12) if variance is None else variance

    def at_known(self) -> Matrix:
        """(N,): what is expected of those it was conditioned on, their noise smoothed away."""
        return self.known @ self.weights

    def expect(self, distances: Sequence[Matrix]) -> tuple[Matrix, Matrix]:
        """Mean and standard deviation, (M,) each, of what lies (N, M) `distances` from the known; without noise."""
        across = self.likeness.of(distances)
        explained = (across * (self.inverse @ across)).sum(0)
        return across.T @ self.weights, np.sqrt(self.variance * np.maximum(1 - explained, 1e-10))
