from math import comb
from statistics import median

import pytest

from nas.profiling.spread import BLOCKS, interval_of_turns, median_interval, quantile


def coverage(count: int, low: int, high: int) -> float:
    """How surely the median lies between the times at two positions: a fair coin falls heads low+1 to high times of `count`."""
    return sum(comb(count, heads) for heads in range(low + 1, high + 1)) / 2**count


def test_the_interval_holds_the_median_at_least_95_percent_of_the_time() -> None:
    held = {count: coverage(count, *median_interval(count)) for count in range(5, 201)}
    assert held.pop(5) == 1 - 2 / 2**5  # 93.75 %, and no interval of five times holds it more surely
    assert min(held.values()) >= 0.95


def test_the_interval_is_at_most_one_place_wider_on_each_side_than_the_narrowest() -> None:
    for count in range(6, 201):
        _, high = median_interval(count)
        narrowest = next(end for end in range(count // 2, count) if coverage(count, count - 1 - end, end) >= 0.95)
        assert narrowest <= high <= narrowest + 1, count


@pytest.mark.parametrize("count", [1, 2, 5, 20, 21, 1_000])
def test_as_many_times_lie_below_the_interval_as_above(count: int) -> None:
    low, high = median_interval(count)
    assert low == count - 1 - high
    assert 0 <= low <= high < count


def test_five_times_or_fewer_are_all_in_the_interval() -> None:
    assert [median_interval(count) for count in range(1, 6)] == [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4)]


def test_the_interval_of_a_hundred_times_by_hand() -> None:
    """Counted from 1: floor(50 − 9.8) = 40 and ceil(51 + 9.8) = 61 (Le Boudec 2010, th. 2.1)."""
    assert median_interval(100) == (39, 60)


@pytest.mark.parametrize(("share", "least"), [(0.1, 1), (0.11, 2), (0.5, 5), (0.95, 10), (0.99, 10), (1.0, 10)])
def test_a_quantile_is_the_least_time_that_so_many_do_not_exceed(share: float, least: int) -> None:
    times = [7, 3, 10, 1, 9, 2, 8, 4, 6, 5]
    assert quantile(times, share) == least
    assert sum(time <= least for time in times) >= share * 10 > sum(time < least for time in times)


def test_the_quantile_of_one_time_is_that_time() -> None:
    assert [quantile([4.5], share) for share in (0.0, 0.1, 0.99)] == [4.5] * 3


def test_few_turns_are_all_in_the_interval() -> None:
    assert interval_of_turns([3.0, 1.0, 2.0]) == (1.0, 3.0)


def test_turns_that_resemble_their_neighbours_give_a_wide_interval() -> None:
    """40 turns of a clock that falls by a tenth halfway: as if they were independent, a few in the middle would do."""
    medians = [1.0] * 20 + [1.1] * 20
    assert interval_of_turns(medians) == (1.0, 1.1)


def test_one_odd_turn_does_not_widen_the_interval() -> None:
    medians = [1.0] * 40
    medians[7] = 50.0
    assert interval_of_turns(medians) == (1.0, 1.0)


def test_stretches_of_turns_are_one_observation_each() -> None:
    medians = [float((7 * number) % 80) for number in range(80)]
    stretches = [median(medians[begin : begin + 10]) for begin in range(0, 80, 10)]
    assert len(stretches) == BLOCKS
    assert interval_of_turns(medians) == (min(stretches), max(stretches))
