"""From a sequence to one vector in which no position is averaged away: side by side, or multiplied with each other.

Axes: N examples, L positions, C channels.
"""

from typing import ClassVar

from torch import Tensor, nn

from nas.benchmark import Features, Sequence, Shape
from nas.models.layers.kind import Cost, LayerKind


class _OfPositions(LayerKind):
    """Shared by both: nothing counts."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Sequence,)

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002 - the same for every benchmark
        """Nothing that counts."""
        return Cost()


class Flatten(_OfPositions):
    """All positions of a sequence side by side in one vector."""

    def output(self, given: Shape, wanted: Shape) -> Features:  # noqa: ARG002
        """Positions times channels."""
        assert isinstance(given, Sequence)  # noqa: S101 - the planner has checked `accepts`
        return Features(given.length * given.channels)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """torch's Flatten."""
        return nn.Flatten()


class Product(_OfPositions):
    """All positions of a sequence multiplied, channel by channel.

    Of a user and an item it is what generalised matrix factorisation scores (He et al. 2017, arXiv:1708.05031, eq. 8); a linear
    layer of ones behind it makes it the scalar product of matrix factorisation (Koren et al. 2009, Computer 42, eq. 1).
    """

    def output(self, given: Shape, wanted: Shape) -> Features:  # noqa: ARG002
        """As many features as channels."""
        assert isinstance(given, Sequence)  # noqa: S101
        return Features(given.channels)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """A module of ours."""
        return Multiplied()


class Multiplied(nn.Module):
    """The product over positions."""

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, C)."""
        outputs_NC = inputs_NLC[:, 0]
        for position in range(1, inputs_NLC.shape[1]):
            outputs_NC = outputs_NC * inputs_NLC[:, position]
        return outputs_NC
