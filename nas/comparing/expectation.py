"""What random search reaches on average by formula, where the best drawn is known by one noisy training of each alone.

Axes: M architectures, R trainings of each, E = M × R pairs of an architecture and a training, N draws.
"""

from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]


def expected_regrets(costs: Floats, regrets: Floats, draws: int) -> Floats:
    """(draws,): the mean regret of the incumbent after 1, 2, … architectures drawn evenly and without repeats.

    `costs` (M, R) are what trainings come to, less is better, NaN where one was not made; each drawn architecture shows one of
    its own, all equally likely, and the least that is seen is the incumbent. `regrets` (M,) are what the incumbent is worth.
    Once all are drawn, nothing changes.

    The incumbent after n draws is architecture i with cost c with probability n/M · 1/R_i · P, where P is the probability that
    n - 1 of the others, drawn without repeats, all come to more than c. With p_j the share of the trainings of j that do, P is
    the elementary symmetric polynomial of the p_j over C(M-1, n-1). Without noise every p_j is 0 or 1, and P is hypergeometric:
    ∏ (K-t)/(m-t) for t < n-1, m = M-1, K = Σ p_j. With noise the same product is taken for a population of the size at which mean
    and variance of the p_j agree, m · μ(1-μ)/σ²: the terms of first and second order are right. So it is exact without noise,
    and with noise off by less than one in a hundred up to a third of all. Equal costs share what falls to them.
    """
    total = len(costs)
    rows, worth = _pairs(costs)
    made = (~np.isnan(costs)).sum(axis=1)
    share = 1.0 / made[rows]
    mean, size = _others(rows, share, total)
    regret = _shared(worth, share, regrets[rows])
    reached = np.empty(draws)
    chance = share.copy()  # of being the least of those drawn, but for a factor that is the same for all
    for drawn in range(min(draws, total)):
        reached[drawn] = chance @ regret / chance.sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(np.isinf(size), mean, (mean * size - drawn) / (size - drawn))
        chance *= np.clip(np.nan_to_num(factor, nan=0.0), 0.0, 1.0)
    reached[min(draws, total) :] = reached[min(draws, total) - 1]
    return reached


def _pairs(costs: Floats) -> tuple["np.ndarray[Any, np.dtype[np.int64]]", Floats]:
    """(E,) twice: the architecture and the cost of each training that was made, the greatest cost first."""
    rows, runs = np.nonzero(~np.isnan(costs))
    worth = costs[rows, runs]
    order = np.argsort(-worth, kind="stable")
    return rows[order], worth[order]


def _others(rows: "np.ndarray[Any, np.dtype[np.int64]]", share: Floats, total: int) -> tuple[Floats, Floats]:
    """(E,) twice, for the architectures beside that of each pair: the mean of the p_j, and the size of the population."""
    others = total - 1
    if not others:
        return np.ones(len(rows)), np.full(len(rows), np.inf)
    before = _counted(rows)  # of its own architecture's trainings, how many come before this one
    first = np.cumsum(share) - share
    second = np.cumsum((2 * before + 1) * share**2) - (2 * before + 1) * share**2
    own = before * share
    mean = np.clip((first - own) / others, 0.0, 1.0)
    variance = np.maximum((second - own**2) / others - mean**2, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(variance > 1e-12, others * mean * (1 - mean) / variance, np.where(mean < 1, np.inf, others))
    return mean, np.maximum(size, others)


def _counted(rows: "np.ndarray[Any, np.dtype[np.int64]]") -> Floats:
    """(E,): how often the same value stands before each."""
    order = np.argsort(rows, kind="stable")
    together = rows[order]
    begins = np.r_[0, np.flatnonzero(np.diff(together)) + 1]
    lengths = np.diff(np.r_[begins, len(rows)])
    found = np.empty(len(rows))
    found[order] = np.arange(len(rows)) - np.repeat(begins, lengths)
    return found


def _shared(worth: Floats, share: Floats, regrets: Floats) -> Floats:
    """(E,): the mean regret of those whose cost is the same, so that their order among each other does not matter."""
    _, group = np.unique(worth, return_inverse=True)
    weights = np.bincount(group, share)
    mean: Floats = (np.bincount(group, share * regrets) / weights)[group]
    return mean
