"""What a layer is: its options, the shapes it takes and gives, and the torch module that it becomes."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from torch import nn

from nas.benchmark import Shape

Activation = Literal["relu", "leaky_relu", "gelu", "silu", "hard_swish"]
"""Names as in timm's `create_act_layer`."""

Count = Annotated[int, Field(ge=1, le=65_536)]
"""A number of channels, features or units."""

Stride = Annotated[int, Field(ge=1, le=8)]

Share = Annotated[float, Field(ge=0, lt=1)]
"""A share, such as a dropout rate."""


def _odd(kernel: int) -> int:
    if kernel % 2 == 0:
        raise ValueError("a kernel is odd, so that it has a centre")
    return kernel


Kernel = Annotated[int, Field(ge=1, le=31), AfterValidator(_odd)]


class LayerKind(BaseModel):
    """A kind of layer; its fields are the options that a space can give it.

    A kind of your own subclasses this, names the shapes it `accepts`, and says what it gives (`output`) and what it is
    (`build`). Its entry point in `nas.layers` is the name that spaces use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    accepts: ClassVar[tuple[type[Shape], ...]]
    """The shapes that it takes."""

    def output(self, given: Shape, wanted: Shape) -> Shape:
        """The shape it gives for one example of shape `given`, in a model that must end in shape `wanted`."""
        raise NotImplementedError(f"{type(self).__name__}.output")

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """The torch module: takes a batch of `given`, gives a batch of `output(given, wanted)`."""
        raise NotImplementedError(f"{type(self).__name__}.build")


def strided(length: int, kernel: int, stride: int) -> int:
    """What a convolution makes of `length` when it is padded to keep its length at stride 1 (timm's `get_padding`)."""
    padding = (stride - 1 + kernel - 1) // 2
    return (length + 2 * padding - kernel) // stride + 1
