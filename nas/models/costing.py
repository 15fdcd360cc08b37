"""What a network costs, by its layers' own formulas: no torch module is built, and milliseconds are enough."""

from collections.abc import Iterable

from nas.benchmark import Signature
from nas.models.layers.kind import Cost
from nas.models.planning import Fork, Part, Step, plan
from nas.space import Architecture, Space


def cost(space: Space, architecture: Architecture, signature: Signature) -> Cost | None:
    """Parameters and multiply-adds of one example; None where a layer has no formula.

    Raises:
        ModelError: a layer does not fit the shape it is given, or the last one does not give what is wanted.
        SpaceError: `architecture` is not one of `space`.
    """
    return _total(plan(space, architecture, signature))


def _total(parts: Iterable[Part]) -> Cost | None:
    total = Cost()
    for part in parts:
        if isinstance(part, Step):
            costs = [part.placed.cost]
        else:
            costs = [_total(inside) for inside in (part.branches if isinstance(part, Fork) else part.edges).values()]
        for one in costs:
            if one is None:
                return None
            total = total + one
    return total
