"""Convolution blocks on images, with batch normalisation, on timm's modules where timm has them.

Axes: N examples, C channels, H height, W width.
"""

from collections import OrderedDict
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from timm.layers import ConvNormAct, SqueezeExcite, create_act_layer, create_conv2d, get_act_layer
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

    def output(self, given: Shape, wanted: Shape) -> Image:  # noqa: ARG002 - the same for every layer
        """The picture, padded so that stride 1 keeps its size."""
        assert isinstance(given, Image)  # noqa: S101 - the planner has checked `accepts`
        height, width = (strided(length, self.reach, self.stride) for length in (given.height, given.width))
        return Image(self.features, height, width)

    @property
    def reach(self) -> int:
        """Height and width of what one pixel is made of."""
        return self.kernel


class Conv(_ImageToImage):
    """Convolution, batch normalisation, activation; or the activation first."""

    costless: ClassVar[frozenset[str]] = frozenset({"activation"})

    activation: Literal[Activation, "none"] = "relu"
    groups: Count = 1
    """Groups of channels that do not see each other; must divide the channels on both sides."""
    dilation: Annotated[int, Field(ge=1, le=16)] = 1
    """Distance of the pixels that a kernel looks at (Yu & Koltun 2016, arXiv:1511.07122, eq. 2)."""
    norm: Literal["batch", "none"] = "batch"
    bias: bool | None = None
    """Whether the convolution adds a number to each channel; None for where no normalisation follows, which would take it
    away again."""
    order: Literal["conv_first", "activation_first"] = "conv_first"
    """`activation_first` is activation, convolution, normalisation, so that sums of what comes out lose no sign (Dong & Yang
    2020, arXiv:2001.00326, sec. 2.1)."""

    @model_validator(mode="after")
    def _groups_divide(self) -> Self:
        if self.features % self.groups:
            raise ValueError(f"groups must divide features ({self.features}), got {self.groups}")
        return self

    @property
    def reach(self) -> int:
        """Height and width of what one pixel is made of, gaps and all."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def biased(self) -> bool:
        """Whether the convolution has a bias."""
        return self.norm == "none" if self.bias is None else self.bias

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
        """kernel² · channels / groups · features weights, each used once a pixel that comes out; and normalisation or bias."""
        assert isinstance(given, Image)  # noqa: S101
        gives = self.output(given, wanted)
        weights = self.kernel**2 * (given.channels // self.groups) * self.features
        each = (2 if self.norm == "batch" else 0) + (1 if self.biased else 0)
        return Cost(params=weights + each * self.features, macs=weights * gives.height * gives.width)

    def plain(self, given: Shape, wanted: Shape) -> LayerKind:  # noqa: ARG002
        """Without the dilation of a single pixel, the place of no activation, and a bias that is as it would be anyway."""
        same: dict[str, Any] = {"bias": None} if self.biased == (self.norm == "none") else {}
        if self.kernel == 1:
            same["dilation"] = 1
        if self.activation == "none":
            same["order"] = "conv_first"
        return self.model_copy(update=same)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """timm's ConvNormAct, where that can be: it has no activation without a normalisation, and none before itself."""
        assert isinstance(given, Image)  # noqa: S101
        shape: dict[str, Any] = {
            "kernel_size": self.kernel,
            "stride": self.stride,
            "dilation": self.dilation if self.kernel > 1 else 1,  # else torch goes another way, to other last bits
            "groups": self.groups,
        }
        activates_last = self.activation != "none" and self.order == "conv_first"
        if self.norm == "batch":
            act_layer = get_act_layer(self.activation) if activates_last else None
            block: nn.Module = ConvNormAct(
                given.channels, self.features, **shape, bias=self.biased, apply_act=activates_last, act_layer=act_layer
            )
        else:
            block = create_conv2d(given.channels, self.features, **shape, bias=self.biased)  # type: ignore[no-untyped-call]
        if self.activation == "none" or (activates_last and self.norm == "batch"):
            return block
        # What comes in may go elsewhere too, and is left as it is.
        act = create_act_layer(self.activation, inplace=activates_last)
        return nn.Sequential(OrderedDict(conv=block, act=act) if activates_last else OrderedDict(act=act, conv=block))


class _Block(_ImageToImage):
    """Shared by what has several convolutions."""

    costless: ClassVar[frozenset[str]] = frozenset({"activation"})

    activation: Activation = "relu"


class DepthwiseSeparable(_Block):
    """Filter each channel by itself, then mix channels by 1×1 (Howard et al. 2017, arXiv:1704.04861, fig. 3)."""

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """Of the depthwise convolution and the pointwise one."""
        assert isinstance(given, Image)  # noqa: S101
        gives = self.output(given, wanted)
        depthwise = normed_cost(given.channels, given.channels, self.kernel, gives, groups=given.channels)
        return depthwise + normed_cost(given.channels, self.features, 1, gives)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """Two of timm's ConvNormAct."""
        assert isinstance(given, Image)  # noqa: S101
        channels, act = given.channels, get_act_layer(self.activation)
        depthwise = ConvNormAct(channels, channels, self.kernel, stride=self.stride, groups=channels, act_layer=act)
        pointwise = ConvNormAct(channels, self.features, 1, act_layer=act)
        return nn.Sequential(OrderedDict(depthwise=depthwise, pointwise=pointwise))


class _Beside(_Block):
    """Shared by blocks beside a shortcut, which is the input itself, or a 1×1 convolution where the shape changes."""

    squeeze_excite: Share = 0.0
    """Width of the squeeze as a share of `features`, rounded to a multiple of 8 as timm does; 0 for none."""

    def changes(self, channels: int) -> bool:
        """Whether the shape changes, so that the shortcut is a convolution."""
        return channels != self.features or self.stride != 1

    def rest_cost(self, channels: int, gives: Image) -> Cost:
        """Of the squeeze, and of the shortcut's convolution where there is one."""
        squeeze = squeeze_cost(self.features, self.squeeze_excite) if self.squeeze_excite else Cost()
        return squeeze + (normed_cost(channels, self.features, 1, gives) if self.changes(channels) else Cost())


class Residual(_Beside):
    """Two convolutions beside a shortcut (He et al. 2016, arXiv:1512.03385, fig. 2).

    The shortcut is the input itself, or a 1×1 convolution where the shape changes. Squeeze-and-excitation, where asked,
    stands before the sum (Hu et al. 2018, arXiv:1709.01507, fig. 3).
    """

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """Of both convolutions, the squeeze, and the shortcut's convolution where the shape changes."""
        assert isinstance(given, Image)  # noqa: S101
        gives = self.output(given, wanted)
        total = normed_cost(given.channels, self.features, self.kernel, gives)
        return total + normed_cost(self.features, self.features, self.kernel, gives) + self.rest_cost(given.channels, gives)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """Two of timm's ConvNormAct beside a shortcut."""
        assert isinstance(given, Image)  # noqa: S101
        act = get_act_layer(self.activation)
        conv1 = ConvNormAct(given.channels, self.features, self.kernel, stride=self.stride, act_layer=act)
        conv2 = ConvNormAct(self.features, self.features, self.kernel, apply_act=False)
        return ResidualBlock(given.channels, self, conv1, conv2)


class Bottleneck(_Beside):
    """Narrow by 1×1, filter, widen by 1×1, beside a shortcut (He et al. 2016, arXiv:1512.03385, fig. 5 right).

    The stride is that of the filter in the middle, as in torchvision and timm, not of the narrowing, as in the paper.
    Shortcut and squeeze-and-excitation are as in `residual`.
    """

    reduction: Count = 4
    """Width inside is `features` divided by this, rounded to a multiple of 8 as timm does."""

    @property
    def inside(self) -> int:
        """Width inside."""
        return divisible(self.features / self.reduction)

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """Of the three convolutions, the squeeze, and the shortcut's convolution where the shape changes."""
        assert isinstance(given, Image)  # noqa: S101
        gives = self.output(given, wanted)
        total = normed_cost(given.channels, self.inside, 1, given)
        total += normed_cost(self.inside, self.inside, self.kernel, gives)
        return total + normed_cost(self.inside, self.features, 1, gives) + self.rest_cost(given.channels, gives)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """Three of timm's ConvNormAct beside a shortcut."""
        assert isinstance(given, Image)  # noqa: S101
        inside, act = self.inside, get_act_layer(self.activation)
        conv1 = ConvNormAct(given.channels, inside, 1, act_layer=act)
        conv2 = ConvNormAct(inside, inside, self.kernel, stride=self.stride, act_layer=act)
        conv3 = ConvNormAct(inside, self.features, 1, apply_act=False)
        return ResidualBlock(given.channels, self, conv1, conv2, conv3)


class ResidualBlock(nn.Module):
    """The module of blocks beside a shortcut: `convolutions` one after the other, then what they share."""

    def __init__(self, channels: int, kind: _Beside, *convolutions: nn.Module) -> None:
        super().__init__()
        self.names = [f"conv{n}" for n in range(1, len(convolutions) + 1)]
        for name, convolution in zip(self.names, convolutions, strict=True):
            self.add_module(name, convolution)
        features, share = kind.features, kind.squeeze_excite
        self.squeeze_excite = SqueezeExcite(features, rd_ratio=share) if share else nn.Identity()
        changes = kind.changes(channels)
        self.shortcut = ConvNormAct(channels, features, 1, stride=kind.stride, apply_act=False) if changes else nn.Identity()
        self.act = create_act_layer(kind.activation, inplace=True)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) → (N, features, H / stride, W / stride)."""
        block = images_NCHW
        for name in self.names:
            block = self.get_submodule(name)(block)
        summed: Tensor = self.act(self.squeeze_excite(block) + self.shortcut(images_NCHW))
        return summed


class InvertedResidual(_Block):
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
