import random
from math import sqrt

import numpy as np
import pytest
from scipy.stats import kendalltau

from nas.ranking.agreement import interval, tau_b
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
