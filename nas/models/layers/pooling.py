"""Layers that make a picture smaller, or one vector, and that weigh its channels."""

from math import ceil
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator
from timm.layers import SqueezeExcite as TimmSqueezeExcite
from torch import nn

from nas.benchmark import Features, Image, Sequence, Shape
from nas.models.layers.head import pooled
from nas.models.layers.kind import Cost, LayerKind, divisible


def squeeze_cost(channels: int, ratio: float) -> Cost:
    """Of timm's SqueezeExcite on `channels`."""
    squeezed = divisible(channels * ratio, round_limit=0.0)
    macs = 2 * channels * squeezed
    return Cost(params=macs + channels + squeezed, macs=macs)


class Pool(LayerKind):
    """The largest or the mean of each `size` × `size` square, of those of its pixels that are in the picture.

    Squares lie side by side or apart from the top left corner on, and those at the rim may be cut. Squares that overlap, as
    their stride is less than their size, lie around the pixel in their middle.
    """

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image,)
    silent_of_silence: ClassVar[bool] = True
    costless: ClassVar[frozenset[str]] = frozenset({"kind"})

    kind: Literal["max", "average"] = "max"
    size: Annotated[int, Field(ge=2, le=16)] = 2
    """Height and width of a square; odd where squares overlap."""
    stride: Annotated[int, Field(ge=1, le=16)] | None = None
    """From one square to the next; 1 keeps the size of the picture. None for `size`."""

    @model_validator(mode="after")
    def _overlapping_squares_have_a_middle(self) -> Self:
        if self.step < self.size and self.size % 2 == 0:
            raise ValueError(
                f"size must be odd, so that it has a centre, where the stride ({self.step}) is less, got {self.size}"
            )
        return self

    @property
    def step(self) -> int:
        """From one square to the next."""
        return self.size if self.stride is None else self.stride

    def output(self, given: Shape, wanted: Shape) -> Image:  # noqa: ARG002 - the same for every layer
        """The picture divided by the stride, rounded up."""
        assert isinstance(given, Image)  # noqa: S101 - the planner has checked `accepts`
        return Image(given.channels, ceil(given.height / self.step), ceil(given.width / self.step))

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """Nothing that counts."""
        return Cost()

    def plain(self, given: Shape, wanted: Shape) -> LayerKind:  # noqa: ARG002
        """Without a stride that is as it would be anyway."""
        return self.model_copy(update={"stride": None}) if self.step == self.size else self

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """torch's pooling, with the rim kept."""
        overlap = self.step < self.size
        padding = self.size // 2 if overlap else 0
        if self.kind == "max":
            return nn.MaxPool2d(self.size, self.step, padding, ceil_mode=not overlap)
        return nn.AvgPool2d(self.size, self.step, padding, ceil_mode=not overlap, count_include_pad=False)


class GlobalPool(LayerKind):
    """The largest or the mean of each channel over a whole picture or sequence."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image, Sequence)

    kind: Literal["average", "max"] = "average"

    def output(self, given: Shape, wanted: Shape) -> Features:  # noqa: ARG002
        """As many features as channels."""
        assert isinstance(given, Image | Sequence)  # noqa: S101
        return Features(given.channels)

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """Nothing that counts."""
        return Cost()

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """What a head pools by."""
        assert isinstance(given, Image | Sequence)  # noqa: S101
        return pooled(given, self.kind)


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
