"""What each choice adds to a figure, beside all others: a sum of one number a level, fitted to all choices at once.

A strategy tries good values together, so that the plain mean over the trials with a value tells of the company it kept as well.
Ridge regression (Hoerl and Kennard 1970) on all choices at once tells them apart as far as the trials do. For each choice, what
the others add is then taken off, apart from those that hang on it: the width of a third stage is part of what a third stage
does. What is left are trials as if they differed in that choice alone.

All follows from sums over trials, so that neither the bootstrap nor the null needs a further pass over them: trials fall into
blocks by chance, and blocks are drawn with repeats, or have their signs flipped.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from nas.effects.levels import ABSENT, Factor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_COLUMNS = 250
"""Levels that are fitted at once; choices beyond, those that tell least by themselves, are held against these, and not they
against them. So the time grows with the trials and the choices, and not with the cube of the choices."""

BLOCKS = 200

FEWEST = 3
"""Trials of a level in none of which another choice applies, for that to be taken to hang on it."""

TINY = 1e-300
"""What nothing is divided by."""


@dataclass(frozen=True, kw_only=True)
class Additive:
    """N trials, P levels of all C choices, of which A are fitted at once, and one response."""

    factors: tuple[Factor, ...]
    response_N: "NDArray[np.float64]"
    """With a mean of 0."""
    seed: int = 0

    @cached_property
    def starts(self) -> "NDArray[np.intp]":
        """(C + 1,): the first level of each choice among all, and their number at the end."""
        import numpy as np

        return np.cumsum([0, *(len(factor.levels) for factor in self.factors)])

    @cached_property
    def present(self) -> "NDArray[np.float64]":
        """(N, P): 1 where a trial has a level; a choice that does not apply has none."""
        import numpy as np

        found_NP = np.zeros((len(self.response_N), self.starts[-1]))
        for factor, start in zip(self.factors, self.starts[:-1], strict=True):
            rows = np.flatnonzero(factor.codes_N != ABSENT)
            found_NP[rows, start + factor.codes_N[rows]] = 1.0
        return found_NP

    @cached_property
    def fitted(self) -> "NDArray[np.intp]":
        """(A,): the levels that are fitted at once."""
        import numpy as np

        told_P = (self.present.T @ self.response_N) ** 2 / np.maximum(self.present.sum(0), 1.0)
        chosen: list[int] = []
        columns = 0
        for n in np.argsort(-np.add.reduceat(told_P, self.starts[:-1]), kind="stable"):
            columns += len(self.factors[n].levels)
            if columns > MOST_COLUMNS and chosen:
                break
            chosen.append(int(n))
        return np.concatenate([np.arange(self.starts[n], self.starts[n + 1]) for n in sorted(chosen)])

    @cached_property
    def below(self) -> "NDArray[np.bool_]":
        """(C, C): whether the second choice hangs on the first: by one level of the first it is never made."""
        import numpy as np

        applies_NC = np.stack([factor.codes_N != ABSENT for factor in self.factors], axis=1).astype(np.float64)
        found_PC = self.present.T @ applies_NC
        told_P1 = self.present.sum(0)[:, None] >= FEWEST
        never_CC = np.logical_or.reduceat((found_PC == 0) & told_P1, self.starts[:-1], axis=0)
        ever_CC: NDArray[np.bool_] = np.logical_or.reduceat(found_PC > 0, self.starts[:-1], axis=0)
        return never_CC & ever_CC

    @cached_property
    def taken_off(self) -> "NDArray[np.float64]":
        """(P, A): 1 where what level A adds is taken off before level P is looked at: neither its own choice's, nor below."""
        import numpy as np

        widths_C = np.diff(self.starts)
        kept_CC = ~(self.below | np.eye(len(self.factors), dtype=np.bool_))
        return kept_CC.repeat(widths_C, axis=0).repeat(widths_C, axis=1)[:, self.fitted].astype(np.float64)

    @cached_property
    def blocks(self) -> "list[NDArray[np.intp]]":
        """The trials of each block."""
        import numpy as np

        order = np.random.default_rng(self.seed).permutation(len(self.response_N))
        return np.array_split(order, min(BLOCKS, len(order)))

    @cached_property
    def sums(self) -> "NDArray[np.float64]":
        """(B, 2 + A, 2 + P): of each block, the sums over its trials of all products of 1, levels and response."""
        import numpy as np

        one_N1, response_N1 = np.ones((len(self.response_N), 1)), self.response_N[:, None]
        right = np.concatenate([one_N1, self.present, response_N1], axis=1)
        left = np.concatenate([one_N1, self.present[:, self.fitted], response_N1], axis=1)
        return np.stack([left[rows].T @ right[rows] for rows in self.blocks])

    @cached_property
    def total(self) -> "_Sums":
        """Of all trials."""
        return _Sums(self.sums.sum(0), self.fitted)

    @cached_property
    def spectrum(self) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
        """The variances of the fitted levels along their principal axes (A,), and these (A, A)."""
        import numpy as np

        values_A, axes_AA = np.linalg.eigh(self.total.inner)
        return np.maximum(values_A, 0.0), axes_AA

    @cached_property
    def ridge(self) -> float:
        """The penalty by generalised cross-validation (Golub, Heath and Wahba 1979), among those that leave half of the trials to
        tell how far the sum is off.
        """
        import numpy as np

        count = len(self.response_N)
        values_A, axes_AA = self.spectrum
        squares_A = (axes_AA.T @ self.total.cross) ** 2
        ridges_L = np.geomspace(1e-4, 1e2, 40) * max(float(values_A.max()), 1e-12)
        freedoms_L = 1 + (values_A / (values_A + ridges_L[:, None])).sum(1)
        weights_LA = (values_A + 2 * ridges_L[:, None]) / (values_A + ridges_L[:, None]) ** 2
        scores_L = np.maximum(self.total.variance - weights_LA @ squares_A, 0.0)
        scores_L = scores_L / (1 - np.minimum(freedoms_L, count - 0.5) / count) ** 2
        scores_L[freedoms_L > max(count / 2, freedoms_L.min())] = np.inf
        return float(ridges_L[np.argmin(scores_L)])

    @cached_property
    def weights(self) -> "NDArray[np.float64]":
        """(A,): what each fitted level adds to the response."""
        return self.total.solve(self.ridge, self.total.cross)

    @cached_property
    def residuals(self) -> "NDArray[np.float64]":
        """(N,): the response without what all choices add, and as large as if a trial had no part in telling what they add (HC3;
        MacKinnon and White 1985).
        """
        import numpy as np

        values_A, axes_AA = self.spectrum
        centred_NA = self.present[:, self.fitted] - self.total.means
        leverage_N = (1 + ((centred_NA @ axes_AA) ** 2 / (values_A + self.ridge)).sum(1)) / len(self.response_N)
        found_N: NDArray[np.float64] = (self.response_N - centred_NA @ self.weights) / np.maximum(1 - leverage_N, 0.1)
        return found_N

    @cached_property
    def noise(self) -> "NDArray[np.float64]":
        """(N, V): the residuals, and beside them the same with what hangs on a choice, for each that something hangs on."""
        import numpy as np

        found = [self.residuals]
        widths_C, added_P = np.diff(self.starts), np.zeros(self.starts[-1])
        added_P[self.fitted] = self.weights
        for n in self.parents:
            own_N = self.present @ (added_P * self.below[n].repeat(widths_C))
            applies_N = self.factors[n].codes_N != ABSENT
            found.append(self.residuals + np.where(applies_N, own_N - own_N[applies_N].mean(), 0.0))
        return np.stack(found, axis=1)

    @cached_property
    def parents(self) -> "NDArray[np.intp]":
        """The choices that something hangs on."""
        import numpy as np

        return np.flatnonzero((self.below & ~np.eye(len(self.factors), dtype=np.bool_)).any(1))

    @cached_property
    def between(self) -> "NDArray[np.float64]":
        """(C,): the sum of squares between the levels of each choice."""
        return self._between(self.left)

    @cached_property
    def left(self) -> "NDArray[np.float64]":
        """(P,): the sum of the response over the trials with each level, with what other choices add taken off."""
        return self._left(self.total, self.total.response, self.weights)

    def flipped(self, flips: int) -> "NDArray[np.float64]":
        """(P, S): `left` as it would be by chance alone, where each block's noise has either sign (Winkler et al. 2014)."""
        import numpy as np

        signs_SB = np.random.default_rng(self.seed + 2).choice([-1.0, 1.0], size=(flips, len(self.blocks)))
        sums_BPV = np.stack([self.present[rows].T @ self.noise[rows] for rows in self.blocks])
        means_SV = signs_SB @ np.stack([self.noise[rows].sum(0) for rows in self.blocks]) / len(self.response_N)
        drawn_SPV = np.tensordot(signs_SB, sums_BPV, axes=1)
        source_C = np.zeros(len(self.factors), dtype=np.intp)
        source_C[self.parents] = 1 + np.arange(len(self.parents))
        source_P = source_C.repeat(np.diff(self.starts))
        found_PS = np.empty((self.starts[-1], flips))
        for source in range(self.noise.shape[1]):
            own = np.flatnonzero(source_P == source)
            sums_PS = drawn_SPV[:, :, source].T
            cross_AS = sums_PS[self.fitted] / len(self.response_N) - self.total.means[:, None] * means_SV[:, source]
            found_PS[own] = self._left(self.total, sums_PS, self.total.solve(self.ridge, cross_AS))[own]
        return found_PS

    def spread(self, sums_PS: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """(C, S): the sums of squares between the levels of each choice, of sums such as `left`."""
        return self._between(sums_PS)

    def resampled(self, resamples: int) -> "NDArray[np.float64]":
        """(C, S): in each resample of the blocks, the share of the response's variance that lies between a choice's levels."""
        import numpy as np

        count = len(self.sums)
        weights_SB = np.random.default_rng(self.seed + 1).multinomial(count, [1 / count] * count, size=resamples)
        drawn = (weights_SB.astype(np.float64) @ self.sums.reshape(count, -1)).reshape(resamples, *self.sums.shape[1:])
        found = []
        for sums in drawn:
            own = _Sums(sums, self.fitted)
            left_P = self._left(own, own.response, own.solve(self.ridge, own.cross))
            found.append(self._between(left_P, own.counts) / max(own.variance * own.count, TINY))
        return np.stack(found, axis=1)

    def values_left(self, choice: int) -> "NDArray[np.float64]":
        """(N,): the response of each trial with what other choices add taken off; its mean over the trials in which the choice is
        made is that of the response.
        """
        others_N = self.present[:, self.fitted] @ (self.taken_off[self.starts[choice]] * self.weights)
        applies_N = self.factors[choice].codes_N != ABSENT
        left_N: NDArray[np.float64] = self.response_N - (others_N - others_N[applies_N].mean())
        return left_N

    def _left(self, sums: "_Sums", response: "NDArray[np.float64]", weights: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """The sums (P,) or (P, S) of a response over levels less what other choices add by `weights`, (A,) or (A, S)."""
        found: NDArray[np.float64] = response - (sums.together * self.taken_off) @ weights
        return found

    def _between(self, sums: "NDArray[np.float64]", counts_P: "NDArray[np.float64] | None" = None) -> "NDArray[np.float64]":
        import numpy as np

        counts_P = self.total.counts if counts_P is None else counts_P
        counts_C = np.maximum(np.add.reduceat(counts_P, self.starts[:-1]), 1.0)
        squares = (sums.T**2 / np.maximum(counts_P, 1.0)).T
        found = np.add.reduceat(squares, self.starts[:-1]) - (np.add.reduceat(sums, self.starts[:-1]).T ** 2 / counts_C).T
        between: NDArray[np.float64] = np.maximum(found, 0.0)
        return between


class _Sums:
    """What a fit needs of some trials: the sums over them of all products of 1, levels and response."""

    def __init__(self, sums: "NDArray[np.float64]", fitted: "NDArray[np.intp]") -> None:
        self.count = float(sums[0, 0])
        self.counts = sums[0, 1:-1]
        """(P,): trials with each level."""
        self.response = sums[-1, 1:-1]
        """(P,): the response's sum over them."""
        self.together = sums[1:-1, 1:-1].T
        """(P, A): trials with both levels."""
        self.means = self.counts[fitted] / self.count
        middle = float(sums[0, -1]) / self.count
        self.inner = sums[1:-1, 1 + fitted] / self.count - self.means[:, None] * self.means
        """(A, A): covariances of the fitted levels."""
        self.cross = sums[1:-1, -1] / self.count - self.means * middle
        """(A,): theirs with the response."""
        self.variance = float(sums[-1, -1]) / self.count - middle**2

    def solve(self, ridge: float, cross: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """The weights of ridge regression from covariances with one response (A,), or with several (A, S)."""
        import numpy as np
        from scipy.linalg import solve

        unit_AA = np.eye(len(self.inner))
        found: NDArray[np.float64] = solve(self.inner + ridge * unit_AA, cross, assume_a="pos", check_finite=False)
        return found
