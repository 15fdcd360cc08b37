"""Layers that make a picture smaller, or weigh its channels."""

from math import ceil
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from timm.layers import SqueezeExcite as TimmSqueezeExcite
from torch import nn

from nas.benchmark import Image, Shape
from nas.models.layers.kind import Cost, LayerKind, divisible


def squeeze_cost(channels: int, ratio: float) -> Cost:
    """Of timm's SqueezeExcite on `channels`."""
    squeezed = divisible(channels * ratio, round_limit=0.0)
    macs = 2 * channels * squeezed
    return Cost(params=macs + channels + squeezed, macs=macs)


class Pool(LayerKind):
    """The largest or the mean of each `size` × `size` square; a square at the rim may be cut."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image,)

    kind: Literal["max", "average"] = "max"
    size: Annotated[int, Field(ge=2, le=16)] = 2

    def output(self, given: Shape, wanted: Shape) -> Image:  # noqa: ARG002 - the same for every layer
        """The picture divided by `size`, rounded up."""
        assert isinstance(given, Image)  # noqa: S101 - the builder has checked `accepts`
        return Image(given.channels, ceil(given.height / self.size), ceil(given.width / self.size))

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """Nothing that counts."""
        return Cost()

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """torch's pooling, with the rim kept."""
        if self.kind == "max":
            return nn.MaxPool2d(self.size, ceil_mode=True)
        return nn.AvgPool2d(self.size, ceil_mode=True, count_include_pad=False)


class SqueezeExcite(LayerKind):
    """Weigh each channel by what all of them are like over the whole picture (Hu et al. 2018, arXiv:1709.01507)."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image,)

    ratio: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Width of the squeeze as a share of the channels, rounded to a multiple of 8 as timm does."""

    def output(self, given: Shape, wanted: Shape) -> Shape:  # noqa: ARG002
        """The shape that it is given."""
        return given

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """Two 1×1 convolutions with biases, on one pooled pixel."""
        assert isinstance(given, Image)  # noqa: S101
        return squeeze_cost(given.channels, self.ratio)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """timm's SqueezeExcite."""
        assert isinstance(given, Image)  # noqa: S101
        return TimmSqueezeExcite(given.channels, rd_ratio=self.ratio)
