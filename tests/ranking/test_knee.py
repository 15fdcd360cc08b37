from collections.abc import Sequence
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.ranking import knee_of, pareto_front

Points = list[tuple[float, ...]]


def knees(points: Sequence[tuple[float, ...]]) -> set[tuple[float, ...]]:
    return {point for point, found in zip(points, knee_of(points), strict=True) if found}


def test_the_knee_lies_farthest_from_the_line_through_the_ends() -> None:
    """On a front from (0, 100) to (10, 0), (2, 20) is 0.2 + 0.2 and (5, 10) is 0.5 + 0.1 of the ranges."""
    front = [(0, 100), (2, 20), (5, 10), (10, 0)]
    assert knees(front) == {(2, 20)}
    assert knees([*front, (3, 30), (50, 500)]) == {(2, 20)}  # what is dominated does not move it


def test_it_is_the_same_in_other_units() -> None:
    front = [(0, 100), (2, 20), (5, 10), (10, 0)]
    assert knees([(1e9 * x - 7, y / 1e6) for x, y in front]) == {(2e9 - 7, 20 / 1e6)}


@pytest.mark.parametrize(
    "front",
    [
        [],
        [(1, 1)],
        [(0, 1), (1, 0)],
        [(0, 4), (1, 3), (2, 2), (3, 1), (4, 0)],
        [(0, 10), (8, 8), (10, 0)],
    ],
    ids=["none", "one point", "two ends", "a straight line", "bent outwards"],
)
def test_a_front_without_a_bulge_has_no_knee(front: Points) -> None:
    assert knees(front) == set()


def test_equal_points_are_the_knee_together_and_of_equally_far_ones_it_is_the_first() -> None:
    assert knee_of([(0, 10), (1, 1), (1, 1), (10, 0)]) == [False, True, True, False]
    assert knees([(0, 10), (2, 3), (3, 2), (10, 0)]) == {(2, 3)}


def test_of_three_objectives_it_is_the_point_with_the_least_sum_of_shares() -> None:
    assert knees([(0, 10, 10), (10, 0, 10), (10, 10, 0), (3, 3, 3), (2, 2, 6)]) == {(3, 3, 3)}


def test_a_point_that_is_not_finite_is_passed_over() -> None:
    assert knees([(0, 100), (2, 20), (10, 0), (-1, inf)]) == {(2, 20)}
    assert knees([(-1e308, 1e308), (-9e307, -9e307), (1e308, -1e308)]) == {(-9e307, -9e307)}


@settings(deadline=None)
@given(st.integers(2, 4).flatmap(lambda axes: st.lists(st.tuples(*[st.integers(0, 9)] * axes), max_size=15)))
def test_it_is_on_the_front_and_no_end_of_it(points: Points) -> None:
    front = {point for point, stands in zip(points, pareto_front(points), strict=True) if stands}
    for found in knees(points):
        assert found in front
        assert all(min(point[axis] for point in front) < found[axis] for axis in range(len(found))) or len(found) > 2
