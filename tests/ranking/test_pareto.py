import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.ranking import dominates, pareto, pareto_front, pareto_layers

Points = Sequence[Sequence[float]]

FEW = st.sampled_from([-math.inf, -1.0, -0.0, 0.0, 1.0, 2, 3, math.inf])
"""So few values that ties and equal points are the rule."""

MANY = st.floats(allow_nan=False)


def points(values: st.SearchStrategy[float], most: int) -> st.SearchStrategy[Points]:
    """Up to `most` points of one to four dimensions."""
    return st.integers(1, 4).flatmap(lambda axes: st.lists(st.lists(values, min_size=axes, max_size=axes), max_size=most))


def slow_front(costs: Points) -> list[bool]:
    """Every point against every other."""
    return [
        not any(
            all(x <= y for x, y in zip(other, point, strict=True)) and any(x < y for x, y in zip(other, point, strict=True))
            for other in costs
        )
        for point in costs
    ]


def slow_layers(costs: Points) -> list[int]:
    """Take away one front after the other."""
    found = [-1] * len(costs)
    left = list(range(len(costs)))
    layer = 0
    while left:
        front = slow_front([costs[n] for n in left])
        for n, stands in zip(left, front, strict=True):
            if stands:
                found[n] = layer
        left = [n for n, stands in zip(left, front, strict=True) if not stands]
        layer += 1
    return found


@settings(deadline=None)
@given(points(FEW, 25) | points(MANY, 12))
def test_the_front_is_what_comparing_all_with_all_finds(costs: Points) -> None:
    assert pareto_front(costs) == slow_front(costs)


@settings(deadline=None)
@given(points(FEW, 25) | points(MANY, 12))
def test_the_layers_are_what_taking_front_after_front_away_finds(costs: Points) -> None:
    assert pareto_layers(costs) == slow_layers(costs)


@pytest.mark.parametrize("axes", [2, 3, 4])
@pytest.mark.parametrize("values", [3, 40, 10**9])
def test_of_many_points_too(axes: int, values: int) -> None:
    drawing = Random(axes * values)
    costs = [[float(drawing.randrange(values)) for _ in range(axes)] for _ in range(pareto.MANY)]
    costs[7][0] = costs[8][axes - 1] = math.inf
    costs[9] = [-math.inf] + [math.inf] * (axes - 1)
    assert pareto_front(costs) == slow_front(costs)
    assert pareto_layers(costs) == slow_layers(costs)


@settings(deadline=None)
@given(points(FEW, 25))
def test_the_first_layer_is_the_front(costs: Points) -> None:
    assert [layer == 0 for layer in pareto_layers(costs)] == pareto_front(costs)


@settings(deadline=None)
@given(points(FEW, 12), st.randoms())
def test_the_order_of_the_points_does_not_matter(costs: Points, random: Random) -> None:
    order = list(range(len(costs)))
    random.shuffle(order)
    assert pareto_layers([costs[n] for n in order]) == [pareto_layers(costs)[n] for n in order]


@pytest.mark.parametrize(
    ("a", "b", "answer"),
    [
        ((1, 1), (2, 2), True),
        ((1, 2), (2, 2), True),
        ((2, 2), (2, 2), False),
        ((1, 3), (2, 2), False),
        ((2, 2), (1, 2), False),
        ((0,), (math.inf,), True),
        ((math.inf,), (math.inf,), False),
        ((-math.inf, math.inf), (0, math.inf), True),
        ((), (), False),
    ],
)
def test_a_point_dominates_what_is_nowhere_better_and_somewhere_worse(
    a: Sequence[float], b: Sequence[float], answer: bool
) -> None:
    assert dominates(a, b) is answer


def test_points_of_other_lengths_are_not_compared() -> None:
    with pytest.raises(ValueError, match="shorter"):
        dominates((1, 2), (1,))


def test_a_tie_keeps_both_on_the_front() -> None:
    assert pareto_front([(1, 2), (1, 2), (2, 1), (2, 2)]) == [True, True, True, False]
    assert pareto_layers([(1, 2), (1, 2), (2, 1), (2, 2), (3, 3)]) == [0, 0, 0, 1, 2]


def test_along_one_axis_layers_are_the_different_values_in_order() -> None:
    assert pareto_layers([(3,), (1,), (2,), (1,)]) == [2, 0, 1, 0]


def test_nothing_has_no_front() -> None:
    assert pareto_front([]) == []
    assert pareto_layers([]) == []


def test_a_long_chain_and_a_wide_front_are_found() -> None:
    assert pareto_layers([(n, n) for n in range(100)]) == list(range(100))
    assert all(pareto_front([(n, 100 - n) for n in range(100)]))
    assert all(a < b for a, b in pairwise(pareto_layers([(n, n, n) for n in range(50)])))
