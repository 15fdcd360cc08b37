import itertools

import numpy as np
import pytest

from nas.tables.expectation import expected_regret

REGRETS = np.array([0.7, 0.0, 2.5, 0.1, 0.1])


@pytest.mark.parametrize("draws", [1, 2, 3, 5])
def test_with_repeats_it_is_the_mean_over_all_sequences(draws: int) -> None:
    by_hand = np.mean([min(some) for some in itertools.product(REGRETS, repeat=draws)])
    assert expected_regret(REGRETS, [draws], replacement=True)[0] == pytest.approx(by_hand)


@pytest.mark.parametrize("draws", [1, 2, 3, 5])
def test_without_repeats_it_is_the_mean_over_all_sets(draws: int) -> None:
    by_hand = np.mean([min(some) for some in itertools.combinations(REGRETS, draws)])
    assert expected_regret(REGRETS, [draws], replacement=False)[0] == pytest.approx(by_hand, abs=1e-12)


def test_all_drawn_leave_no_regret_and_more_than_all_are_all() -> None:
    assert expected_regret(REGRETS, [5, 9], replacement=False) == pytest.approx([0.0, 0.0])


def test_a_large_table_is_no_trouble() -> None:
    regrets = np.linspace(0, 1, 100_000)
    assert expected_regret(regrets, [99], replacement=False)[0] == pytest.approx(1 / 100, rel=1e-3)
    assert expected_regret(regrets, [99], replacement=True)[0] == pytest.approx(1 / 100, rel=1e-3)
