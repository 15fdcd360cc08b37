from math import comb

import numpy as np
import pytest

from nas.comparing.expectation import Floats, expected_regrets


def exactly(costs: Floats, regrets: Floats) -> list[float]:
    """By elementary symmetric polynomials: all ways to draw n of M, and which training each shows."""
    total, runs = costs.shape
    found = np.zeros(total)
    for row in range(total):
        for cost in costs[row]:
            ways = np.array([1.0])  # by how many are drawn, all of which come to more
            for other in range(total):
                if other != row:
                    ways = np.convolve(ways, [1.0, (costs[other] > cost).mean()])
            for drawn in range(1, total + 1):
                found[drawn - 1] += drawn / total / runs * ways[drawn - 1] / comb(total - 1, drawn - 1) * regrets[row]
    return found.tolist()


def drawn(architectures: int, runs: int, noise: float) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(architectures)
    costs = 3 * rng.random((architectures, 1)) + noise * rng.normal(size=(architectures, runs))
    return costs, costs.mean(axis=1) - costs.mean(axis=1).min()


@pytest.mark.parametrize("architectures", [1, 2, 7, 40])
def test_without_noise_it_is_exact(architectures: int) -> None:
    costs, regrets = drawn(architectures, 1, 0.5)
    assert expected_regrets(costs, regrets, architectures) == pytest.approx(exactly(costs, regrets), abs=1e-12)


@pytest.mark.parametrize(("architectures", "runs", "noise"), [(40, 3, 0.3), (60, 3, 1.0), (60, 2, 0.2)])
def test_with_noise_it_is_within_one_in_a_hundred_up_to_a_third_of_all(architectures: int, runs: int, noise: float) -> None:
    costs, regrets = drawn(architectures, runs, noise)
    third = architectures // 3
    assert expected_regrets(costs, regrets, third) == pytest.approx(exactly(costs, regrets)[:third], rel=0.01)


def test_equal_costs_share_what_falls_to_them_whatever_their_order() -> None:
    costs, regrets = np.array([[1.0], [1.0], [2.0]]), np.array([0.0, 3.0, 9.0])
    found = expected_regrets(costs, regrets, 3)
    assert found == pytest.approx([4.0, (1.5 + 1.5 + 1.5) / 3, 1.5])
    assert found == pytest.approx(expected_regrets(costs[::-1], regrets[::-1], 3))


def test_a_training_that_was_not_made_leaves_the_others_more_likely() -> None:
    costs = np.array([[0.0, np.nan], [1.0, -1.0]])
    # Both are drawn: the second is better in half the cases.
    assert expected_regrets(costs, np.array([0.0, 4.0]), 2) == pytest.approx([2.0, 2.0])
