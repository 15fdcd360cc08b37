"""Limits on what is known before anything is built: what keeps to them, how much that is, and whether anything does."""

import random
from collections.abc import Sequence
from functools import cached_property

from nas.benchmark import Signature
from nas.errors import ModelError
from nas.models.costing import CostFold, cost
from nas.models.shares import Share
from nas.space import Architecture, Completions, Limit, NoneWithin, Reach, Space, extremes, sample_within

GLANCE = 300
"""Random proposals by which a search sees how much its limits leave."""

LITTLE = 0.1
"""A search says so where fewer random proposals than this share keep to its limits."""

COUNTED = CostFold.figures
"""What is known before anything is built."""


class Within:
    """The architectures of a space within limits that are known before anything is built."""

    def __init__(self, space: Space, signature: Signature, limits: Sequence[Limit]) -> None:
        """`limits` are on COUNTED."""
        self.space = space
        self.signature = signature
        self.limits = tuple(limits)
        self.completions = Completions(space, CostFold(signature))

    @cached_property
    def impossible(self) -> str:
        """Why no architecture is within, as a sentence; empty where that is not proven."""
        for limit in self.limits:
            reach = extremes(self.completions, limit.figure)
            if reach.proven and misses(limit, reach):
                return why_none(limit, reach)
        return ""

    @cached_property
    def note(self) -> str:
        """How little the limits leave, as a sentence; empty where they leave enough."""
        rng = random.Random(0)  # noqa: S311 - no secret
        hits = sum(self._keeps(self.space.sample(rng)) for _ in range(GLANCE))
        share = Share.of(hits, GLANCE)
        if share.value >= LITTLE:
            return ""
        words = " and ".join(map(str, self.limits))
        return f"Of random proposals {share} keep to {words}; where they are few, proposals are drawn within the limits."

    def draw(self, rng: random.Random) -> Architecture | None:
        """One of them, drawn in bounded time; None where none was found."""
        try:
            return sample_within(self.completions, self.limits, rng)
        except NoneWithin:
            return None

    def _keeps(self, architecture: Architecture) -> bool:
        try:
            figures = cost(self.space, architecture, self.signature)
        except ModelError:
            return False
        return all(limit.allows(getattr(figures, limit.figure)) for limit in self.limits)


def misses(limit: Limit, reach: Reach) -> bool:
    """Whether all of what the figure reaches lies outside."""
    return not limit.allows(_nearest(limit, reach))


def _nearest(limit: Limit, reach: Reach) -> float:
    return (reach.smallest if limit.from_above else reach.largest).total


def why_none(limit: Limit, reach: Reach) -> str:
    """That no network keeps to `limit`, as a sentence with what comes nearest."""
    end = "smallest" if limit.from_above else "largest"
    nearest = f"{_nearest(limit, reach):,.10g} {limit.figure}; move the limit."
    if reach.proven:
        return f"No network keeps to {limit}: the {end} has {nearest}"
    return f"No network was found that keeps to {limit}: the {end} that was found has {nearest}"
