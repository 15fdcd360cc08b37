import re
from typing import Any

import pytest

from nas.benchmark import Objective
from nas.errors import RankingError
from nas.ranking import ORDERS, Order, Priority
from nas.ranking.order import place

ACCURACY = Objective("accuracy", "maximize")
LATENCY = Objective("latency_ms", "minimize")
BOTH = (ACCURACY, LATENCY)


def ordered(points: list[tuple[float, float]], order: Order) -> list[int]:
    """The points (accuracy, latency) from first to last."""
    placing = place([[-accuracy, latency] for accuracy, latency in points], BOTH, order)
    return sorted(range(len(points)), key=lambda n: placing.keys[n])


# accuracy 0.90 to 0.80 and latency 10 to 0 on the front; the third bends inwards: no weighted sum puts it first
FRONT = [(0.90, 10.0), (0.80, 0.0), (0.84, 5.0)]


def test_the_weighted_sum_misses_what_the_chebyshev_distance_finds_on_a_front_that_bends_inwards() -> None:
    weights = [{"accuracy": n / 20, "latency_ms": 1 - n / 20} for n in range(1, 20)]
    assert not any(ordered(FRONT, Order(name="weighted", weights=some))[0] == 2 for some in weights)
    assert any(ordered(FRONT, Order(name="chebyshev", weights=some))[0] == 2 for some in weights)


def test_scores_by_hand() -> None:
    """The third point is short of 0.6 of the range of accuracy and of half of that of latency; weights 3 and 1 of 4."""
    costs = [[-accuracy, latency] for accuracy, latency in FRONT]
    weights = {"accuracy": 3.0}
    weighted, chebyshev = (place(costs, BOTH, Order(name=name, weights=weights)) for name in ("weighted", "chebyshev"))
    assert weighted.scores == pytest.approx((0.25, 0.75, 0.75 * 0.6 + 0.25 * 0.5))
    assert chebyshev.scores == pytest.approx((0.25 * 1.05, 0.75 * 1.05, 0.45 + 0.05 * 0.575))
    assert weighted.scale is not None
    assert (weighted.scale.ideal, weighted.scale.nadir) == ((-0.9, 0.0), (-0.8, 10.0))


@pytest.mark.parametrize("name", ["weighted", "chebyshev"])
def test_a_dominated_point_never_comes_before_or_beside_what_dominates_it(name: Any) -> None:
    points = [(0.9, 10.0), (0.8, 0.0), (0.8, 1.0), (0.7, 0.0), (0.9, 11.0)]
    keys = place([[-accuracy, latency] for accuracy, latency in points], BOTH, Order(name=name)).keys
    assert keys[1] < keys[2]
    assert keys[1] < keys[3]  # equal in what weighs most, so that the sum decides
    assert keys[0] < keys[4]


def test_what_is_far_off_the_front_does_not_change_the_order_on_it() -> None:
    for name in ("weighted", "chebyshev"):
        order = Order(name=name, weights={"accuracy": 2.0})  # type: ignore[arg-type]  # one of the names
        assert ordered([*FRONT, (0.0, 1e9)], order) == [*ordered(FRONT, order), 3]


def test_where_all_of_the_front_are_equal_in_an_objective_the_others_decide() -> None:
    assert ordered([(0.9, 5.0), (0.8, 5.0), (0.85, 5.0)], Order(name="weighted")) == [0, 2, 1]
    assert ordered([(0.9, 5.0), (0.9, 5.0)], Order(name="chebyshev")) == [0, 1]


def test_numbers_near_the_largest_are_ordered_too() -> None:
    points = [(1e308, 1e308), (-1e308, -1e308), (0.0, 0.0)]
    for name in ORDERS:
        assert sorted(ordered(points, Order(name=name))) == [0, 1, 2]  # type: ignore[arg-type]  # one of the names


def test_within_a_tolerance_the_next_priority_decides() -> None:
    points = [(0.950, 9.0), (0.946, 3.0), (0.944, 1.0), (0.930, 0.5)]
    assert ordered(points, Order(name="lexicographic")) == [0, 1, 2, 3]
    within = Order(name="lexicographic", priorities=(Priority("accuracy", 0.005), Priority("latency_ms")))
    assert ordered(points, within) == [1, 0, 2, 3]  # 0.944 is within 0.005 of 0.946, but not of the best
    latency_first = Order(name="lexicographic", priorities=(Priority("latency_ms", 2.0),))
    assert ordered(points, latency_first) == [2, 3, 1, 0]  # then the other objective


def test_a_tolerance_holds_in_binary_digits_too() -> None:
    within = Order(name="lexicographic", priorities=(Priority("accuracy", 0.005),))
    assert 0.95 - 0.945 > 0.005
    assert ordered([(0.95, 2.0), (0.945, 1.0)], within) == [1, 0]


def test_an_order_is_read_from_words() -> None:
    assert Order.parse(None) == Order()
    assert Order.parse("weighted", ["accuracy=2", " latency_ms = 0.5"]).weights == {"accuracy": 2.0, "latency_ms": 0.5}
    several = ["accuracy:0.005", "latency_ms:raspi4", "latency_ms:raspi5:1e-3"]
    priorities = (Priority("accuracy", 0.005), Priority("latency_ms:raspi4"), Priority("latency_ms:raspi5", 0.001))
    assert Order.parse(None, (), several) == Order(name="lexicographic", priorities=priorities)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("best",), "No order is called 'best'. Known: chebyshev, lexicographic, pareto, weighted."),
        (("chebyshef",), "No order is called 'chebyshef'. Did you mean 'chebyshev'?"),
        ((None, ["accuracy=2"]), "Weights are for the orders weighted and chebyshev, got no order; name one of these."),
        (("pareto", ["accuracy=2"]), "Weights are for the orders weighted and chebyshev, got pareto; name one of these."),
        (("weighted", ["accuracy"]), "A weight reads like 'latency_ms=2', got 'accuracy'."),
        (("weighted", ["accuracy=much"]), "A weight reads like 'latency_ms=2', got 'accuracy=much'."),
        (("weighted", ["accuracy=0"]), "The weight of accuracy is a number above 0, got 0.0."),
        (("weighted", ["accuracy=nan"]), "The weight of accuracy is a number above 0, got nan."),
        (("weighted", ["accuracy=1", "accuracy=2"]), "An objective has one weight, got 'accuracy' twice; leave one out."),
        (("weighted", [], ["accuracy"]), "Priorities are for the order lexicographic, got weighted; leave one of them out."),
        ((None, [], ["accuracy:-1"]), "The tolerance of accuracy is a number of at least 0, got -1.0."),
        ((None, [], ["accuracy:inf"]), "The tolerance of accuracy is a number of at least 0, got inf."),
        ((None, [], ["accuracy", "accuracy:1"]), "An objective has one priority, got 'accuracy' twice; leave one out."),
    ],
)
def test_what_does_not_fit_together_is_one_line(arguments: Any, message: str) -> None:
    with pytest.raises(RankingError, match="^" + re.escape(message)):
        Order.parse(*arguments)


def test_a_tolerance_that_is_no_number_is_refused() -> None:
    with pytest.raises(RankingError, match=r"got 'a bit'\.$"):
        Priority("accuracy", "a bit")  # type: ignore[arg-type]  # that is the point


def test_nothing_has_no_place() -> None:
    for name in ORDERS:
        assert place([], BOTH, Order(name=name)).keys == ()  # type: ignore[arg-type]  # one of the names
