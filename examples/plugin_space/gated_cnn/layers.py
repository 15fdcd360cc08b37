"""The layer that this package adds to the vocabulary.

Axes: N examples, C channels, H height, W width.
"""

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional

from nas.benchmark import Image, Shape
from nas.models import Cost, LayerKind
from nas.models.layers import Count, Kernel, Stride


class GatedConv(LayerKind):
    """A convolution times the sigmoid of another (Dauphin et al. 2017, arXiv:1612.08083, eq. 1), over pictures."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image,)

    features: Count
    """Channels that come out."""
    kernel: Kernel = 3
    """Height and width of both convolutions."""
    stride: Stride = 1
    """Step of both convolutions; 2 halves the picture, rounded up."""

    def output(self, given: Shape, wanted: Shape) -> Image:
        """`features` channels, and the picture divided by the stride, rounded up."""
        assert isinstance(given, Image)
        return Image(self.features, -(-given.height // self.stride), -(-given.width // self.stride))

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """Of two convolutions with biases."""
        assert isinstance(given, Image)
        gives = self.output(given, wanted)
        weights = self.kernel**2 * given.channels * 2 * self.features
        return Cost(params=weights + 2 * self.features, macs=weights * gives.height * gives.width)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """Both convolutions as one of twice the channels."""
        assert isinstance(given, Image)
        return Gated(given.channels, self.features, self.kernel, self.stride)


class Gated(nn.Module):
    """One convolution, whose first half of channels is weighed by the second."""

    def __init__(self, channels: int, features: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.both = nn.Conv2d(channels, 2 * features, kernel, stride, padding=kernel // 2)

    def forward(self, inputs_NCHW: Tensor) -> Tensor:
        """(N, C, H, W) → (N, features, H / stride, W / stride)."""
        return functional.glu(self.both(inputs_NCHW), dim=1)
