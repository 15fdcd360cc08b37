"""By what rows of several objectives are put in order, by name.

pareto          front by front, and on each by the first objective, then the next
weighted        by the weighted sum of what each objective is short of the best; misses points of a front that bends inwards
chebyshev       by the largest of these, weighted, and a little of their sum: for each point of any front there are weights by
                which it comes first (the augmented Chebyshev norm of Steuer & Choo 1983, doi:10.1007/BF02591870; the share of
                the sum is that of Knowles 2006, doi:10.1109/TEVC.2005.851274, eq. 2)
lexicographic   by the first objective; where that is equal, or within a tolerance, by the next

What an objective is short of is counted in shares of the front's range (`Scale`), so that units do not matter.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal, Self, get_args

from nas.benchmark import Objective
from nas.errors import RankingError, did_you_mean, quote
from nas.ranking.pareto import pareto_layers
from nas.ranking.scale import CLOSE, Scale

OrderName = Literal["pareto", "weighted", "chebyshev", "lexicographic"]
ORDERS: tuple[str, ...] = get_args(OrderName)
WEIGHING = ("weighted", "chebyshev")

AUGMENTED = 0.05
"""The share of the weighted sum that is added to the Chebyshev norm, so that no dominated point ties with what dominates it."""

ROUNDED = 1 + 1e-9
"""Times a tolerance, so that 0.945 is within 0.005 of 0.95 in binary digits too."""


def _twice(figures: Sequence[str]) -> str | None:
    return next((figure for figure in figures if figures.count(figure) > 1), None)


@dataclass(frozen=True)
class Priority:
    """An objective's place in a lexicographic order."""

    figure: str
    tolerance: float = 0.0
    """Values that differ from the best of those left by at most so much count as equal to it, in the figure's unit."""

    def __post_init__(self) -> None:
        if not _is_number(self.tolerance) or self.tolerance < 0:
            raise RankingError(f"The tolerance of {self.figure} is a number of at least 0, got {quote(self.tolerance)}.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The priority written in `text`: FIGURE or FIGURE:TOLERANCE.

        Raises:
            RankingError: the tolerance is below 0.
        """
        figure, _, last = text.rpartition(":")
        tolerance = _number(last)
        return cls(text) if not figure or tolerance is None else cls(figure, tolerance)  # latency_ms:raspi4 is a figure

    def __str__(self) -> str:
        return f"{self.figure} within {self.tolerance:g}" if self.tolerance else self.figure


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order by name, and what it goes by.

    Raises:
        RankingError: there is no such order, or it has no use for the weights or priorities.
    """

    name: OrderName = "pareto"
    weights: Mapping[str, float] = field(default_factory=dict)
    """Figure → how much it counts, above 0; an objective that is not named counts 1."""
    priorities: tuple[Priority, ...] = ()
    """Objectives from the first to be looked at; those that are not named follow."""

    def __post_init__(self) -> None:
        if self.name not in ORDERS:
            raise RankingError(f"No order is called {quote(self.name)}. {did_you_mean(str(self.name), ORDERS)}")
        if self.weights and self.name not in WEIGHING:
            raise RankingError(f"Weights are for the orders {' and '.join(WEIGHING)}, got {self.name}; name one of these.")
        if self.priorities and self.name != "lexicographic":
            raise RankingError(f"Priorities are for the order lexicographic, got {self.name}; leave one of them out.")
        for figure, weight in self.weights.items():
            if not _is_number(weight) or weight <= 0:
                raise RankingError(f"The weight of {figure} is a number above 0, got {quote(weight)}.")
        if twice := _twice([priority.figure for priority in self.priorities]):
            raise RankingError(f"An objective has one priority, got {quote(twice)} twice; leave one out.")

    @classmethod
    def parse(cls, name: str | None, weights: Sequence[str] = (), priorities: Sequence[str] = ()) -> Self:
        """The order called `name`, with weights as FIGURE=NUMBER and priorities as FIGURE or FIGURE:TOLERANCE.

        Without a name it is pareto, or where there are priorities lexicographic.

        Raises:
            RankingError: one of them cannot be read, or they do not fit together.
        """
        if name is None and weights and not priorities:
            raise RankingError(f"Weights are for the orders {' and '.join(WEIGHING)}, got no order; name one of these.")
        given = dict(pairs := [*map(_weight, weights)])
        if len(given) < len(pairs):
            raise RankingError(
                f"An objective has one weight, got {quote(_twice([figure for figure, _ in pairs]))} twice; leave one out."
            )
        found = name or ("lexicographic" if priorities else "pareto")
        return cls(name=found, weights=given, priorities=tuple(map(Priority.parse, priorities)))  # type: ignore[arg-type]  # it is checked

    @property
    def figures(self) -> tuple[str, ...]:
        """What it names."""
        return (*(priority.figure for priority in self.priorities), *self.weights)


PARETO = Order()


@dataclass(frozen=True, kw_only=True)
class Placing:
    """Where an order puts points."""

    keys: tuple[tuple[float, ...], ...]
    """One a point: less comes first, and equal ones share a place."""
    scores: tuple[float, ...] | None
    """What a scalarisation comes to, one a point, 0 at best; None for orders that have none."""
    scale: Scale | None
    """What shares of a range are counted in; None for orders that count none."""


def place(costs: Sequence[Sequence[float]], objectives: Sequence[Objective], order: Order) -> Placing:
    """Put points in order, of whose `costs`, one an objective, less is better."""
    if order.name == "pareto" or not costs:
        layers = pareto_layers(costs) if len(objectives) > 1 else [0] * len(costs)
        keys = tuple((layer, *point) for layer, point in zip(layers, costs, strict=True))
        return Placing(keys=keys, scores=None, scale=None)
    if order.name == "lexicographic":
        return Placing(keys=tuple(_bands(costs, *_turns(objectives, order.priorities))), scores=None, scale=None)
    weights = [float(order.weights.get(objective.figure, 1.0)) for objective in objectives]
    whole = sum(weights)
    scale = Scale.of(costs)
    norm = _NORMS[order.name]
    short = ([weight / whole * share for weight, share in zip(weights, scale.of_range(point), strict=True)] for point in costs)
    scores = tuple(round(norm(weighed), CLOSE) for weighed in short)
    return Placing(keys=tuple((score,) for score in scores), scores=scores, scale=scale)


_NORMS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "weighted": sum,
    "chebyshev": lambda weighed: max(weighed) + AUGMENTED * sum(weighed),
}


def _turns(objectives: Sequence[Objective], priorities: Sequence[Priority]) -> tuple[list[int], list[float]]:
    """Which cost is looked at when, and with what tolerance."""
    at = {objective.figure: n for n, objective in enumerate(objectives)}
    named = {priority.figure: priority.tolerance for priority in priorities}
    axes = [at[figure] for figure in named] + [n for figure, n in at.items() if figure not in named]
    return axes, [named.get(objectives[axis].figure, 0.0) for axis in axes]


def _bands(costs: Sequence[Sequence[float]], axes: Sequence[int], tolerances: Sequence[float]) -> list[tuple[float, ...]]:
    """For each point the band that it lies in along each axis, among those in the same bands of the axes before.

    A band begins at the best that no band before it has, and ends a tolerance from there: so "about equal" is transitive, and no
    chain of small steps joins what lies far apart.
    """
    found: list[tuple[float, ...]] = [()] * len(costs)
    together = [list(range(len(costs)))]
    for axis, tolerance in zip(axes, tolerances, strict=True):
        split: list[list[int]] = []
        for members in together:
            band, first = -1, 0.0
            for n in sorted(members, key=lambda n: costs[n][axis]):
                if band < 0 or costs[n][axis] > first + tolerance * ROUNDED:
                    band, first = band + 1, costs[n][axis]
                    split.append([])
                split[-1].append(n)
                found[n] += (band,)
        together = split
    return found


def _weight(text: str) -> tuple[str, float]:
    figure, sign, number = text.rpartition("=")
    weight = _number(number)
    if not sign or not figure.strip() or weight is None:
        raise RankingError(f"A weight reads like 'latency_ms=2', got {quote(text)}.")
    return figure.strip(), weight


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
