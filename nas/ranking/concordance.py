"""Kendall's τ-b of a weighed sample, how sure it is, and what luck of training does to it."""

from collections.abc import Sequence
from math import asin, atanh, pi, sin, sqrt, tanh
from statistics import fmean
from typing import TYPE_CHECKING

from nas.ranking.sampling import Stratum, pair_weights, places

if TYPE_CHECKING:
    from nas.ranking.sampling import Floats

RESAMPLES = 2000

DRAWS = 40_000

NORMAL = 1.96
"""Standard errors to each side of an interval of 95 %."""


def tau_b(a: Sequence[float], b: Sequence[float], weights: "Floats") -> float | None:
    """Kendall's τ-b of two lists, pairs weighed by `weights` (n, n); None where all of one are equal, or no pair weighs."""
    import numpy as np

    one, other = (np.sign(np.subtract.outer(np.asarray(some), np.asarray(some))) for some in (a, b))
    scale = float((weights * one**2).sum() * (weights * other**2).sum())
    return float((weights * one * other).sum() / sqrt(scale)) if scale > 0 else None


def interval(
    tau: float,
    a: Sequence[float],
    b: Sequence[float],
    strata: Sequence[Stratum],
    sampled: Sequence[str],
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """The 95 % interval of `tau`, which is that of `a` and `b` of those `sampled`.

    In each stratum of n one fewer is drawn again with repeats, and each counts n/(n-1) times as often as it was drawn, so that
    strata of two or three are not taken to be surer than they are. Architectures are drawn as if there were many more of them:
    also where all of a stratum are known, each was trained from one seed of many.
    """
    import numpy as np

    rng = np.random.default_rng(0)
    count = len(sampled)
    one, other = (np.sign(np.subtract.outer(np.asarray(some), np.asarray(some))) for some in (a, b))
    weights = pair_weights(strata, sampled)
    place = places(strata)
    at = np.array([place[name] for name in sampled], dtype=int)
    times = np.ones((resamples, count))
    for stratum in set(at.tolist()):
        members = np.flatnonzero(at == stratum)
        if len(members) > 1:
            drawn = rng.multinomial(len(members) - 1, [1 / len(members)] * len(members), size=resamples)
            times[:, members] = drawn * len(members) / (len(members) - 1)
    agree, left, right = (((times @ (weights * part)) * times).sum(axis=1) for part in (one * other, one**2, other**2))
    scale = np.sqrt(left * right)
    again = (agree[scale > 0] / scale[scale > 0]) if (scale > 0).any() else np.zeros(1)
    each = np.array([len(stratum.members) / len(stratum.drawn) for stratum in strata])[at]
    effective = float(each.sum() ** 2 / (each**2).sum())
    middle = max(-1 + 1 / count, min(1 - 1 / count, tau))
    error = max(float(again.std()) / (1 - middle**2), sqrt(0.437 / max(effective - 4, 1)))
    ends = tanh(atanh(middle) - NORMAL * error), tanh(atanh(middle) + NORMAL * error)
    return min(ends[0], tau), max(ends[1], tau)


def pooled_deviation(figures: Sequence[Sequence[float]]) -> float | None:
    """The pooled standard deviation within lists of trainings of one architecture each."""
    squares = sum((value - fmean(some)) ** 2 for some in figures for value in some)
    freedom = sum(len(some) - 1 for some in figures)
    return sqrt(squares / freedom) if freedom else None


def best_by_luck(seeds: Sequence[int], first: int, freedom: int, level: float = 0.95) -> float:
    """How far the best mean of equal architectures lies above that of one of them, in `level` of all cases at most.

    In deviations of one training, which is known from `freedom` degrees of freedom; `seeds` are the trainings of each, and
    `first` the place of that one, which was chosen without these. The best of many lies further above it by luck than another
    one does: this is Dunnett's comparison of all with one (1955, doi:10.1080/01621459.1955.10501294), one-sided, from draws.
    """
    import numpy as np

    rng = np.random.default_rng(0)
    means = rng.standard_normal((DRAWS, len(seeds))) / np.sqrt(np.asarray(seeds))
    deviation = np.sqrt(rng.chisquare(freedom, DRAWS) / freedom)
    return float(np.quantile((means.max(axis=1) - means[:, first]) / deviation, level))


def reliability(values: Sequence[float], weights: Sequence[float], luck: Sequence[float]) -> float | None:
    """The share of the weighed variance of `values` that is not `luck`, the variance of each; None where all are equal."""
    total = sum(weights)
    mean = sum(weight * value for weight, value in zip(weights, values, strict=True)) / total
    variance = sum(weight * (value - mean) ** 2 for weight, value in zip(weights, values, strict=True)) / total
    variance *= len(values) / max(1, len(values) - 1)
    return (
        max(0.0, 1 - sum(weight * one for weight, one in zip(weights, luck, strict=True)) / total / variance)
        if variance
        else None
    )


def tau_of_truth(share: float) -> float:
    """The τ between figures of that reliability and what they are without luck, for figures that are spread normally."""
    return 2 / pi * asin(sqrt(share))


def without_luck(tau: float, share: float) -> float:
    """`tau` as it would be if figures of that reliability had no luck (Spearman 1904), by way of the correlation of normal
    variables that have this τ (Greiner 1909).
    """
    return 2 / pi * asin(max(-1.0, min(1.0, sin(pi / 2 * tau) / sqrt(share))))
