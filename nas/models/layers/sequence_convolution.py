"""Convolutions and pooling along a sequence.

Everywhere stride 1 keeps the length and stride s divides it, rounded up: what comes out at position i looks at the surroundings
of position i · s. Where the benchmark wants the next token, it looks at that position and those before it (van den Oord et al.
2016, arXiv:1609.03499, fig. 2): the padding stands at the beginning alone. In training, batch normalisation takes its mean and
variance over all positions; once trained, nothing at a position depends on a later one.

Axes: N examples, L positions, C channels.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from pydantic import AfterValidator, Field, model_validator
from timm.layers import create_act_layer
from torch import Tensor, nn

from nas.benchmark import Sequence, Shape
from nas.errors import ModelError
from nas.models.layers.kind import Activation, Cost, Count, LayerKind, looks_back, odd

LongKernel = Annotated[int, Field(ge=1, le=255), AfterValidator(odd)]
"""Long enough for the first layer on a waveform (Dai et al. 2017, arXiv:1610.00087: 80 samples)."""

LongStride = Annotated[int, Field(ge=1, le=64)]

Norm = Literal["batch", "layer", "none"]
"""Over the examples and positions, for each channel; over the channels, for each position; or none, and a bias."""


def filter_cost(channels: int, features: int, kernel: int, length: int, norm: Norm, groups: int = 1) -> Cost:
    """Of a convolution that gives `length` positions, and of the normalisation after it or else the bias."""
    weights = kernel * (channels // groups) * features
    return Cost(params=weights + (1 if norm == "none" else 2) * features, macs=weights * length)


class _Filter(LayerKind):
    """Shared by the blocks below: `features` channels out, the sequence shorter by `stride`."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Sequence,)
    costless: ClassVar[frozenset[str]] = frozenset({"activation"})

    features: Count
    """Channels that come out."""
    kernel: LongKernel = 3
    """Positions that one position is made of."""
    stride: LongStride = 1
    """Step of the first (depthwise) convolution."""
    dilation: Annotated[int, Field(ge=1, le=1_024)] = 1
    """Distance of the positions that a kernel looks at (Yu & Koltun 2016, arXiv:1511.07122, eq. 2)."""
    norm: Norm = "batch"
    activation: Activation = "relu"

    def output(self, given: Shape, wanted: Shape) -> Sequence:  # noqa: ARG002 - the same for every layer
        """The length divided by `stride`, rounded up."""
        assert isinstance(given, Sequence)  # noqa: S101 - the planner has checked `accepts`
        return Sequence(_divided(given.length, self.stride), self.features)

    def plain(self, given: Shape, wanted: Shape) -> LayerKind:  # noqa: ARG002
        """Without the dilation of a kernel of one position."""
        return self.model_copy(update={"dilation": 1}) if self.kernel == 1 else self

    def block(self, channels: int, features: int, wanted: Shape, **others: Any) -> "FilterBlock":
        """One convolution of this kernel from `channels` to `features`, as the options say but for `others`."""
        own = {"stride": self.stride, "dilation": self.dilation, "norm": self.norm, "activation": self.activation}
        return FilterBlock(channels, features, self.kernel, looks_back=looks_back(wanted), **{**own, **others})


class Conv1d(_Filter):
    """Convolution, normalisation, activation."""

    groups: Count = 1
    """Groups of channels that do not see each other; must divide the channels on both sides."""

    @model_validator(mode="after")
    def _groups_divide(self) -> Self:
        if self.features % self.groups:
            raise ValueError(f"groups must divide features ({self.features}), got {self.groups}")
        return self

    def output(self, given: Shape, wanted: Shape) -> Sequence:
        """The length divided by `stride`, rounded up.

        Raises:
            ModelError: `groups` does not divide the channels that come in.
        """
        assert isinstance(given, Sequence)  # noqa: S101
        if given.channels % self.groups:
            raise ModelError(
                f"groups must divide the channels that come in ({given.channels}), got {self.groups}; "
                "put a layer of as many features before it."
            )
        return super().output(given, wanted)

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """kernel · channels / groups · features weights, each used once a position that comes out; and the normalisation."""
        assert isinstance(given, Sequence)  # noqa: S101
        gives = self.output(given, wanted)
        return filter_cost(given.channels, self.features, self.kernel, gives.length, self.norm, self.groups)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """torch's Conv1d, normalisation, timm's activation."""
        assert isinstance(given, Sequence)  # noqa: S101
        return self.block(given.channels, self.features, wanted, groups=self.groups)


class SeparableConv1d(_Filter):
    """Filter each channel by itself, then mix channels by a kernel of 1 (Kaiser et al. 2018, arXiv:1706.03059, sec. 2.1).

    Normalisation and activation stand after both (Howard et al. 2017, arXiv:1704.04861, fig. 3).
    """

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """Of the depthwise convolution and the pointwise one."""
        assert isinstance(given, Sequence)  # noqa: S101
        channels, length = given.channels, self.output(given, wanted).length
        total = filter_cost(channels, channels, self.kernel, length, self.norm, groups=channels)
        return total + filter_cost(channels, self.features, 1, length, self.norm)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """A depthwise convolution and a pointwise one."""
        assert isinstance(given, Sequence)  # noqa: S101
        depthwise = self.block(given.channels, given.channels, wanted, groups=given.channels)
        pointwise = FilterBlock(given.channels, self.features, 1, norm=self.norm, activation=self.activation)
        return nn.Sequential(depthwise, pointwise)


class ResidualConv1d(_Filter):
    """Two convolutions of one kernel and dilation beside a shortcut (Bai et al. 2018, arXiv:1803.01271, fig. 1).

    The shortcut is the input itself, or a convolution of kernel 1 where the shape changes. Unlike there, weights are not
    normalised: `norm` stands after each convolution. There is one more activation after the sum.
    """

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """Of both convolutions, and of the shortcut's where the shape changes."""
        assert isinstance(given, Sequence)  # noqa: S101
        length = self.output(given, wanted).length
        total = filter_cost(given.channels, self.features, self.kernel, length, self.norm)
        total += filter_cost(self.features, self.features, self.kernel, length, self.norm)
        if given.channels != self.features or self.stride != 1:
            total += filter_cost(given.channels, self.features, 1, length, self.norm)
        return total

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """Two convolutions beside a shortcut."""
        assert isinstance(given, Sequence)  # noqa: S101
        return ResidualFilterBlock(given.channels, self, wanted)


class Pool1d(LayerKind):
    """The largest or the mean of `size` positions at every `stride`-th position.

    What would stand outside the sequence is left out of the mean. Windows lie side by side from the beginning where stride and
    size are equal, and in the middle of their step where they overlap; where the benchmark wants the next token, each ends at
    its own position.
    """

    accepts: ClassVar[tuple[type[Shape], ...]] = (Sequence,)
    silent_of_silence: ClassVar[bool] = True

    kind: Literal["max", "average"] = "max"
    size: Annotated[int, Field(ge=1, le=255)] = 2
    stride: LongStride | None = None
    """None for `size`; 1 keeps the length."""

    def output(self, given: Shape, wanted: Shape) -> Sequence:  # noqa: ARG002 - the same for every layer
        """The length divided by the stride, rounded up."""
        assert isinstance(given, Sequence)  # noqa: S101
        return Sequence(_divided(given.length, self._step), given.channels)

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """Nothing that counts."""
        return Cost()

    def plain(self, given: Shape, wanted: Shape) -> LayerKind | None:  # noqa: ARG002
        """With its stride written out; nothing where it is one position at every position."""
        if self.size == 1:
            return None if self._step == 1 else self.model_copy(update={"kind": "max", "stride": self._step})
        return self.model_copy(update={"stride": self._step})

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """torch's pooling after what it lacks: a padding at the beginning that the mean does not see."""
        assert isinstance(given, Sequence)  # noqa: S101
        before = self.size - 1 if looks_back(wanted) else max(0, self.size - self._step) // 2
        return Windows(self.kind, self.size, self._step, given.length, before)

    @property
    def _step(self) -> int:
        return self.size if self.stride is None else self.stride


class FilterBlock(nn.Module):
    """Convolution, normalisation and, where it is not None, activation along a sequence."""

    def __init__(
        self,
        channels: int,
        features: int,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        norm: Norm,
        activation: Activation | None,
        looks_back: bool = False,
    ) -> None:
        super().__init__()
        reach = dilation * (kernel - 1)
        self.pad = nn.ConstantPad1d((reach, 0), 0.0) if looks_back and reach else nn.Identity()
        self.conv = nn.Conv1d(
            channels,
            features,
            kernel,
            stride=stride,
            padding=0 if looks_back else reach // 2,
            dilation=dilation if kernel > 1 else 1,  # else torch goes another way, to other last bits
            groups=groups,
            bias=norm == "none",
        )
        self.norm = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}[norm](features) if norm != "none" else nn.Identity()
        self.act = create_act_layer(activation, inplace=True) if activation is not None else nn.Identity()

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L / stride, features)."""
        outputs_NCL: Tensor = self.conv(self.pad(inputs_NLC.transpose(1, 2)))
        if isinstance(self.norm, nn.LayerNorm):
            outputs_NLC = self.norm(outputs_NCL.transpose(1, 2))
        else:
            outputs_NLC = self.norm(outputs_NCL).transpose(1, 2)
        activated: Tensor = self.act(outputs_NLC)
        return activated


class ResidualFilterBlock(nn.Module):
    """The module of `ResidualConv1d`."""

    def __init__(self, channels: int, kind: ResidualConv1d, wanted: Shape) -> None:
        super().__init__()
        self.conv1 = kind.block(channels, kind.features, wanted)
        self.conv2 = kind.block(kind.features, kind.features, wanted, stride=1, activation=None)
        same = channels == kind.features and kind.stride == 1
        shortcut = FilterBlock(channels, kind.features, 1, stride=kind.stride, norm=kind.norm, activation=None)
        self.shortcut = nn.Identity() if same else shortcut
        self.act = create_act_layer(kind.activation, inplace=True)

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L / stride, features)."""
        summed: Tensor = self.act(self.conv2(self.conv1(inputs_NLC)) + self.shortcut(inputs_NLC))
        return summed


class Windows(nn.Module):
    """The module of `Pool1d`, for sequences of `length` positions, the first window beginning `before` the first of them."""

    def __init__(self, kind: str, size: int, stride: int, length: int, before: int) -> None:
        super().__init__()
        after = (
            (_divided(length, stride) - 1) * stride + size - before - length
        )  # below 0 where the last positions are in no window
        self.pad = nn.ConstantPad1d((before, after), -torch.inf if kind == "max" else 0.0)
        self.pool = nn.MaxPool1d(size, stride) if kind == "max" else nn.AvgPool1d(size, stride)
        first = torch.arange(_divided(length, stride)) * stride - before
        there = (first + size).clamp(max=length) - first.clamp(min=0)
        self.weight: Tensor | None
        self.register_buffer("weight", size / there if kind == "average" else None, persistent=False)

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L / stride, C)."""
        pooled_NCL: Tensor = self.pool(self.pad(inputs_NLC.transpose(1, 2)))
        if self.weight is not None:
            pooled_NCL = pooled_NCL * self.weight
        return pooled_NCL.transpose(1, 2)


def _divided(length: int, stride: int) -> int:
    return (length - 1) // stride + 1
