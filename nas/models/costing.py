"""What networks cost, by their layers' own formulas: no torch module is built, and milliseconds are enough."""

from collections.abc import Hashable, Iterable, Mapping
from typing import cast

from nas.benchmark import Shape, Signature
from nas.errors import ModelError
from nas.models.layers.kind import Cost
from nas.models.planning import Part, is_wanted, kept, merged, place, plan, steps
from nas.models.vocabulary import layer_kind
from nas.space import Architecture, Space, Value


def cost(space: Space, architecture: Architecture, signature: Signature) -> Cost:
    """Parameters and multiply-adds of one example; a layer without a formula is built on the meta device and counted.

    Raises:
        ModelError: a layer does not fit the shape it is given, or the last one does not give what is wanted.
        SpaceError: `architecture` is not one of `space`.
    """
    return total(plan(space, architecture, signature))


def total(parts: Iterable[Part]) -> Cost:
    """What the layers of a plan cost together."""
    return sum((step.placed.cost for step in steps(parts)), Cost())


class CostFold:
    """Shapes and costs along a walk, as `nas.space.Fold` asks for them: the formulas' figures of whole spaces."""

    figures = ("params", "macs", "flops")

    def __init__(self, signature: Signature) -> None:
        self.signature = signature

    def begin(self) -> Hashable:
        """The shape of the input."""
        return self.signature.input

    def layer(self, state: Hashable, kind: str, options: Mapping[str, Value]) -> tuple[Hashable, tuple[float, ...]]:
        """The shape after a layer, and its parameters, multiply-adds and FLOPs.

        Raises:
            ModelError: the layer does not fit.
        """
        placed = place(kind, options, cast(Shape, state), self.signature.output)
        return placed.gives, (placed.cost.params, placed.cost.macs, placed.cost.flops)

    def join(self, given: Hashable, ends: tuple[Hashable, ...], merge: str | None) -> Hashable:
        """The shape after branches, or after a cell, whose edges keep the shape.

        Raises:
            ModelError: the ends do not fit together.
        """
        shapes = cast(tuple[Shape, ...], ends)
        if merge is not None:
            return merged(merge, {str(n): shape for n, shape in enumerate(shapes)})
        return kept(cast(Shape, given), shapes)

    def end(self, state: Hashable) -> None:
        """Refuse a shape that is not wanted.

        Raises:
            ModelError: it is not.
        """
        if not is_wanted(cast(Shape, state), self.signature.output):
            raise ModelError(f"{self.signature.output} is wanted, got {state}; end the space in a `head`.")

    def inert(self, kind: str, option: str) -> bool:
        """Whether the option changes neither shape nor cost, as the layer says."""
        return option in layer_kind(kind).costless
