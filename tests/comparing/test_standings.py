import math

import numpy as np
import pytest
from by_hand import T, U, standings

from nas.comparing.standings import bootstrap, checkpoints, held


def test_checkpoints_are_those_within_the_budget_and_its_end() -> None:
    assert checkpoints(400) == (50, 100, 200, 400)
    assert checkpoints(120) == (50, 100, 120)
    assert checkpoints(7) == (7,)


def test_what_is_found_holds_where_nothing_is_left() -> None:
    assert held((3.0, 1.0), 4) == [3.0, 1.0, 1.0, 1.0]


def test_ranks_are_means_over_blocks_and_equals_share_them() -> None:
    found = standings({T: {"a": (0.0, 1.0), "b": (1.0, 1.0), "c": (2.0, 3.0)}})
    assert found.ranks(2) == {"a": (1 + 1.5) / 2, "b": (2 + 1.5) / 2, "c": 3.0}


def test_shares_weigh_tables_alike_whatever_their_spread() -> None:
    runs = standings({T: {"a": (1.0, 3.0)}, U: {"a": (100.0, 300.0)}})
    runs.expected = {T: np.array([9.0, 4.0]), U: np.array([9.0, 400.0])}
    assert runs.shares(2) == {"a": 0.5}


def test_the_interval_of_the_mean_is_that_of_its_standard_error() -> None:
    values = np.random.default_rng(3).normal(5.0, 2.0, size=(400, 1))
    mean, low, high = bootstrap(values)
    error = values.std() / 20
    assert mean[0] == values.mean()
    assert low[0] == pytest.approx(mean[0] - 1.96 * error, abs=0.15 * error)
    assert high[0] == pytest.approx(mean[0] + 1.96 * error, abs=0.15 * error)


def test_many_evaluations_have_the_intervals_of_each() -> None:
    values = np.random.default_rng(3).normal(5.0, 2.0, size=(6, 2003))
    whole = np.stack(bootstrap(values))
    assert whole.shape == (3, 2003)
    for column in (0, 999, 1000, 2002):
        assert whole[:, column] == pytest.approx(np.stack(bootstrap(values[:, [column]]))[:, 0])


def test_an_interval_of_one_seed_is_its_value() -> None:
    interval = standings({T: {"a": (3.0,)}}).interval(T, "a", 2)
    assert (interval.mean, interval.low, interval.high) == (3.0, 3.0, 3.0)


def test_random_agrees_within_two_standard_errors() -> None:
    # Mean 2, standard error 1 / sqrt(3): 1 lies 1.73 of them away, and 0.8 lies 2.08.
    one, other = (standings({T: {"random": (1.0, 2.0, 3.0)}}, expected).agreements()[0] for expected in (1.0, 0.8))
    assert one.deviations == pytest.approx(math.sqrt(3))
    assert one.agrees
    assert not other.agrees


def test_what_cannot_vary_agrees_where_it_is_equal() -> None:
    assert standings({T: {"random": (1.0, 1.0)}}, 1.0).agreements()[0].agrees
    assert not standings({T: {"random": (1.0, 1.0)}}, 1.5).agreements()[0].agrees


def test_where_random_search_does_not_draw_evenly_it_is_not_held_against_the_formula() -> None:
    found = standings({T: {"random": (1.0, 2.0, 3.0)}, U: {"random": (1.0, 2.0, 3.0)}})
    found.uneven = frozenset({T})
    assert [one.question for one in found.agreements()] == [U]


def test_what_random_search_never_misses_is_no_yardstick() -> None:
    found = standings({T: {"a": (0.0, 0.009)}}, expected=0.0)
    assert found.shares(2) == {"a": pytest.approx(0.0045 / (9.0 / 1000))}
