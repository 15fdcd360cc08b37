"""The knee of a front: where a little more of one objective begins to cost much of another.

It is the point that lies farthest, towards the best, from the plane through the front's ends, each objective running from its
best on the front (0) to its worst (1): the "bulge" of Das 1999 (doi:10.1007/BF01195985). For any number of objectives the plane's
normal is taken as (1, …, 1), which for two it is; so the knee is the point with the least sum. A front whose ends lie as far has
none: it is flat, or bends the other way, or one of its ends asks for no compromise.
"""

from collections.abc import Sequence
from math import isfinite

from nas.ranking.pareto import pareto_front
from nas.ranking.scale import CLOSE, Scale


def knee_of(costs: Sequence[Sequence[float]]) -> list[bool]:
    """Whether each point, of which less is better, is the knee of the front of all; equal points are so together.

    Points that are not finite in every cost are passed over. Where several lie equally far, it is the first of them in
    lexicographic order.
    """
    finite = [tuple(point) for point in costs if all(map(isfinite, point))]
    front = sorted({point for point, stands in zip(finite, pareto_front(finite), strict=True) if stands})
    if len(front) < 3:  # two ends, and something between
        return [False] * len(costs)
    scale = Scale.of(front)
    depths = {point: round(sum(scale.of_range(point)), CLOSE) for point in front}
    ends = [min(front, key=lambda point: (point[axis], point)) for axis in range(len(front[0]))]
    found = min(front, key=lambda point: depths[point])
    if depths[found] >= min(depths[end] for end in ends):
        return [False] * len(costs)
    return [tuple(point) == found for point in costs]
