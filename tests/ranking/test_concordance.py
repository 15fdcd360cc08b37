import random
from math import sqrt

import numpy as np
import pytest
from scipy.stats import kendalltau, t

from nas.ranking.concordance import best_by_luck, interval, pooled_deviation, reliability, tau_b, tau_of_truth, without_luck
from nas.ranking.sampling import draw, pair_weights, places


def test_tau_is_that_of_scipy_where_all_pairs_weigh_alike() -> None:
    rng = random.Random(0)
    for _ in range(50):
        a, b = ([rng.randrange(6) for _ in range(12)] for _ in range(2))
        assert tau_b(a, b, 1 - np.eye(12)) == pytest.approx(kendalltau(a, b).statistic)


def test_tau_is_not_told_where_all_are_equal() -> None:
    assert tau_b([1, 2, 3], [5, 5, 5], 1 - np.eye(3)) is None


@pytest.mark.parametrize("correlation", [0.3, 0.95])
def test_the_interval_covers_the_tau_of_the_whole_study(correlation: float) -> None:
    """400 studies of 64 architectures, of which 12 are audited; figures of full training have luck."""
    rng = np.random.default_rng(1)
    ranked = [f"{number:016x}" for number in range(64)]
    estimates, truths, covered = [], [], 0
    for study in range(400):
        worth = rng.standard_normal(64)
        cheap = np.sort(correlation * worth + sqrt(1 - correlation**2) * (noise := rng.standard_normal(64)))[::-1]
        order = np.argsort(-(correlation * worth + sqrt(1 - correlation**2) * noise))
        real = worth[order] + 0.3 * rng.standard_normal(64)
        truth = kendalltau(cheap, worth[order] + 0.3 * rng.standard_normal(64)).statistic
        strata = draw(ranked, 12, key=str(study))
        sampled = sorted(places(strata))
        at = [int(one, 16) for one in sampled]
        tau = tau_b(cheap[at].tolist(), real[at].tolist(), pair_weights(strata, sampled))
        assert tau is not None
        low, high = interval(tau, cheap[at].tolist(), real[at].tolist(), strata, sampled, resamples=200)
        estimates.append(tau)
        truths.append(truth)
        covered += low <= truth <= high
    assert np.mean(estimates) == pytest.approx(np.mean(truths), abs=3 * np.std(estimates) / sqrt(400))
    assert 0.9 <= covered / 400 <= 0.99


def test_what_luck_does_to_tau_is_undone_by_what_is_known_of_it() -> None:
    rng = np.random.default_rng(2)
    worth = rng.standard_normal(1500)
    cheap = 0.8 * worth + 0.6 * rng.standard_normal(1500)
    trainings = worth[:, None] + 0.7 * rng.standard_normal((1500, 2))
    deviation = pooled_deviation(trainings.tolist())
    assert deviation == pytest.approx(0.7, rel=0.05)
    real = trainings.mean(axis=1).tolist()
    share = reliability(real, [1.0] * 1500, [deviation**2 / 2] * 1500)
    assert share == pytest.approx(1 / (1 + 0.49 / 2), rel=0.05)
    seen, true = kendalltau(cheap, real).statistic, kendalltau(cheap, worth).statistic
    assert seen < true - 0.05
    assert without_luck(seen, share) == pytest.approx(true, abs=0.02)
    assert tau_of_truth(share) == pytest.approx(kendalltau(worth, real).statistic, abs=0.02)


def test_no_luck_is_known_of_single_trainings() -> None:
    assert pooled_deviation([[1.0], [2.0]]) is None


@pytest.mark.parametrize(("seeds", "first"), [([1] * 9 + [3] * 3, 10), ([2] * 14, 0), ([1] * 11 + [2], 4), ([3, 2], 1)])
def test_of_equal_architectures_the_best_is_beyond_luck_in_5_of_100_audits(seeds: list[int], first: int) -> None:
    rng = np.random.default_rng(3)
    freedom = sum(seeds) - len(seeds)
    trainings = [rng.normal(0.9, 0.004, (20_000, count)) for count in seeds]
    means = np.stack([of_one.mean(axis=1) for of_one in trainings], axis=1)
    squares = sum(((of_one - of_one.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) for of_one in trainings)
    regret = means.max(axis=1) - means[:, first]
    beyond = regret > np.sqrt(squares / freedom) * best_by_luck(seeds, first, freedom)
    assert beyond.mean() == pytest.approx(0.05, abs=0.006)


def test_what_luck_does_to_the_best_of_two_is_students_t() -> None:
    assert best_by_luck([1, 1], 0, freedom=8) == pytest.approx(t.ppf(0.95, 8) * sqrt(2), rel=0.03)
