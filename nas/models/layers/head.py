"""The end of a network: from what the last layer gives to what the benchmark wants."""

from collections import OrderedDict
from typing import ClassVar, Literal

from timm.layers import SelectAdaptivePool2d
from torch import nn

from nas.benchmark import Features, Image, Shape
from nas.models.layers.kind import LayerKind, Share


class Head(LayerKind):
    """Pool over the whole picture, drop out, and give what the benchmark wants by one linear layer."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image, Features)

    pool: Literal["average", "max"] = "average"
    """How the picture is pooled; features need no pooling."""
    dropout: Share = 0.0

    def output(self, given: Shape, wanted: Shape) -> Shape:  # noqa: ARG002 - the same for every layer
        """What the benchmark wants."""
        return wanted

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """timm's SelectAdaptivePool2d, dropout, a linear layer."""
        assert isinstance(wanted, Features)  # noqa: S101 - every signature ends in features
        steps: OrderedDict[str, nn.Module] = OrderedDict()
        if isinstance(given, Image):
            pool = {"average": "avg", "max": "max"}[self.pool]
            steps["pool"] = SelectAdaptivePool2d(pool_type=pool, flatten=True)
        if self.dropout:
            steps["dropout"] = nn.Dropout(self.dropout)
        steps["linear"] = nn.Linear(given.channels if isinstance(given, Image) else given.count, wanted.count)
        return nn.Sequential(steps)
