"""The hypervolume of a front: how much of the space of objectives it dominates, up to a reference point (Zitzler & Thiele 1999,
doi:10.1109/4235.797969), computed exactly by moocore.

Two hypervolumes compare only where they have one reference point. Without one of the user's, it lies beyond the nadir, the worst
that the front has in each objective, by a tenth of the front's range there, so that the ends of the front count as well (as
Ishibuchi et al. 2018, doi:10.1162/evco_a_00226, advise for few points); where that range is 0, by a tenth of the value, or by 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, prod

from nas.benchmark import Objective
from nas.errors import LedgerError, quote
from nas.ranking.pareto import pareto_front

BEYOND = 0.1
"""Of the front's range, how far the reference point lies beyond the nadir."""


@dataclass(frozen=True, kw_only=True)
class Hypervolume:
    """How much a front dominates, and up to where."""

    value: float
    """In the product of the objectives' units; 0 where no point is better than the reference in every objective."""
    share: float
    """`value` as a share of the box between the reference and the ideal, the best in each objective; 0 where there is no box."""
    reference: Mapping[str, float]
    """Figure → its value at the reference point."""


def hypervolume(
    rows: Sequence[Mapping[str, float]], objectives: Sequence[Objective], reference: Mapping[str, float] | None = None
) -> Hypervolume:
    """The hypervolume of the front of `rows`, each of which has all objectives, up to `reference` or one beyond the nadir.

    Exact; of more than five objectives and hundreds of points it takes seconds and more.

    Raises:
        LedgerError: there is no row, or `reference` is not one number for each objective.
    """
    if not rows:
        raise LedgerError("A hypervolume is of at least one complete trial, got none.")
    costs = [[objective.cost(row[objective.figure]) for objective in objectives] for row in rows]
    front = [own for own, stands in zip(costs, pareto_front(costs), strict=True) if stands]
    best, worst = [min(axis) for axis in zip(*front, strict=True)], [max(axis) for axis in zip(*front, strict=True)]
    if reference is None:
        bound = [high + BEYOND * ((high - low) or abs(high) or 1 / BEYOND) for low, high in zip(best, worst, strict=True)]
    else:
        bound = _bound(reference, objectives)
    from moocore import hypervolume as exact  # loads numpy

    value = float(exact(front, ref=bound))
    box = prod(max(0.0, high - low) for low, high in zip(best, bound, strict=True))
    given = {objective.figure: objective.cost(cost) for objective, cost in zip(objectives, bound, strict=True)}
    return Hypervolume(value=value, share=value / box if box else 0.0, reference=given)


def _bound(reference: Mapping[str, float], objectives: Sequence[Objective]) -> list[float]:
    names = [objective.figure for objective in objectives]
    numbers = all(isinstance(value, int | float) and isfinite(value) for value in reference.values())
    if reference.keys() != {*names} or not numbers:
        raise LedgerError(
            f"A reference point has a number for each of {', '.join(names)} and no other, got {quote(dict(reference))}."
        )
    return [objective.cost(reference[objective.figure]) for objective in objectives]
