"""Layers that stand anywhere: they treat every pixel of a picture, position of a sequence or vector alike, and keep its size.

Axes: N examples, L positions, C channels.
"""

from collections import OrderedDict
from math import prod
from typing import ClassVar, Literal

import torch
from timm.layers import LayerNorm2d, create_act_layer
from torch import Tensor, nn

from nas.benchmark import Features, Image, Sequence, Shape
from nas.errors import ModelError
from nas.models.layers.kind import Activation, Cost, Count, LayerKind, Share, channels, looks_back


class _Anywhere(LayerKind):
    """Shared by the layers below: the shape stays, and nothing counts."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image, Sequence, Features)

    def output(self, given: Shape, wanted: Shape) -> Shape:  # noqa: ARG002 - for those whom it matters
        """The shape that it is given."""
        return given

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """Nothing that counts."""
        return Cost()


class Norm(_Anywhere):
    """Bring channels to mean 0 and variance 1, then scale and move each by what is learned.

    `batch` takes mean and variance of each channel over examples and pixels or positions (Ioffe & Szegedy 2015,
    arXiv:1502.03167, alg. 1), `layer` over the channels of each pixel or position by itself (Ba et al. 2016, arXiv:1607.06450,
    eq. 3; for pictures as in Liu et al. 2022, arXiv:2201.03545), `group` over those of a group and over the whole picture or
    sequence (Wu & He 2018, arXiv:1803.08494, eq. 3).
    """

    kind: Literal["batch", "layer", "group"] = "batch"
    groups: Count = 8
    """Of `group`; must divide the channels."""

    def output(self, given: Shape, wanted: Shape) -> Shape:
        """The shape that it is given.

        Raises:
            ModelError: the groups do not divide the channels, are single numbers, which would all become 0, or would let
                positions see later ones where none may.
        """
        if self.kind == "group":
            if channels(given) % self.groups:
                raise ModelError(f"groups must divide the channels that come in ({channels(given)}), got {self.groups}.")
            if prod(given.axes) == self.groups:
                raise ModelError(
                    f"a group has several numbers to normalise, got {self.groups} groups of {given}; have fewer groups."
                )
            if looks_back(wanted) and isinstance(given, Sequence):
                raise ModelError(f"{wanted} is wanted, but group normalisation sees what comes later; normalise by 'layer'.")
        return given

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """A scale and a shift for each channel."""
        return Cost(params=2 * channels(given))

    def plain(self, given: Shape, wanted: Shape) -> LayerKind:  # noqa: ARG002
        """Without the groups of what has none."""
        return self if self.kind == "group" else self.model_copy(update={"groups": 8})

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """torch's normalisation; timm's LayerNorm2d for pictures."""
        width = channels(given)
        if self.kind == "layer":
            return LayerNorm2d(width) if isinstance(given, Image) else nn.LayerNorm(width)
        if self.kind == "batch" and isinstance(given, Image):
            return nn.BatchNorm2d(width)
        norm = nn.BatchNorm1d(width) if self.kind == "batch" else nn.GroupNorm(self.groups, width)
        return ChannelsFirst(norm) if isinstance(given, Sequence) else norm


class Activate(_Anywhere):
    """A function of every number by itself."""

    costless: ClassVar[frozenset[str]] = frozenset({"kind"})

    kind: Literal[Activation, "sigmoid", "tanh"] = "relu"
    """`sigmoid` makes a gate of a branch that is merged by `multiply`."""

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """timm's activation, which leaves what comes in as it is, since that may go elsewhere too."""
        activation: nn.Module = create_act_layer(self.kind, inplace=False)
        return activation


class Dropout(_Anywhere):
    """In training, every number becomes 0 at `rate`, and the others grow to match (Srivastava et al. 2014, JMLR 15, sec. 4)."""

    costless: ClassVar[frozenset[str]] = frozenset({"rate"})

    rate: Share = 0.2

    def plain(self, given: Shape, wanted: Shape) -> LayerKind | None:  # noqa: ARG002
        """Nothing at rate 0."""
        return self if self.rate else None

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """torch's Dropout."""
        return nn.Dropout(self.rate)


class Identity(_Anywhere):
    """What comes in."""

    def plain(self, given: Shape, wanted: Shape) -> None:  # noqa: ARG002
        """Nothing."""
        return

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """torch's Identity."""
        return nn.Identity()


class Zero(_Anywhere):
    """Zeros in the shape of what comes in, so that an edge of a cell is none."""

    silent: ClassVar[bool] = True

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """Nothing that comes before it learns by way of it."""
        return Zeros()


class Linear(LayerKind):
    """A linear layer, on a vector or at each position of a sequence by itself."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Sequence, Features)
    costless: ClassVar[frozenset[str]] = frozenset({"activation"})

    features: Count
    """Numbers that come out."""
    bias: bool = True
    activation: Literal[Activation, "none"] = "none"
    """After it."""

    def output(self, given: Shape, wanted: Shape) -> Shape:  # noqa: ARG002
        """`features` numbers, at as many positions as come in."""
        return Sequence(given.length, self.features) if isinstance(given, Sequence) else Features(self.features)

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """A weight for each pair of numbers, used once a position, and the biases."""
        weights = channels(given) * self.features
        times = given.length if isinstance(given, Sequence) else 1
        return Cost(params=weights + (self.features if self.bias else 0), macs=weights * times)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """torch's Linear, then timm's activation."""
        linear = nn.Linear(channels(given), self.features, bias=self.bias)
        if self.activation == "none":
            return linear
        return nn.Sequential(OrderedDict(linear=linear, act=create_act_layer(self.activation, inplace=True)))


class ChannelsFirst(nn.Module):
    """`inner`, which wants (N, C, L), for sequences."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L, C)."""
        outputs_NCL: Tensor = self.inner(inputs_NLC.transpose(1, 2))
        return outputs_NCL.transpose(1, 2)


class Zeros(nn.Module):
    """Zeros in the shape of what comes in."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Any shape → zeros of that shape."""
        return torch.zeros_like(inputs)
