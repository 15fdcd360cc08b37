"""The way in for rows of numbers: what makes of each number several, so that a network can bend it.

Axes: N examples, F features, K frequencies, D numbers of one feature.
"""

import math
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from nas.benchmark import Features, Shape
from nas.models.layers.kind import Cost, Count, LayerKind


class NumberEmbedding(LayerKind):
    """Each number becomes `features` numbers by waves of learned frequencies, a linear layer that all share, and a ReLU.

    PLR in its lite form (Gorishniy et al. 2022, arXiv:2203.05556, sec. 3.3; the shared layer as in 2023, arXiv:2307.14338,
    app. B): ReLU(Linear([sin 2πcx, cos 2πcx])). Numbers are best standardised before.
    """

    accepts: ClassVar[tuple[type[Shape], ...]] = (Features,)
    costless: ClassVar[frozenset[str]] = frozenset({"deviation"})

    features: Count = 8
    """That one number becomes."""
    frequencies: Count = 16
    """Waves of one number, a sine and a cosine of each; every number has its own, which are learned."""
    deviation: Annotated[float, Field(gt=0, le=100)] = 0.1
    """Of the normal distribution that the frequencies begin from: the larger, the finer the differences that are seen."""

    def output(self, given: Shape, wanted: Shape) -> Features:  # noqa: ARG002 - the same for every benchmark
        """`features` for each number."""
        assert isinstance(given, Features)  # noqa: S101 - the planner has checked `accepts`
        return Features(given.count * self.features)

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """The frequencies, which are multiplied number by number, and the shared linear layer, used once for each number."""
        assert isinstance(given, Features)  # noqa: S101
        weights = 2 * self.frequencies * self.features
        return Cost(params=given.count * self.frequencies + weights + self.features, macs=given.count * weights)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """A module of ours."""
        assert isinstance(given, Features)  # noqa: S101
        return Waves(given.count, self.frequencies, self.features, self.deviation)


class Waves(nn.Module):
    """Each number by sines and cosines of learned frequencies, through one linear layer and a ReLU."""

    def __init__(self, count: int, frequencies: int, features: int, deviation: float = 0.1) -> None:
        super().__init__()
        self.frequencies_FK = nn.Parameter(deviation * torch.randn(count, frequencies))
        self.linear = nn.Linear(2 * frequencies, features)

    def forward(self, inputs_NF: Tensor) -> Tensor:
        """(N, F) → (N, F·D)."""
        angles_NFK = 2 * math.pi * self.frequencies_FK * inputs_NF[:, :, None]
        waves_NFD: Tensor = self.linear(torch.cat((angles_NFK.sin(), angles_NFK.cos()), -1)).relu()
        return waves_NFD.flatten(1)
