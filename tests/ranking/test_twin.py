"""Leaderboards against a twin that compares everything with everything, as its rules read, in exact fractions."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from math import prod
from random import Random
from typing import Any

import pytest
from toys import toy_record

from nas.benchmark import Budget, Direction, Objective
from nas.ranking import ORDERS, Order, Priority, Row, rank
from nas.records import StudyEntry, Trial
from nas.space import Architecture, Limit

CASES = 1_000
BUDGET = Budget(epochs=3)
DIRECTIONS: tuple[Direction, Direction] = ("maximize", "minimize")
RECORD = toy_record("complete", {}, (), 0, BUDGET)

Point = tuple[Fraction, ...]
"""Costs, of which less is better."""


def better(a: Point, b: Point) -> bool:
    """Whether `a` dominates `b`."""
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


def front(points: Sequence[Point]) -> list[Point]:
    return [point for point in points if not any(better(other, point) for other in points)]


def layers(points: Sequence[Point]) -> dict[Point, int]:
    found: dict[Point, int] = {}
    left = set(points)
    while left:
        first = set(front([*left]))
        found |= dict.fromkeys(first, len(set(found.values())))
        left -= first
    return found


def volume(points: Sequence[Point], bound: Point) -> Fraction:
    """By inclusion and exclusion over boxes."""
    different = [*set(front(points))]
    total = Fraction(0)
    for count in range(1, len(different) + 1):
        for several in combinations(different, count):
            sides = [max(Fraction(0), high - max(axis)) for high, axis in zip(bound, zip(*several, strict=True), strict=True)]
            total += (-1) ** (count + 1) * prod(sides)
    return total


def shares(points: Sequence[Point]) -> list[Point]:
    """Of the front's range, or where it has none of the range of all."""
    best = [min(axis) for axis in zip(*points, strict=True)]
    nadir = [max(axis) for axis in zip(*front(points), strict=True)]
    worst = [max(axis) for axis in zip(*points, strict=True)]
    ranges = [(high if high > low else last) - low for low, high, last in zip(best, nadir, worst, strict=True)]
    return [
        tuple((x - low) / span if span else Fraction(0) for x, low, span in zip(point, best, ranges, strict=True))
        for point in points
    ]


def score(share: Point, weights: Sequence[Fraction], name: str) -> Fraction:
    weighed = [weight * x / sum(weights) for weight, x in zip(weights, share, strict=True)]
    return sum(weighed, Fraction(0)) if name == "weighted" else max(weighed) + sum(weighed, Fraction(0)) / 20


def lexicographic(points: Sequence[Point], axes: Sequence[int], within: Sequence[Fraction]) -> list[list[Point]]:
    """Groups of points that share a rank, best first."""
    if not axes:
        return [[*points]]
    groups, left = [], [*points]
    while left:
        best = min(point[axes[0]] for point in left)
        equal = [point for point in left if point[axes[0]] <= best + within[0]]
        left = [point for point in left if point not in equal]
        groups += lexicographic(equal, axes[1:], within[1:])
    return groups


def knee(points: Sequence[Point]) -> Point | None:
    different = sorted(set(front(points)))
    if len(different) < 3:
        return None
    sums = [sum(share, Fraction(0)) for share in shares(different)]
    ends = [min(different, key=lambda point: (point[axis], point)) for axis in range(len(different[0]))]
    least = min(sums)
    return None if any(sums[different.index(end)] == least for end in ends) else different[sums.index(least)]


class Case:
    """Trials with few different values, so that ties are the rule; values are binary fractions, which floats hold exactly."""

    def __init__(self, seed: int) -> None:
        self.drawing = Random(seed)
        self.objectives = [Objective(f"figure{n}", self.drawing.choice(DIRECTIONS)) for n in range(1 + seed % 4)]
        different = self.drawing.choice([2, 5, 40])
        self.values = [
            [Fraction(self.drawing.randrange(-different, different), 4) for _ in self.objectives]
            for _ in range(self.drawing.randint(1, 9))
        ]
        self.order = self._order(seed)
        bound = Fraction(self.drawing.randrange(-different, different), 4)
        self.limits = [Limit("figure0", "<=", float(bound))] if self.drawing.random() < 0.4 else []
        self.points = [
            tuple(-x if goal.direction == "maximize" else x for goal, x in zip(self.objectives, row, strict=True))
            for row in self.values
        ]
        self.excess = [max(Fraction(0), row[0] - bound) if self.limits else Fraction(0) for row in self.values]

    def _order(self, seed: int) -> Order:
        name: Any = ORDERS[seed // 4 % len(ORDERS)]
        named = self.drawing.sample(self.objectives, self.drawing.randint(0, len(self.objectives)))
        if name in {"weighted", "chebyshev"}:
            return Order(name=name, weights={goal.figure: self.drawing.choice([0.5, 2.0, 3.0]) for goal in named})
        if name == "lexicographic":
            return Order(
                name=name, priorities=tuple(Priority(goal.figure, self.drawing.choice([0, 0.25, 1.0])) for goal in named)
            )
        return Order()

    @property
    def table(self) -> Any:
        definition = {
            "space": {"name": "toy", "version": 1},
            "benchmark": {"name": "digits", "version": 1},
            "objectives": [vars(objective) for objective in self.objectives],
        }
        study = StudyEntry(id=1, name="a", definition=definition, begun_at="2026-01-01")
        (table,) = rank([(study, self.trial(n)) for n in range(len(self.values))], order=self.order, limits=self.limits)
        return table

    def trial(self, number: int) -> Trial:
        figures = {goal.figure: float(x) for goal, x in zip(self.objectives, self.values[number], strict=True)}
        return Trial(
            id=number + 1,
            study="a",
            stage="search",
            number=number,
            state="complete",
            architecture=Architecture("toy", 1, {"n": number}),
            evaluation=f"{number}",
            reused_from=None,
            begun_at="2026-01-01",
            ended_at="2026-01-02",
            proposal={},
            record=type(RECORD)(**{**vars(RECORD), "figures": figures}),
        )

    def ranks(self) -> list[int]:
        """Each trial's rank: 1 and the number of those that stand before it."""
        inside = [n for n, excess in enumerate(self.excess) if not excess]
        place: dict[int, Any] = {}
        points = [self.points[n] for n in inside]
        if self.order.name == "pareto":
            found = layers(points)
            own = {n: (found[self.points[n]] if len(self.objectives) > 1 else 0, self.points[n]) for n in inside}
        elif self.order.name == "lexicographic":
            figures = [goal.figure for goal in self.objectives]
            within = {one.figure: Fraction(one.tolerance) for one in self.order.priorities}
            axes = [figures.index(figure) for figure in dict.fromkeys([*within, *figures])]
            groups = lexicographic(points, axes, [within.get(figures[axis], Fraction(0)) for axis in axes])
            own = {n: next(k for k, group in enumerate(groups) if self.points[n] in group) for n in inside}
        else:
            weights = [Fraction(self.order.weights.get(goal.figure, 1)) for goal in self.objectives]
            own = {n: score(share, weights, self.order.name) for n, share in zip(inside, shares(points), strict=True)}
        place = {n: (0, key) for n, key in own.items()}
        place |= {n: (1, (excess, self.points[n])) for n, excess in enumerate(self.excess) if excess}
        return [1 + sum(place[other] < place[n] for other in place) for n in range(len(self.values))]


@pytest.mark.parametrize("seed", range(0, CASES, 50))
def test_front_layers_volume_knee_and_ranks_are_those_of_the_twin(seed: int) -> None:
    for case in map(Case, range(seed, seed + 50)):
        table = case.table
        rows: dict[int, Row] = {row.number: row for row in table.rows}
        inside = [n for n, excess in enumerate(case.excess) if not excess]
        points = [case.points[n] for n in inside]
        assert [rows[n].rank for n in range(len(rows))] == case.ranks()
        assert [row.rank for row in table.rows] == sorted(row.rank for row in table.rows)
        assert {n for n in rows if rows[n].on_front} == {n for n in inside if case.points[n] in front(points)}
        assert {n for n in rows if rows[n].broken} == {n for n, excess in enumerate(case.excess) if excess}
        found = knee(points) if len(case.objectives) > 1 else None
        assert {n for n in rows if rows[n].knee} == {n for n in inside if case.points[n] == found}
        if len(case.objectives) > 1 and inside:
            bound = tuple(Fraction(goal.cost(table.hypervolume.reference[goal.figure])) for goal in case.objectives)
            assert table.hypervolume.value == pytest.approx(float(volume(points, bound)), rel=1e-9, abs=1e-9)
        else:
            assert table.hypervolume is None
