"""Convolution blocks on images, with batch normalisation, on timm's modules where timm has them.

Axes: N examples, C channels, H height, W width.
"""

from functools import partial
from typing import Any, ClassVar, Self

from pydantic import model_validator
from timm.layers import ConvNormAct, SqueezeExcite, create_act_layer, get_act_layer
from timm.models._efficientnet_blocks import DepthwiseSeparableConv
from timm.models._efficientnet_blocks import InvertedResidual as TimmInvertedResidual
from torch import Tensor, nn

from nas.benchmark import Image, Shape
from nas.errors import ModelError
from nas.models.layers.kind import Activation, Cost, Count, Kernel, LayerKind, Share, Stride, divisible, strided
from nas.models.layers.pooling import squeeze_cost


def normed_cost(channels: int, features: int, kernel: int, gives: Image, groups: int = 1) -> Cost:
    """Of a convolution without bias and the normalisation after it, whose output is `gives` in size."""
    weights = kernel**2 * (channels // groups) * features
    return Cost(params=weights + 2 * features, macs=weights * gives.height * gives.width)


class _ImageToImage(LayerKind):
    """Shared by the blocks below: `features` channels out, the picture smaller by `stride`."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image,)

    features: Count
    """Channels that come out."""
    kernel: Kernel = 3
    """Height and width of the (depthwise) convolution."""
    stride: Stride = 1
    """Step of the first (depthwise) convolution; 2 halves the picture, rounded up."""
    activation: Activation = "relu"

    def output(self, given: Shape, wanted: Shape) -> Image:  # noqa: ARG002 - the same for every layer
        """The picture, padded so that stride 1 keeps its size."""
        assert isinstance(given, Image)  # noqa: S101 - the builder has checked `accepts`
        height, width = (strided(length, self.kernel, self.stride) for length in (given.height, given.width))
        return Image(self.features, height, width)


class Conv(_ImageToImage):
    """Convolution, batch normalisation, activation."""

    groups: Count = 1
    """Groups of channels that do not see each other; must divide the channels on both sides."""

    @model_validator(mode="after")
    def _groups_divide(self) -> Self:
        if self.features % self.groups:
            raise ValueError(f"groups must divide features ({self.features}), got {self.groups}")
        return self

    def output(self, given: Shape, wanted: Shape) -> Image:
        """The picture, padded so that stride 1 keeps its size.

        Raises:
            ModelError: `groups` does not divide the channels that come in.
        """
        assert isinstance(given, Image)  # noqa: S101
        if given.channels % self.groups:
            raise ModelError(f"groups must divide the channels that come in ({given.channels}), got {self.groups}.")
        return super().output(given, wanted)

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """kernel² · channels / groups · features weights, each used once a pixel that comes out; and the normalisation."""
        assert isinstance(given, Image)  # noqa: S101
        return normed_cost(given.channels, self.features, self.kernel, self.output(given, wanted), self.groups)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """timm's ConvNormAct."""
        assert isinstance(given, Image)  # noqa: S101
        return ConvNormAct(
            given.channels,
            self.features,
            kernel_size=self.kernel,
            stride=self.stride,
            groups=self.groups,
            act_layer=get_act_layer(self.activation),
        )


class Residual(_ImageToImage):
    """Two convolutions beside a shortcut (He et al. 2016, arXiv:1512.03385, fig. 2).

    The shortcut is the input itself, or a 1×1 convolution where the shape changes. Squeeze-and-excitation, where asked,
    stands before the sum (Hu et al. 2018, arXiv:1709.01507, fig. 3).
    """

    squeeze_excite: Share = 0.0
    """Width of the squeeze as a share of `features`, rounded to a multiple of 8 as timm does; 0 for none."""

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """Of both convolutions, the squeeze, and the shortcut's convolution where the shape changes."""
        assert isinstance(given, Image)  # noqa: S101
        gives = self.output(given, wanted)
        total = normed_cost(given.channels, self.features, self.kernel, gives)
        total += normed_cost(self.features, self.features, self.kernel, gives)
        if self.squeeze_excite:
            total += squeeze_cost(self.features, self.squeeze_excite)
        if given.channels != self.features or self.stride != 1:
            total += normed_cost(given.channels, self.features, 1, gives)
        return total

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """Two of timm's ConvNormAct beside a shortcut."""
        assert isinstance(given, Image)  # noqa: S101
        return ResidualBlock(given.channels, self)


class ResidualBlock(nn.Module):
    """The module of `Residual`."""

    def __init__(self, channels: int, kind: Residual) -> None:
        super().__init__()
        act = get_act_layer(kind.activation)
        self.conv1 = ConvNormAct(channels, kind.features, kind.kernel, stride=kind.stride, act_layer=act)
        self.conv2 = ConvNormAct(kind.features, kind.features, kind.kernel, apply_act=False)
        self.squeeze_excite = SqueezeExcite(kind.features, rd_ratio=kind.squeeze_excite) if kind.squeeze_excite else nn.Identity()
        same = channels == kind.features and kind.stride == 1
        self.shortcut = nn.Identity() if same else ConvNormAct(channels, kind.features, 1, stride=kind.stride, apply_act=False)
        self.act = create_act_layer(kind.activation, inplace=True)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) → (N, features, H / stride, W / stride)."""
        block = self.squeeze_excite(self.conv2(self.conv1(images_NCHW)))
        summed: Tensor = self.act(block + self.shortcut(images_NCHW))
        return summed


class InvertedResidual(_ImageToImage):
    """Widen by 1×1, filter depthwise, narrow by 1×1 (Sandler et al. 2018, arXiv:1801.04381, fig. 3; timm's module).

    The input is added where the shape stays. With expansion 1 the widening is left out (MobileNetV2's first block).
    """

    expansion: Count = 4
    """Width inside, as a multiple of the channels that come in, rounded to a multiple of 8 as timm does."""
    squeeze_excite: Share = 0.0
    """Width of the squeeze as a share of the width inside, rounded to a multiple of 8 as timm does; 0 for none."""

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """Of the widening, where there is one, the depthwise convolution, the squeeze and the narrowing."""
        assert isinstance(given, Image)  # noqa: S101
        gives = self.output(given, wanted)
        inside = given.channels if self.expansion == 1 else divisible(given.channels * float(self.expansion))
        total = normed_cost(inside, inside, self.kernel, gives, groups=inside)
        total += normed_cost(inside, self.features, 1, gives)
        if self.expansion != 1:
            total += normed_cost(given.channels, inside, 1, given)
        if self.squeeze_excite:
            total += squeeze_cost(inside, self.squeeze_excite)
        return total

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """timm's InvertedResidual, or DepthwiseSeparableConv at expansion 1."""
        assert isinstance(given, Image)  # noqa: S101
        # timm asks for a class and calls it; what is called with the width is enough.
        se_layer: Any = partial(SqueezeExcite, rd_ratio=self.squeeze_excite) if self.squeeze_excite else None
        act_layer = get_act_layer(self.activation)
        if self.expansion == 1:
            return DepthwiseSeparableConv(
                given.channels,
                self.features,
                dw_kernel_size=self.kernel,
                stride=self.stride,
                act_layer=act_layer,
                se_layer=se_layer,
            )
        return TimmInvertedResidual(
            given.channels,
            self.features,
            dw_kernel_size=self.kernel,
            stride=self.stride,
            exp_ratio=float(self.expansion),
            act_layer=act_layer,
            se_layer=se_layer,
        )
