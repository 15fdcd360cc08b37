"""From a vector to a picture: the layers of a generator.

Axes: N examples, F features, C channels, H height, W width.
"""

from collections import OrderedDict
from math import ceil, prod
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from timm.layers import create_act_layer
from torch import Tensor, nn

from nas.benchmark import Features, Image, Shape
from nas.errors import ModelError
from nas.models.layers.kind import Activation, Cost, Count, Kernel, LayerKind

Way = Literal["transposed", "nearest", "pixel_shuffle"]
"""How a picture becomes larger.

`transposed`: a convolution the other way round, whose stride is between what comes out (Radford et al. 2016, arXiv:1511.06434).
`nearest`: pixels are repeated, then convolved, which leaves no chequered pattern (Odena et al. 2016, distill.pub, doi
10.23915/distill.00003). `pixel_shuffle`: a convolution makes factor² times the channels, which become pixels (Shi et al. 2016,
arXiv:1609.05158, eq. 4).
"""

Norm = Literal["batch", "none"]


class ProjectToImage(LayerKind):
    """Make a small picture of a vector by a linear layer, then normalise and activate it (Radford et al. 2016, fig. 1)."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Features,)
    costless: ClassVar[frozenset[str]] = frozenset({"activation"})

    features: Count
    """Channels of the picture."""
    halvings: Annotated[int, Field(ge=0, le=8)] = 2
    """How often the picture that is wanted is halved, rounded up, to give the size of this one."""
    norm: Norm = "batch"
    activation: Literal[Activation, "none"] = "relu"

    def output(self, given: Shape, wanted: Shape) -> Image:  # noqa: ARG002 - one signature for all
        """A picture of `features` channels.

        Raises:
            ModelError: no picture is wanted.
        """
        if not isinstance(wanted, Image):
            raise ModelError(f"it begins a picture, and {wanted} is wanted; take a `linear` layer.")
        return Image(self.features, *(ceil(length / 2**self.halvings) for length in (wanted.height, wanted.width)))

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """A weight for each pair of numbers; a bias for each number that comes out, or a scale and a shift a channel."""
        assert isinstance(given, Features)  # noqa: S101 - the planner has checked `accepts`
        numbers = prod(self.output(given, wanted).axes)
        return Cost(given.count * numbers + (2 * self.features if self.norm == "batch" else numbers), given.count * numbers)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """Linear layer, reshaping, normalisation, activation."""
        assert isinstance(given, Features)  # noqa: S101
        gives = self.output(given, wanted)
        steps: OrderedDict[str, nn.Module] = OrderedDict()
        steps["linear"] = nn.Linear(given.count, prod(gives.axes), bias=self.norm == "none")
        steps["reshape"] = nn.Unflatten(1, gives.axes)
        return nn.Sequential(steps | _ended(self.features, self.norm, self.activation))


class UpSample(LayerKind):
    """Double a picture, normalise and activate it; a picture of the size that is wanted keeps it.

    Sizes on the way are those that the wanted one goes through where it is halved and rounded up: 4, 7, 14, 28.
    """

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image,)
    costless: ClassVar[frozenset[str]] = frozenset({"activation"})

    features: Count
    """Channels that come out."""
    way: Way = "transposed"
    kernel: Kernel = 3
    norm: Norm = "batch"
    activation: Literal[Activation, "none"] = "relu"

    def output(self, given: Shape, wanted: Shape) -> Image:
        """The picture at the next size."""
        assert isinstance(given, Image)  # noqa: S101 - the planner has checked `accepts`
        ends = (wanted.height, wanted.width) if isinstance(wanted, Image) else (2 * given.height, 2 * given.width)
        height, width = (_next_size(length, end) for length, end in zip((given.height, given.width), ends, strict=True))
        return Image(self.features, height, width)

    def plain(self, given: Shape, wanted: Shape) -> "UpSample":
        """Without the way of what stays as large as it is."""
        return self.model_copy(update={"way": "transposed"}) if _factors(given, self.output(given, wanted)) == (1, 1) else self

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """Of the convolution, and a scale and a shift a channel."""
        assert isinstance(given, Image)  # noqa: S101
        norm = Cost(params=2 * self.features if self.norm == "batch" else 0)
        gives = self.output(given, wanted)
        return enlarging_cost(given, gives, way=self.way, kernel=self.kernel, bias=self.norm == "none") + norm

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """The convolution with what makes the picture larger, normalisation, activation."""
        assert isinstance(given, Image)  # noqa: S101
        gives = self.output(given, wanted)
        steps = enlarging(given, gives, way=self.way, kernel=self.kernel, bias=self.norm == "none")
        return nn.Sequential(steps | _ended(self.features, self.norm, self.activation))


class ImageHead(LayerKind):
    """Give the picture that the benchmark wants, by one convolution; what is smaller is made as large on the way."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image,)
    costless: ClassVar[frozenset[str]] = frozenset({"activation"})

    way: Way = "transposed"
    kernel: Kernel = 3
    activation: Literal["tanh", "sigmoid", "none"] = "tanh"
    """Which numbers a pixel can be: from −1 to 1, from 0 to 1, or any."""

    def output(self, given: Shape, wanted: Shape) -> Image:
        """What the benchmark wants.

        Raises:
            ModelError: it wants no picture, or a smaller one than comes in.
        """
        assert isinstance(given, Image)  # noqa: S101 - the planner has checked `accepts`
        if not isinstance(wanted, Image):
            raise ModelError(f"it ends in a picture, and {wanted} is wanted; end in a `head`.")
        if given.height > wanted.height or given.width > wanted.width:
            raise ModelError(f"{wanted} is wanted, which is smaller than {given}; make the picture larger in fewer layers.")
        return wanted

    def plain(self, given: Shape, wanted: Shape) -> "ImageHead":
        """Without the way of what is as large as is wanted."""
        return self.model_copy(update={"way": "transposed"}) if _factors(given, self.output(given, wanted)) == (1, 1) else self

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """Of the convolution, with a bias a channel."""
        assert isinstance(given, Image)  # noqa: S101
        return enlarging_cost(given, self.output(given, wanted), way=self.way, kernel=self.kernel, bias=True)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """The convolution with what makes the picture larger, then the function that bounds its pixels."""
        assert isinstance(given, Image)  # noqa: S101
        gives = self.output(given, wanted)
        steps = enlarging(given, gives, way=self.way, kernel=self.kernel, bias=True)
        return nn.Sequential(steps | _ended(gives.channels, "none", self.activation))


def enlarging(given: Image, gives: Image, *, way: Way, kernel: int, bias: bool) -> OrderedDict[str, nn.Module]:
    """What makes `gives`, which is at least as large, of `given`, by one convolution; of equal size it is a plain one."""
    factors, pad = _factors(given, gives), kernel // 2
    steps: OrderedDict[str, nn.Module] = OrderedDict()
    if factors == (1, 1) or way == "nearest":
        if factors != (1, 1):
            steps["repeat"] = nn.Upsample(size=(gives.height, gives.width), mode="nearest")
        steps["conv"] = nn.Conv2d(given.channels, gives.channels, kernel, padding=pad, bias=bias)
        return steps
    if way == "transposed":
        beyond = (factors[0] - 1, factors[1] - 1)
        steps["conv"] = nn.ConvTranspose2d(
            given.channels, gives.channels, kernel, stride=factors, padding=pad, output_padding=beyond, bias=bias
        )
        large = (given.height * factors[0], given.width * factors[1])
    else:
        factor = max(factors)
        steps["conv"] = nn.Conv2d(given.channels, gives.channels * factor**2, kernel, padding=pad, bias=bias)
        steps["shuffle"] = nn.PixelShuffle(factor)
        large = (given.height * factor, given.width * factor)
    if large != (gives.height, gives.width):
        steps["crop"] = Crop(gives.height, gives.width)
    return steps


def enlarging_cost(given: Image, gives: Image, *, way: Way, kernel: int, bias: bool) -> Cost:
    """Of `enlarging`: kernel² · channels · features weights, each used once a pixel of the picture that is convolved.

    That is `given` for a transposed convolution and a pixel shuffle, which has factor² times the weights, and else `gives`.
    """
    factors = _factors(given, gives)
    stays = factors == (1, 1)
    features = gives.channels * (max(factors) ** 2 if way == "pixel_shuffle" and not stays else 1)
    weights = kernel**2 * given.channels * features
    convolved = gives if stays or way == "nearest" else given
    return Cost(params=weights + (features if bias else 0), macs=weights * convolved.height * convolved.width)


class Crop(nn.Module):
    """The first rows and columns of a picture."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height = height
        self.width = width

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """(N, C, at least H, at least W) → (N, C, H, W)."""
        return images_NCHW[:, :, : self.height, : self.width]

    def extra_repr(self) -> str:
        """How large what is left is."""
        return f"{self.height}, {self.width}"


def _next_size(length: int, end: int) -> int:
    """The next length on the way from `length` to `end`, which is halved and rounded up to find it; `length` at the end."""
    found = length
    while end > length:
        found, end = end, ceil(end / 2)
    return found


def _factors(given: Shape, gives: Image) -> tuple[int, int]:
    """How many times as high and as wide it becomes, rounded up."""
    assert isinstance(given, Image)  # noqa: S101
    return ceil(gives.height / given.height), ceil(gives.width / given.width)


def _ended(features: int, norm: Norm, activation: str) -> OrderedDict[str, nn.Module]:
    """Normalisation and activation, where there are some."""
    steps: OrderedDict[str, nn.Module] = OrderedDict()
    if norm == "batch":
        steps["norm"] = nn.BatchNorm2d(features)
    if activation != "none":
        steps["act"] = create_act_layer(activation, inplace=activation not in ("tanh", "sigmoid"))
    return steps
