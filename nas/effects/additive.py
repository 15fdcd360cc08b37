"""What each choice adds to a figure, beside all others: a sum of one number a level, fitted to all choices at once.

A strategy tries good values together, so that the plain mean over the trials with a value tells of the company it kept as well.
A mixed model tells them apart as far as the trials do: what the levels of a choice add is drawn around 0, with a variance of the
choice's own that the trials tell (Henderson 1975; as automatic relevance determination, MacKay 1992), so that a choice which does
nothing is hardly fitted to noise. The choice that is looked at is not drawn towards 0 itself. What the others add is taken off,
apart from those that hang on it: the width of a third stage is part of what a third stage does. What is left are trials as if
they differed in that choice alone.

All follows from sums over trials, so that neither the bootstrap nor the null needs a further pass over them: trials fall into
blocks by chance, and blocks are drawn with repeats, or have their signs flipped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from nas.effects.levels import ABSENT, Factor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_COLUMNS = 200
"""Levels that are fitted at once; choices beyond, those that tell least by themselves, are held against these, and not they
against them. So the time grows with the trials and the choices, and not with the cube of the choices."""

BLOCKS = 200
"""That trials fall into, or as many as leave LARGEST numbers to be kept."""

LARGEST = 20_000_000
"""Sums of products: 160 MB."""

FEWEST = 3
"""Trials of a level in none of which another choice applies, for that to be taken to hang on it."""

ROUNDS = 30
"""In which the variances are found."""

LEAST_PENALTY, MOST_PENALTY = 1e-9, 1e3
"""Below, sums are not told apart for rounding; from the most on a choice adds nothing."""

FREED = 0.9999
"""The share of its penalty that a choice is freed of while it is looked at; what the trials do not tell at all stays at 0."""

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
        return never_CC & ever_CC & ~np.eye(len(self.factors), dtype=np.bool_)

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
        most = max(20, LARGEST // ((2 + len(self.fitted)) * (2 + int(self.starts[-1]))))
        return np.array_split(order, min(BLOCKS, most, len(order)))

    @cached_property
    def sums(self) -> "NDArray[np.float64]":
        """(B, 2 + A, 2 + P): of each block, the sums over its trials of all products of 1, levels and response."""
        import numpy as np

        one_N1, response_N1 = np.ones((len(self.response_N), 1)), self.response_N[:, None]
        right = np.concatenate([one_N1, self.present, response_N1], axis=1)
        left = np.concatenate([one_N1, self.present[:, self.fitted], response_N1], axis=1)
        return np.stack([left[rows].T @ right[rows] for rows in self.blocks])

    @cached_property
    def penalties(self) -> "NDArray[np.float64]":
        """(A,): the variance of noise as a multiple of that of what the choice's levels add, a trial."""
        import numpy as np

        sums = _Sums(self.sums.sum(0), self.fitted)
        penalties_A = np.full(len(self.fitted), MOST_PENALTY)
        if not sums.variance:
            return penalties_A
        owner_A = np.unique(np.searchsorted(self.starts, self.fitted, side="right"), return_inverse=True)[1]
        own_C, noise = np.full(owner_A[-1] + 1, sums.variance / (owner_A[-1] + 1)), sums.variance / 2
        for _ in range(ROUNDS):
            penalties_A = np.clip(noise / np.maximum(own_C, TINY) / sums.count, LEAST_PENALTY, MOST_PENALTY)[owner_A]
            inverse_AA = _inverse(sums.inner, penalties_A)
            weights_A = inverse_AA @ sums.cross
            told_C = np.maximum(np.bincount(owner_A, 1 - penalties_A * inverse_AA.diagonal()), 1e-9)
            own_C = np.bincount(owner_A, weights_A**2) / told_C
            error = float(sums.variance - 2 * weights_A @ sums.cross + weights_A @ sums.inner @ weights_A)
            noise = max(error, 1e-6 * sums.variance) * sums.count / max(sums.count - 1 - float(told_C.sum()), 1.0)
        return penalties_A

    @cached_property
    def fit(self) -> "_Fit":
        """To all trials."""
        return _Fit(self, self.sums.sum(0))

    @property
    def weights(self) -> "NDArray[np.float64]":
        """(A,): what each fitted level adds to the response."""
        return self.fit.inverse @ self.fit.sums.cross

    @cached_property
    def residuals(self) -> "NDArray[np.float64]":
        """(N,): the response without what all choices add, and as large as if a trial had no part in telling what they add (HC3;
        MacKinnon and White 1985).
        """
        import numpy as np

        centred_NA = self.present[:, self.fitted] - self.fit.sums.means
        leverage_N = (1 + ((centred_NA @ self.fit.inverse) * centred_NA).sum(1)) / len(self.response_N)
        found_N: NDArray[np.float64] = (self.response_N - centred_NA @ self.weights) / np.maximum(1 - leverage_N, 0.1)
        return found_N

    @cached_property
    def left(self) -> "NDArray[np.float64]":
        """(P,): the sum of the response over the trials with each level, with what other choices add taken off."""
        return self.fit.left(self.fit.sums.response, self.fit.sums.cross)

    def flipped(self, flips: int, *, below: bool = False, own: bool = False) -> "NDArray[np.float64]":
        """(P, S): `left` as it would be by chance alone, where each block's noise has either sign (Winkler et al. 2014).

        Noise to a choice are the residuals; with `below`, what hangs on it too; with `own`, as where it has no effect, also what
        seems to be its own.
        """
        import numpy as np

        signs_SB = np.random.default_rng(self.seed + 2).choice([-1.0, 1.0], size=(flips, len(self.blocks)))
        found_PS = np.empty((self.starts[-1], flips))
        for choices, noise_N in self._noises(below=below, own=own):
            blocks_BP = np.stack([noise_N[rows] @ self.present[rows] for rows in self.blocks])
            means_S = signs_SB @ np.array([noise_N[rows].sum() for rows in self.blocks]) / len(noise_N)
            sums_PS = (signs_SB @ blocks_BP).T
            cross_AS = sums_PS[self.fitted] / len(noise_N) - self.fit.sums.means[:, None] * means_S
            rows = np.concatenate([np.arange(self.starts[n], self.starts[n + 1]) for n in choices])
            found_PS[rows] = self.fit.left(sums_PS, cross_AS, rows)
        return found_PS

    def _noises(self, *, below: bool, own: bool) -> "Iterator[tuple[list[int], NDArray[np.float64]]]":
        """Choices and what is noise to them, (N,)."""
        import numpy as np

        added_P = np.zeros(self.starts[-1])
        added_P[self.fitted] = self.weights
        noise_CC = (self.below & below) | (np.eye(len(self.factors), dtype=np.bool_) & own)
        plain = [n for n in range(len(self.factors)) if not noise_CC[n].any()]
        if plain:
            yield plain, self.residuals
        for n in np.flatnonzero(noise_CC.any(1)):
            rows = np.flatnonzero(self.factors[n].codes_N != ABSENT)
            noise_N, weights_P = self.residuals.copy(), added_P * noise_CC[n].repeat(np.diff(self.starts))
            columns = np.flatnonzero(weights_P)
            added = self.present[np.ix_(rows, columns)] @ weights_P[columns]
            noise_N[rows] += added - added.mean()
            yield [int(n)], noise_N

    def between(self, left: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """The sum of squares between the levels of each choice, (C,) or (C, S), by what is `left`, (P,) or (P, S)."""
        return _between(left, self.fit.sums.counts, self.starts)

    def resampled(self, resamples: int) -> "NDArray[np.float64]":
        """(C, S): in each resample of the blocks, the share of the response's variance that lies between a choice's levels."""
        import numpy as np

        count = len(self.sums)
        weights_SB = np.random.default_rng(self.seed + 1).multinomial(count, [1 / count] * count, size=resamples)
        drawn = (weights_SB.astype(np.float64) @ self.sums.reshape(count, -1)).reshape(resamples, *self.sums.shape[1:])
        found = []
        for sums in drawn:
            fit = _Fit(self, sums)
            left_P = fit.left(fit.sums.response, fit.sums.cross)
            found.append(_between(left_P, fit.sums.counts, self.starts) / max(fit.sums.variance * fit.sums.count, TINY))
        return np.stack(found, axis=1)

    def values_left(self, choice: int) -> "NDArray[np.float64]":
        """(N,): the response of each trial with what other choices add taken off; its mean over the trials in which the choice is
        made is that of the response.
        """
        weights_A = self.fit.beside(choice) @ self.weights
        others_N = self.present[:, self.fitted] @ (self.taken_off[self.starts[choice]] * weights_A)
        applies_N = self.factors[choice].codes_N != ABSENT
        left_N: NDArray[np.float64] = self.response_N - (others_N - others_N[applies_N].mean())
        return left_N


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


class _Fit:
    """The mixed model fitted to some trials."""

    def __init__(self, model: Additive, sums: "NDArray[np.float64]") -> None:
        self.model = model
        self.sums = _Sums(sums, model.fitted)
        self.inverse = _inverse(self.sums.inner, model.penalties)
        """(A, A): covariances with a response → what each level adds."""

    def beside(self, choice: int) -> "NDArray[np.float64]":
        """(A, A): what each level adds → the same where the choice's own levels are not drawn towards 0."""
        import numpy as np

        change_AA = np.eye(len(self.model.fitted))
        own, change_AO = self._freed(choice)
        change_AA[:, own] += change_AO
        return change_AA

    def _freed(self, choice: int) -> "tuple[slice, NDArray[np.float64]]":
        """The choice's own fitted levels, and (A, O): what is added to each of them by what each level adds."""
        import numpy as np

        own = slice(*np.searchsorted(self.model.fitted, self.model.starts[choice : choice + 2]))
        inverse_AO = self.inverse[:, own]
        freed = np.diag(1 / (FREED * self.model.penalties[own])) - inverse_AO[own]
        return own, inverse_AO @ np.linalg.inv(freed)

    @cached_property
    def others(self) -> "NDArray[np.float64]":
        """(P, A): what each fitted level adds → the sum of what other choices add over the trials with each level."""
        found_PA = self.sums.together * self.model.taken_off
        starts = self.model.starts
        for n in range(len(self.model.factors)):
            rows = slice(starts[n], starts[n + 1])
            own, change_AO = self._freed(n)
            found_PA[rows, own] += found_PA[rows] @ change_AO
        return found_PA

    def left(
        self, response: "NDArray[np.float64]", cross: "NDArray[np.float64]", rows: "NDArray[np.intp] | slice" = slice(None)
    ) -> "NDArray[np.float64]":
        """The sums of a response over the trials with each level, (P,) or (P, S), less what other choices add; or some `rows`."""
        found: NDArray[np.float64] = response[rows] - self.others[rows] @ (self.inverse @ cross)
        return found


def _inverse(inner_AA: "NDArray[np.float64]", penalties_A: "NDArray[np.float64]") -> "NDArray[np.float64]":
    import numpy as np
    from scipy.linalg import lapack

    lower, _ = lapack.dpotrf(inner_AA + np.diag(penalties_A), lower=1)
    found, _ = lapack.dpotri(lower, lower=1)
    whole: NDArray[np.float64] = np.tril(found) + np.tril(found, -1).T
    return whole


def _between(left: "NDArray[np.float64]", counts_P: "NDArray[np.float64]", starts: "NDArray[np.intp]") -> "NDArray[np.float64]":
    import numpy as np

    counts_C = np.maximum(np.add.reduceat(counts_P, starts[:-1]), 1.0)
    squares = np.add.reduceat((left.T**2 / np.maximum(counts_P, 1.0)).T, starts[:-1])
    found: NDArray[np.float64] = np.maximum(squares - (np.add.reduceat(left, starts[:-1]).T ** 2 / counts_C).T, 0.0)
    return found
