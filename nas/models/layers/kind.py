"""What a layer is: its options, the shapes it takes and gives, what it costs, and the torch module that it becomes."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from timm.layers import make_divisible
from torch import nn

from nas.benchmark import Features, Image, Modalities, NextTokens, Query, Sequence, Shape, Tokens

Activation = Literal["relu", "leaky_relu", "gelu", "silu", "hard_swish"]
"""Names as in timm's `create_act_layer`."""


@dataclass(frozen=True)
class Cost:
    """What one forward pass of one example costs."""

    params: int = 0
    """Trainable parameters."""
    macs: int = 0
    """Multiply-adds of convolutions, matrix products, attention, recurrent cells and Fourier transforms; see
    `nas.models.counting`."""

    @property
    def flops(self) -> int:
        """Twice `macs`."""
        return 2 * self.macs

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.params + other.params, self.macs + other.macs)


Count = Annotated[int, Field(ge=1, le=65_536)]
"""A number of channels, features or units."""

Stride = Annotated[int, Field(ge=1, le=8)]

Share = Annotated[float, Field(ge=0, lt=1)]
"""A share, such as a dropout rate."""


def odd(kernel: int) -> int:
    """`kernel`, if it is odd; raises ValueError otherwise."""
    if kernel % 2 == 0:
        raise ValueError("must be odd, so that it has a centre")
    return kernel


Kernel = Annotated[int, Field(ge=1, le=31), AfterValidator(odd)]


class LayerKind(BaseModel):
    """A kind of layer; its fields are the options that a space can give it.

    A kind of your own subclasses this, names the shapes it `accepts`, and says what it gives (`output`), what it costs
    (`cost`) and what it is (`build`). Its entry point in `nas.layers` is the name that spaces use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    accepts: ClassVar[tuple[type[Shape], ...]]
    """The shapes that it takes."""
    costless: ClassVar[frozenset[str]] = frozenset()
    """Options that change neither the shape nor the cost, nor whether the layer fits, such as a dropout rate."""
    silent: ClassVar[bool] = False
    """Whether it gives zeros whatever it is given, so that a sum is the same without it."""
    silent_of_silence: ClassVar[bool] = False
    """Whether it gives zeros where it is given zeros, as pooling does."""

    def output(self, given: Shape, wanted: Shape) -> Shape:
        """The shape it gives for one example of shape `given`, in a model that must end in shape `wanted`.

        Raises:
            ModelError: it does not fit `given`; says which rule, the shape seen and what would mend it.
        """
        raise NotImplementedError(f"{type(self).__name__}.output")

    def cost(self, given: Shape, wanted: Shape) -> Cost | None:  # noqa: ARG002 - for those who know
        """Its cost as a formula of options and shapes; None where there is no formula, and the built module is counted."""
        return None

    def plain(self, given: Shape, wanted: Shape) -> "LayerKind | None":  # noqa: ARG002 - for those who know
        """This layer with each option that makes no difference here at its default; None where it passes on what it is given.

        Two layers with equal plain forms are the same network, so that one training serves both.
        """
        return self

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """The torch module: takes a batch of `given`, gives a batch of `output(given, wanted)`.

        `output` has been asked before, so that `given` fits.
        """
        raise NotImplementedError(f"{type(self).__name__}.build")


class TrainingKind(LayerKind):
    """A choice of training that stands among the layers, so that a space can ask it where it applies.

    It is no part of the network, which passes it by at no cost: the benchmark's protocol is handed it. Two candidates that differ
    in it are different, for they are trained otherwise.
    """

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image, Sequence, Tokens, Query, Features, Modalities)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """No option costs anything, whatever it is called."""
        cls.costless = frozenset(cls.model_fields)

    def output(self, given: Shape, wanted: Shape) -> Shape:  # noqa: ARG002 - one signature for all
        """What it is given."""
        return given

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002 - one signature for all
        """Nothing."""
        return Cost()

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002 - one signature for all
        """What passes on what it is given; a network is built without it."""
        return nn.Identity()


def looks_back(wanted: Shape) -> bool:
    """Whether each position may be made of itself and earlier ones alone, because the benchmark wants the next token."""
    return isinstance(wanted, NextTokens)


def channels(shape: Shape) -> int:
    """How many numbers stand at each pixel or position of `shape`, or in the vector that it is; it is not of tokens."""
    if isinstance(shape, Features):
        return shape.count
    assert isinstance(shape, Image | Sequence)  # noqa: S101 - who asks has refused tokens
    return shape.channels


def strided(length: int, kernel: int, stride: int) -> int:
    """What a convolution makes of `length` when it is padded to keep its length at stride 1 (timm's `get_padding`)."""
    padding = (stride - 1 + kernel - 1) // 2
    return (length + 2 * padding - kernel) // stride + 1


def divisible(width: float, *, round_limit: float = 0.9) -> int:
    """`width` rounded to a multiple of 8, by no more than to the share `round_limit` down, as timm rounds widths."""
    return int(make_divisible(width, 8, round_limit=round_limit))  # type: ignore[no-untyped-call]
