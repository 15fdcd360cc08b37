"""The end of a network: from what the last layer gives to what the benchmark wants."""

from collections import OrderedDict
from typing import ClassVar, Literal

from timm.layers import SelectAdaptivePool2d
from torch import Tensor, nn

from nas.benchmark import Features, Image, Sequence, Shape
from nas.errors import ModelError
from nas.models.layers.kind import Cost, LayerKind, Share, channels


class Head(LayerKind):
    """Give what the benchmark wants by one linear layer.

    Where it wants one vector for each example (the logits of a classifier, the numbers of a regression), a picture is pooled
    over its pixels and a sequence over its positions. Where it wants one for each position (a tagger, a language model), the
    linear layer is applied at each position.
    """

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image, Sequence, Features)
    costless: ClassVar[frozenset[str]] = frozenset({"dropout"})

    pool: Literal["average", "max", "first", "last"] = "average"
    """How pixels or positions become one vector; `first` and `last` take that position of a sequence. Features need none."""
    dropout: Share = 0.0

    def output(self, given: Shape, wanted: Shape) -> Shape:
        """What the benchmark wants.

        Raises:
            ModelError: a picture is wanted, or a vector for each position and there are not as many, or a picture has no `first`.
        """
        if isinstance(wanted, Image):
            raise ModelError(f"{wanted} is wanted, and a head gives a vector; end in an `image_head`.")
        if isinstance(wanted, Sequence):
            if not isinstance(given, Sequence) or given.length != wanted.length:
                raise ModelError(
                    f"{wanted} is wanted, so that a sequence of {wanted.length} positions must come in, got {given}; "
                    "leave out what shortens the sequence."
                )
        elif isinstance(given, Image) and self.pool not in {"average", "max"}:
            raise ModelError(f"a picture has no {self.pool!r} position; pool it by 'average' or 'max'.")
        return wanted

    def plain(self, given: Shape, wanted: Shape) -> LayerKind:
        """Without the pooling of what is not pooled."""
        pools = not isinstance(given, Features) and not isinstance(wanted, Sequence)
        return self if pools else self.model_copy(update={"pool": "average"})

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """Of the linear layer, at each position where that is wanted."""
        inward, outward = channels(given), channels(wanted)
        times = wanted.length if isinstance(wanted, Sequence) else 1
        return Cost(params=(inward + 1) * outward, macs=inward * outward * times)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """Pooling (timm's SelectAdaptivePool2d for pictures), dropout, a linear layer."""
        steps: OrderedDict[str, nn.Module] = OrderedDict()
        if isinstance(given, Image | Sequence) and not isinstance(wanted, Sequence):
            steps["pool"] = pooled(given, self.pool)
        if self.dropout:
            steps["dropout"] = nn.Dropout(self.dropout)
        steps["linear"] = nn.Linear(channels(given), channels(wanted))
        return nn.Sequential(steps)


def pooled(given: Image | Sequence, kind: str) -> nn.Module:
    """What makes one vector of a picture's pixels (timm's SelectAdaptivePool2d) or a sequence's positions."""
    if isinstance(given, Image):
        return SelectAdaptivePool2d(pool_type={"average": "avg", "max": "max"}[kind], flatten=True)
    return PoolPositions(kind)


class PoolPositions(nn.Module):
    """One vector of a sequence: the mean or largest over its positions, or the one at its first or last."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, C)."""
        if self.kind == "average":
            return inputs_NLC.mean(dim=1)
        if self.kind == "max":
            return inputs_NLC.amax(dim=1)
        return inputs_NLC[:, 0 if self.kind == "first" else -1]

    def extra_repr(self) -> str:
        """How it pools."""
        return self.kind
