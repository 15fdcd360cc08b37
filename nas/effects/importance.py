"""How much each choice matters to a figure, and what each of its values comes to.

The importance of a choice is the share of the differences in rank between trials that its levels explain, what other choices add
taken off: the effect size epsilon² of the Kruskal-Wallis test (Tomczak and Tomczak 2014), which the number of levels does not
raise. Ranks, so that an architecture that learns nothing does not hide how the good ones differ, and a figure's scale does not
matter. With choices drawn by chance it is their main effect in fANOVA (Hutter et al. 2014), of ranks, over what was tried. What
only a combination of choices does is the main effect of none of them.

Of Optuna's evaluators, fANOVA and the mean decrease of impurity leave out each choice that some trial does not make, and take
seconds to minutes of a thousand trials, so that no interval can be had from them. PED-ANOVA takes conditions as they are and is
fast, but tells another thing, what sets the best tenth apart, in shares of a whole that is 1 where nothing matters too. So it
stands beside the importance, as `best_tenth`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nas.effects.additive import TINY, Additive
from nas.effects.best_tenth import best_tenth
from nas.effects.evidence import Evidence, asked, evidence_of
from nas.effects.levels import ABSENT, factors_of
from nas.ranking.certainty import is_share
from nas.records import StudyEntry, Trial
from nas.space import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST_TRIALS = 10
"""Of fewer nothing is said."""

MOST_TRIALS = 20_000
"""Of more so many are drawn by chance."""

FEWEST_OF_TENTH = 200
"""Of fewer the best tenth is a handful: of 50 trials it puts a choice that does nothing before the one that decides in a fifth of
planted studies, of 200 in a fifteenth, of 400 in none of 15."""

RESAMPLES = 200
"""Of the bootstrap that gives the interval of an importance."""

FLIPS = 400
"""Of the signs of noise, to see how much chance alone would explain."""

ALPHA = 0.05

PRIOR = 4.0
"""As how many trials of a level what is known of all levels counts, when its spread is estimated."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """A value of a choice, or a stretch of its range, and what a figure comes to there."""

    value: Value
    upto: float | None
    """The last of a stretch of numbers that begins with `value`; None for a value."""
    mean: float
    """Of the figure, in its unit, as if trials differed in this choice alone; that of a share lies from 0 to 1. Of one trial it
    is the plain mean: what others add cannot be told from what the value does."""
    low: float | None
    """Lower end of the mean's 95 % interval, for telling values of the choice apart: the mix of other choices in these trials,
    which all its values share, is taken as it is. That of a share ends at 0 and 1. None of one trial."""
    high: float | None
    plain: float
    """The mean as it stands over the trials with this value, which differ in other choices too."""
    count: int
    """Trials with it."""

    @property
    def label(self) -> str:
        """What a table or an axis calls it."""
        if self.upto is not None and self.upto != self.value:
            return f"{self.value:.4g}–{self.upto:.4g}"
        if self.value is None or isinstance(self.value, bool):
            return {None: "none", True: "true", False: "false"}[self.value]
        return f"{self.value:.6g}" if isinstance(self.value, float) else str(self.value)


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a choice does to a figure, as far as the trials of a search tell."""

    choice: str
    figure: str
    importance: float
    """The share of the differences in rank between all trials that the choice explains, from 0 to 1."""
    low: float
    """Lower end of its 95 % interval, by the bootstrap."""
    high: float
    seen: bool
    """Whether it is more than chance: of studies in which no choice matters, 5 % show one that is seen."""
    best_tenth: float | None
    """How much the choice sets the best tenth of the trials apart, as a share of what all choices do: Optuna's PED-ANOVA. None of
    fewer than FEWEST_OF_TENTH trials."""
    applies: float
    """The share of trials in which the choice is made."""
    points: tuple[Point, ...]
    """In the order of their values."""
    trials: int
    """All that were looked at."""
    draws: tuple[float, ...] = field(repr=False)
    """The share in each resample of the bootstrap, around what the trials themselves show; below 0 where that is less than noise
    makes of nothing. For sums of several choices."""

    @property
    def pattern(self) -> str:
        """The choice with * for the numbers of repeats: `stage.*.width`."""
        return re.sub(r"(?<![^.])\d+(?![^.])", "*", self.choice)


def effects_of(entry: StudyEntry, trials: Iterable[Trial], *, figures: Sequence[str] | None = None) -> tuple[Effect, ...]:
    """The effect of each choice on each of `figures`, or on the objectives; those of one figure together, the greatest first.

    Of fewer than FEWEST_TRIALS that compare there are none, nor of a choice of which one value was tried. The same trials give
    the same figures: whatever is drawn is drawn from one seed.

    Raises:
        LedgerError: no complete trial has one of `figures`.
    """
    from threadpoolctl import threadpool_limits

    evidence = evidence_of(entry, trials)
    with threadpool_limits(
        limits=1
    ):  # threads that wait for each other on small matrices take ten times as long on a busy machine
        return tuple(effect for figure in asked(evidence, figures) for effect in _effects(entry, evidence, figure))


def _effects(entry: StudyEntry, evidence: Evidence, figure: str) -> list[Effect]:
    import numpy as np

    values_N = evidence.values(figure)
    kept = np.flatnonzero(~np.isnan(values_N))
    kept = np.sort(np.random.default_rng(0).permutation(kept)[:MOST_TRIALS])
    values_N = values_N[kept]
    factors = factors_of([evidence.trials[n].architecture for n in kept])
    if len(kept) < FEWEST_TRIALS or not factors:
        return []
    ranked = Additive(factors=factors, response_N=_centred(ranks(values_N)))
    plain = Additive(factors=factors, response_N=_centred(values_N))
    between_C, chance_CS = ranked.between(ranked.left), ranked.between(ranked.flipped(FLIPS, below=True))
    total = max(ranked.fit.sums.variance * len(kept), TINY)
    shares_C = (between_C - chance_CS.mean(1)) / total
    drawn_CS = ranked.resampled(RESAMPLES)
    drawn_CS += (shares_C - drawn_CS.mean(1))[:, None]  # resampling adds noise of its own to a share
    seen_C = _beyond_chance(between_C, ranked.between(ranked.flipped(FLIPS, below=True, own=True)))
    points = _points(plain, values_N, share=is_share(figure, values_N.tolist()))
    apart = best_tenth(entry.space, evidence, figure) if len(kept) >= FEWEST_OF_TENTH else {}
    found = [
        Effect(
            choice=factor.choice,
            figure=figure,
            **interval(drawn_CS[n]),
            seen=bool(seen_C[n]),
            best_tenth=apart.get(factor.choice),
            applies=float((factor.codes_N != ABSENT).mean()),
            points=points[n],
            trials=len(kept),
            draws=tuple(drawn_CS[n].tolist()),
        )
        for n, factor in enumerate(factors)
    ]
    return sorted(found, key=lambda effect: (not effect.seen, -effect.importance, -effect.high, effect.choice))


def _centred(values_N: "NDArray[np.float64]") -> "NDArray[np.float64]":
    centred_N: NDArray[np.float64] = values_N - values_N.mean()
    return centred_N


def interval(draws_S: "NDArray[np.float64]") -> dict[str, float]:
    """The importance that resamples lie around, and its 95 % interval, as fields of an Effect; all lie from 0 to 1."""
    import numpy as np

    middle = float(draws_S.mean())
    low, high = np.quantile(draws_S, [ALPHA / 2, 1 - ALPHA / 2]) + (max(middle, 0.0) - middle)
    return {name: float(np.clip(value, 0.0, 1.0)) for name, value in (("importance", middle), ("low", low), ("high", high))}


def _beyond_chance(between_C: "NDArray[np.float64]", chance_CS: "NDArray[np.float64]") -> "NDArray[np.bool_]":
    """(C,): whether so much lies between the levels of a choice that, by chance, any of all choices has as unlikely a share with
    a probability of at most ALPHA (the least p; Westfall and Young 1993).

    How unlikely a share is, is told by the scaled chi-squared distribution of the mean and variance that chance gives it.
    """
    import numpy as np
    from scipy.special import gammaincc

    means_C1 = np.maximum(chance_CS.mean(1, keepdims=True), TINY)
    shapes_C1 = means_C1**2 / np.maximum(chance_CS.var(axis=1, keepdims=True), TINY)
    least_S = gammaincc(shapes_C1, shapes_C1 * chance_CS / means_C1).min(0)
    seen_C: NDArray[np.bool_] = gammaincc(shapes_C1, shapes_C1 * between_C[:, None] / means_C1)[:, 0] < np.quantile(
        least_S, ALPHA
    )
    return seen_C


def _points(model: Additive, values_N: "NDArray[np.float64]", *, share: bool) -> list[tuple[Point, ...]]:
    """For each choice, each level's mean with its interval by Student's t.

    Few trials of a level borrow the spread of all (Smyth 2004), and where levels of different choices go together, it is the
    wider, as they are told apart the worse.
    """
    import numpy as np
    from scipy.special import stdtrit

    counts_P = model.fit.sums.counts
    chance_PS = model.flipped(FLIPS) / counts_P[:, None]
    wider_P = np.maximum(1.0, chance_PS.var(axis=1) * counts_P / max(float(model.residuals.var()), TINY))
    least, most = (0.0, 1.0) if share else (-np.inf, np.inf)
    found = []
    for n, factor in enumerate(model.factors):
        left_N = model.values_left(n) + values_N.mean()
        rows = [np.flatnonzero(factor.codes_N == level) for level in range(len(factor.levels))]
        errors = [float(((left_N[own] - left_N[own].mean()) ** 2).sum()) for own in rows]
        pooled = sum(errors) / max(1, sum(map(len, rows)) - len(rows))
        points = []
        for level, own, error, wider in zip(factor.levels, rows, errors, wider_P[model.starts[n] :], strict=False):
            freedom = PRIOR + len(own) - 1
            deviation = (wider * (PRIOR * pooled + error) / freedom / len(own)) ** 0.5
            mean, half = float(left_N[own].mean()), float(stdtrit(freedom, 1 - ALPHA / 2) * deviation)
            plain, alone = float(values_N[own].mean()), len(own) == 1
            points.append(
                Point(
                    value=level.value,
                    upto=level.upto,
                    mean=plain if alone else min(most, max(least, mean)),
                    low=None if alone else min(most, max(least, mean - half)),
                    high=None if alone else min(most, max(least, mean + half)),
                    plain=plain,
                    count=len(own),
                )
            )
        found.append(tuple(points))
    return found


def ranks(values_N: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The rank of each value, from 0; equals share the mean of theirs."""
    import numpy as np

    _, places_N, counts = np.unique(values_N, return_inverse=True, return_counts=True)
    means = np.cumsum(counts) - (counts + 1) / 2
    ranked_N: NDArray[np.float64] = means[places_N]
    return ranked_N
