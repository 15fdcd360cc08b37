"""Costs in shares of a front's range, so that objectives of other units can be added up and weighed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from nas.ranking.pareto import pareto_front

CLOSE = 12
"""Digits after the point to which sums of such shares are told apart; further ones are rounding errors."""


@dataclass(frozen=True)
class Scale:
    """From the ideal (0), the best of each cost, to the nadir (1), the worst that the front has of it."""

    ideal: tuple[float, ...]
    nadir: tuple[float, ...]

    @classmethod
    def of(cls, costs: Sequence[Sequence[float]]) -> Self:
        """The scale of the front of `costs`; a cost in which all of the front are equal runs to the worst of all points."""
        front = [point for point, stands in zip(costs, pareto_front(costs), strict=True) if stands]
        ideal, nadir = [min(axis) for axis in zip(*front, strict=True)], [max(axis) for axis in zip(*front, strict=True)]
        worst = [max(axis) for axis in zip(*costs, strict=True)]
        return cls(tuple(ideal), tuple(high if high > low else last for low, high, last in zip(ideal, nadir, worst, strict=True)))

    def of_range(self, point: Sequence[float]) -> list[float]:
        """Each cost as a share of its range: above 1 where it is worse than all of the front; 0 where there is no range."""
        # Halves, since the range of finite numbers can be infinite.
        return [
            (cost / 2 - low / 2) / (high / 2 - low / 2) if high / 2 > low / 2 else 0.0
            for cost, low, high in zip(point, self.ideal, self.nadir, strict=True)
        ]
