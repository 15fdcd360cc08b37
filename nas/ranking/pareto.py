"""Pareto dominance over costs, of which less is better.

Of one and two costs fronts and layers are found in the time of a sort; of more, where there are many points, by moocore.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

MANY = 200
"""Points of three costs and more from which on moocore is loaded for them."""


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether `a` is nowhere worse than `b` and somewhere better."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


def pareto_front(costs: Sequence[Sequence[float]]) -> list[bool]:
    """Whether each point is dominated by none; equal points stand or fall together."""
    if costs and len(costs[0]) <= 2:
        return _front_of_two(costs)
    if len(costs) >= MANY:
        from moocore import is_nondominated  # loads numpy

        return [bool(stands) for stands in is_nondominated(_places(costs), keep_weakly=True)]
    front: list[Sequence[float]] = []
    found = [False] * len(costs)
    # In lexicographic order a point is dominated only by earlier ones, and if by any, then by one of the front.
    for index in _lexicographic(costs):
        if not any(dominates(other, costs[index]) for other in front):
            front.append(costs[index])
            found[index] = True
    return found


def _front_of_two(costs: Sequence[Sequence[float]]) -> list[bool]:
    """The front of points with two costs, or one: from left to right, those that lie lower than all before them."""
    found = [False] * len(costs)
    lowest: tuple[float, ...] | None = None
    for index in _lexicographic(costs):
        point = tuple(costs[index])
        if lowest is None or point == lowest or (len(point) > 1 and point[1] < lowest[1]):
            lowest = point
            found[index] = True
    return found


def pareto_layers(costs: Sequence[Sequence[float]]) -> list[int]:
    """The layer of each point: 0 on the front, 1 on the front of what is left without layer 0, and so on.

    Equal points share a layer. Points are taken in lexicographic order, so that a point is dominated only by earlier ones
    (efficient non-dominated sort, Zhang et al. 2015, doi:10.1109/TEVC.2014.2308305; of two costs by binary search).
    """
    if costs and len(costs[0]) == 1:
        place = {value: n for n, value in enumerate(sorted({point[0] for point in costs}))}
        return [place[point[0]] for point in costs]
    if costs and len(costs[0]) == 2:
        return _layers_of_two(costs)
    if len(costs) >= MANY:
        from moocore import pareto_rank  # loads numpy

        return [int(layer) for layer in pareto_rank(_places(costs))]
    layers: list[list[Sequence[float]]] = []
    found = [0] * len(costs)
    for index in _lexicographic(costs):
        point = costs[index]
        layer = next(
            (n for n, members in enumerate(layers) if not any(dominates(other, point) for other in members)),
            len(layers),
        )
        if layer == len(layers):
            layers.append([])
        layers[layer].append(point)
        found[index] = layer
    return found


def _layers_of_two(costs: Sequence[Sequence[float]]) -> list[int]:
    """From left to right; a layer dominates a point where the last of the layer, which is its lowest, is no higher."""
    lowest: list[float] = []
    found = [0] * len(costs)
    before: tuple[float, ...] | None = None
    layer = 0
    for index in _lexicographic(costs):
        point = tuple(costs[index])
        if point != before:
            layer = bisect_right(lowest, point[1])
            lowest[layer : layer + 1] = [point[1]]
            before = point
        found[index] = layer
    return found


def _lexicographic(costs: Sequence[Sequence[float]]) -> list[int]:
    return sorted(range(len(costs)), key=lambda index: tuple(costs[index]))


def _places(costs: Sequence[Sequence[float]]) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Each cost's place among those of its axis: dominance stays, without infinities, which moocore does not heed."""
    import numpy as np

    points = np.array(costs, dtype=np.float64)
    return np.stack([np.unique(axis, return_inverse=True)[1] for axis in points.T], axis=1).astype(np.float64)
