"""Pareto dominance over costs, of which less is better."""

from collections.abc import Sequence


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether `a` is nowhere worse than `b` and somewhere better."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


def pareto_front(costs: Sequence[Sequence[float]]) -> list[bool]:
    """Whether each point is dominated by none; equal points stand or fall together."""
    if costs and len(costs[0]) == 2:
        return _front_of_two(costs)
    front: list[Sequence[float]] = []
    found = [False] * len(costs)
    # In lexicographic order a point is dominated only by earlier ones, and if by any, then by one of the front.
    for index in sorted(range(len(costs)), key=lambda index: tuple(costs[index])):
        if not any(dominates(other, costs[index]) for other in front):
            front.append(costs[index])
            found[index] = True
    return found


def _front_of_two(costs: Sequence[Sequence[float]]) -> list[bool]:
    """The front of points with two costs: from left to right, those that lie lower than all before them."""
    found = [False] * len(costs)
    lowest: tuple[float, ...] | None = None
    for index in sorted(range(len(costs)), key=lambda index: tuple(costs[index])):
        point = tuple(costs[index])
        if lowest is None or point == lowest or point[1] < lowest[1]:
            lowest = point
            found[index] = True
    return found


def pareto_layers(costs: Sequence[Sequence[float]]) -> list[int]:
    """The layer of each point: 0 on the front, 1 on the front of what is left without layer 0, and so on.

    Equal points share a layer. Points are taken in lexicographic order, so that a point is dominated only by earlier ones
    (efficient non-dominated sort with sequential search, Zhang et al. 2015, doi:10.1109/TEVC.2014.2308305).
    """
    layers: list[list[Sequence[float]]] = []
    found = [0] * len(costs)
    for index in sorted(range(len(costs)), key=lambda index: tuple(costs[index])):
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
