"""Where in a sequence something stands: added to the sequence before attention, or told to attention itself.

Axes: N examples, L positions, C channels, A attention heads, D numbers of one head, P pairs of them (D / 2).
"""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from nas.benchmark import Sequence, Shape
from nas.models.layers.kind import Cost, LayerKind

BASE = 10_000.0
"""The slowest wave turns this many times slower than the fastest (Vaswani et al. 2017, sec. 3.5; Su et al. 2021, sec. 3.2.2)."""


class Position(LayerKind):
    """Add to each position of a sequence a vector that says which one it is."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Sequence,)

    kind: Literal["learned", "sinusoidal"] = "learned"
    """`learned`: a vector of its own for each position (Gehring et al. 2017, arXiv:1705.03122, sec. 3.1). `sinusoidal`: fixed
    waves of falling frequency (Vaswani et al. 2017, arXiv:1706.03762, sec. 3.5)."""

    def output(self, given: Shape, wanted: Shape) -> Sequence:  # noqa: ARG002 - the same for every benchmark
        """The sequence as it was."""
        assert isinstance(given, Sequence)  # noqa: S101 - the planner has checked `accepts`
        return Sequence(given.length, given.channels)

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """A learned vector for each position; sums do not count."""
        assert isinstance(given, Sequence)  # noqa: S101
        return Cost(params=given.length * given.channels if self.kind == "learned" else 0)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """A table of vectors that is added."""
        assert isinstance(given, Sequence)  # noqa: S101
        return AddedPositions(given.length, given.channels, learned=self.kind == "learned")


class AddedPositions(nn.Module):
    """Adds to each position its vector; learned ones begin near nothing, as in Dosovitskiy et al. 2021 (arXiv:2010.11929)."""

    table_LC: Tensor

    def __init__(self, length: int, channels: int, *, learned: bool) -> None:
        super().__init__()
        if learned:
            self.table_LC = nn.Parameter(torch.empty(length, channels))
            nn.init.trunc_normal_(self.table_LC, std=0.02)
        else:
            self.register_buffer("table_LC", sinusoids(length, channels), persistent=False)

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L, C)."""
        return inputs_NLC + self.table_LC


def sinusoids(length: int, channels: int) -> Tensor:
    """Waves over positions, (L, C): the sine of each frequency and its cosine side by side (Vaswani et al. 2017, sec. 3.5).

    Where the channels are odd, the last cosine is left out.
    """
    angles_LP = _angles(length, channels)
    return torch.stack((angles_LP.sin(), angles_LP.cos()), dim=-1).flatten(1)[:, :channels]


class Rotary(nn.Module):
    """Turn each pair of a query's or key's numbers by an angle that grows with its position (Su et al. 2021, eq. 34).

    The product of a query and a key so turned depends on how far apart they stand, and on nothing else of where. A pair is
    one number of the first half of a head and the same of the second half, which is as good as neighbours and faster.
    """

    cos_LP: Tensor
    sin_LP: Tensor

    def __init__(self, length: int, head_size: int) -> None:
        super().__init__()
        angles_LP = _angles(length, head_size)
        self.register_buffer("cos_LP", angles_LP.cos(), persistent=False)
        self.register_buffer("sin_LP", angles_LP.sin(), persistent=False)

    def forward(self, inputs_NALD: Tensor) -> Tensor:
        """(N, A, L, D) → (N, A, L, D)."""
        first_NALP, second_NALP = inputs_NALD.chunk(2, dim=-1)
        turned_first = first_NALP * self.cos_LP - second_NALP * self.sin_LP
        turned_second = first_NALP * self.sin_LP + second_NALP * self.cos_LP
        return torch.cat((turned_first, turned_second), dim=-1)


class RelativeBias(nn.Module):
    """A learned number for each head and distance, to be added to the scores of attention (Raffel et al. 2020, sec. 2.1).

    Distances beyond `reach` are taken as `reach` (Shaw et al. 2018, arXiv:1803.02155, sec. 3.2), not put into buckets. All begin
    at 0. Where attention is `causal`, the score of what comes later is -inf, and no number is kept for it.
    """

    distances_LL: Tensor
    later_LL: Tensor

    def __init__(self, heads: int, length: int, reach: int, *, causal: bool) -> None:
        super().__init__()
        reach = min(reach, length - 1)
        positions_L = torch.arange(length)
        ahead_LL = positions_L - positions_L[:, None]  # row: who looks; column: what is looked at
        nearest = 0 if causal else reach
        self.table = nn.Parameter(torch.zeros(heads, distances(length, reach, causal=causal)))
        self.register_buffer("distances_LL", ahead_LL.clamp(-reach, nearest) + reach, persistent=False)
        self.register_buffer("later_LL", ahead_LL > 0, persistent=False)
        self.causal = causal

    def forward(self) -> Tensor:
        """What is added to the scores, (1, A, L, L)."""
        bias_1ALL = self.table[:, self.distances_LL].unsqueeze(0)
        return bias_1ALL.masked_fill(self.later_LL, -math.inf) if self.causal else bias_1ALL


def distances(length: int, reach: int, *, causal: bool) -> int:
    """How many distances up to `reach` there are in a sequence of `length`, ahead and back, or back alone."""
    reach = min(reach, length - 1)
    return reach + 1 if causal else 2 * reach + 1


def _angles(length: int, channels: int) -> Tensor:
    """Of each position and each pair of channels, (L, P)."""
    pairs_P = torch.arange(0, channels, 2)
    return torch.arange(length)[:, None] * torch.exp(pairs_P * (-math.log(BASE) / channels))
