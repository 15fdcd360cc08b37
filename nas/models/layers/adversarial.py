"""How a generator of pictures is trained against a discriminator: choices that stand among the generator's layers.

Axes: N examples, C channels, H height, W width, K classes, F features.
"""

from typing import Annotated, Literal

from pydantic import Field
from timm.layers import LayerNorm2d, create_act_layer
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from nas.benchmark import Image
from nas.models.layers.kind import Activation, Cost, Count, Kernel, TrainingKind, strided


class Discriminator(TrainingKind):
    """The network that tells real pictures from generated ones: convolutions that halve the picture, and a linear layer.

    Each but the first halving is normalised (Radford et al. 2016, arXiv:1511.06434, sec. 3). `spectral` divides every weight by
    its largest singular value, so that the network's slope is bounded (Miyato et al. 2018, arXiv:1802.05957, eq. 8).
    """

    width: Count = 16
    """Channels after the first halving; each further one doubles them."""
    depth: Annotated[int, Field(ge=1, le=6)] = 2
    """Halvings."""
    kernel: Kernel = 3
    norm: Literal["batch", "layer", "spectral", "none"] = "spectral"
    activation: Activation = "leaky_relu"

    def network(self, image: Image, classes: int = 0) -> "DiscriminatorNetwork":
        """The network for pictures of `image`, which are told with their class where there are `classes`."""
        return DiscriminatorNetwork(self, image, classes)

    def network_cost(self, image: Image, classes: int = 0) -> Cost:
        """Of one picture; what normalises weights is done once a step and not counted."""
        found, channels, height, width = Cost(), image.channels, image.height, image.width
        for number in range(self.depth):
            features = self.width << number
            height, width = (strided(length, self.kernel, 2) for length in (height, width))
            weights = self.kernel**2 * channels * features
            each = 2 if self.normalises(number) else 1  # a scale and a shift, or a bias
            found += Cost(params=weights + each * features, macs=weights * height * width)
            channels = features
        count = channels * height * width
        return found + Cost(params=count * (1 + classes) + 1, macs=count * (1 + classes))

    def normalises(self, number: int) -> bool:
        """Whether what a halving gives, counted from 0, is normalised."""
        return number > 0 and self.norm in ("batch", "layer")


class Adversary(TrainingKind):
    """How generator and discriminator are trained against each other.

    `non_saturating` is Goodfellow et al. 2014, arXiv:1406.2661, sec. 3; `hinge` Lim & Ye 2017, arXiv:1705.02894, and Miyato et
    al. 2018, arXiv:1802.05957, eq. 16 and 17; `wgan_gp` Gulrajani et al. 2017, arXiv:1704.00028, eq. 3.
    """

    loss: Literal["non_saturating", "hinge", "wgan_gp"] = "non_saturating"
    discriminator_steps: Annotated[int, Field(ge=1, le=10)] = 1
    """Of the discriminator, each on a batch of its own, for one of the generator."""
    rate_ratio: Annotated[float, Field(gt=0, le=100)] = 1.0
    """The discriminator's learning rate as a multiple of the generator's, which is the recipe's (Heusel et al. 2017,
    arXiv:1706.08500, sec. 2)."""


class DiscriminatorNetwork(nn.Module):
    """(N, C, H, W) → (N,): a number that is large for real pictures.

    Where there are classes, the picture's features are compared with a learned vector of its class as well (Miyato & Koyama 2018,
    arXiv:1802.05637, eq. 3).
    """

    def __init__(self, how: Discriminator, image: Image, classes: int) -> None:
        super().__init__()
        bounded = spectral_norm if how.norm == "spectral" else _as_it_is
        steps: list[nn.Module] = []
        channels, height, width = image.axes
        for number in range(how.depth):
            features = how.width << number
            normed = how.normalises(number)
            conv = nn.Conv2d(channels, features, how.kernel, stride=2, padding=how.kernel // 2, bias=not normed)
            steps.append(bounded(conv))
            if normed:
                steps.append(nn.BatchNorm2d(features) if how.norm == "batch" else LayerNorm2d(features))
            steps.append(create_act_layer(how.activation, inplace=True))
            channels, height, width = features, *(strided(length, how.kernel, 2) for length in (height, width))
        self.trunk = nn.Sequential(*steps, nn.Flatten())
        self.linear = bounded(nn.Linear(channels * height * width, 1))
        self.of_class = bounded(nn.Linear(classes, channels * height * width, bias=False)) if classes else None

    def forward(self, images_NCHW: Tensor, classes_NK: Tensor | None = None) -> Tensor:
        """Pictures, and 1 at the class of each where there are classes."""
        features_NF = self.trunk(images_NCHW)
        told_N: Tensor = self.linear(features_NF).squeeze(1)
        if self.of_class is None:
            return told_N
        of_class_N: Tensor = (self.of_class(classes_NK) * features_NF).sum(1)
        return told_N + of_class_N


def _as_it_is(module: nn.Module) -> nn.Module:
    return module
