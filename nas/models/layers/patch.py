"""A picture as a sequence of patches, and the learned vector before it that stands for the whole.

Axes: N examples, C channels, H height, W width, L positions.
"""

from math import ceil, gcd
from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field
from timm.layers import PatchEmbed
from torch import Tensor, nn

from nas.benchmark import Image, Sequence, Shape
from nas.errors import ModelError
from nas.models.layers.kind import Cost, Count, LayerKind, looks_back


class PatchEmbedding(LayerKind):
    """Cut a picture into squares and make a vector of each, row by row (Dosovitskiy et al. 2021, arXiv:2010.11929, eq. 1)."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image,)

    size: Annotated[int, Field(ge=1, le=64)]
    """Height and width of a patch."""
    features: Count
    """Channels of the sequence."""
    pad: bool = False
    """Whether a picture that is no multiple of `size` is filled up with zeros, at the right and at the bottom."""

    def output(self, given: Shape, wanted: Shape) -> Sequence:  # noqa: ARG002 - the same for every benchmark
        """A sequence of as many positions as there are patches.

        Raises:
            ModelError: `size` does not divide height and width, and there is no `pad`.
        """
        assert isinstance(given, Image)  # noqa: S101 - the planner has checked `accepts`
        if not self.pad and not self._fits(given):
            common = gcd(given.height, given.width)
            fitting = ", ".join(str(size) for size in range(1, min(common, 64) + 1) if common % size == 0)
            raise ModelError(
                f"a patch's size must divide height and width ({given.height}×{given.width}), got {self.size}; "
                f"sizes that do: {fitting}; or fill the picture up with `pad: true`."
            )
        return Sequence(ceil(given.height / self.size) * ceil(given.width / self.size), self.features)

    def _fits(self, given: Image) -> bool:
        return given.height % self.size == given.width % self.size == 0

    def plain(self, given: Shape, wanted: Shape) -> Self:  # noqa: ARG002
        """Nothing is filled up where the size fits."""
        assert isinstance(given, Image)  # noqa: S101
        return self.model_copy(update={"pad": not self._fits(given)})

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """size² · channels · features weights, each used once a patch; and a bias for each feature."""
        assert isinstance(given, Image)  # noqa: S101
        weights = self.size**2 * given.channels * self.features
        return Cost(params=weights + self.features, macs=weights * self.output(given, wanted).length)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """timm's PatchEmbed: a convolution whose stride is its kernel."""
        assert isinstance(given, Image)  # noqa: S101
        return PatchEmbed((given.height, given.width), self.size, given.channels, self.features, dynamic_img_pad=self.pad)


class ClassToken(LayerKind):
    """Put a learned vector before the sequence, where attention gathers what a `head` with `pool: first` then reads.

    The vector is one for all examples (Devlin et al. 2019, arXiv:1810.04805, sec. 3).
    """

    accepts: ClassVar[tuple[type[Shape], ...]] = (Sequence,)

    def output(self, given: Shape, wanted: Shape) -> Sequence:
        """The sequence, longer by one position.

        Raises:
            ModelError: the next token is wanted.
        """
        assert isinstance(given, Sequence)  # noqa: S101
        if looks_back(wanted):
            raise ModelError(f"class_token gathers from the whole sequence, got {wanted}, which looks back only; leave it out.")
        return Sequence(given.length + 1, given.channels)

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """The vector."""
        assert isinstance(given, Sequence)  # noqa: S101
        return Cost(params=given.channels)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """A parameter that is put before the sequence."""
        assert isinstance(given, Sequence)  # noqa: S101
        return PrependedToken(given.channels)


class PrependedToken(nn.Module):
    """A learned vector before a sequence: the module of `ClassToken`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.token_C = nn.Parameter(torch.empty(channels))
        nn.init.trunc_normal_(self.token_C, std=0.02)

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L + 1, C)."""
        return torch.cat((self.token_C.expand(inputs_NLC.shape[0], 1, -1), inputs_NLC), dim=1)
