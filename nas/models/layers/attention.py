"""Attention: each position gathers from others what meets its query.

Axes: N examples, L positions, Q learned queries, C channels, A heads, D numbers of one head.
"""

from typing import ClassVar, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from nas.benchmark import Joined, Sequence, Shape
from nas.errors import ModelError
from nas.models.layers.kind import Cost, Count, LayerKind, Share, looks_back
from nas.models.layers.position import RelativeBias, Rotary, distances


class _MultiHead(LayerKind):
    """Shared by the kinds below: how many heads, of which size."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Sequence,)
    costless: ClassVar[frozenset[str]] = frozenset({"dropout"})

    heads: Count
    """How many times attention is done side by side, each on numbers of its own."""
    head_size: Count | None = None
    """Numbers of one head; without it the channels that come in are divided among the heads."""
    dropout: Share = 0.0
    """Of what comes out (Vaswani et al. 2017, sec. 5.4). The weights of attention are not dropped: it costs three times."""
    bias: bool = True
    """Whether the linear layers have biases."""

    def size(self, given: Sequence) -> int:
        """Numbers of one head.

        Raises:
            ModelError: it is not given, and `heads` do not divide the channels.
        """
        if self.head_size is None and given.channels % self.heads:
            raise ModelError(
                f"heads must divide the channels that come in ({given.channels}), got {self.heads}; give them a `head_size` too."
            )
        return self.head_size or given.channels // self.heads


class Attention(_MultiHead):
    """Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762, sec. 3.2), without residual and normalisation.

    Positions that fill a text up (id 0) are attended to like any other.
    """

    positions: Literal["none", "rotary", "relative"] = "none"
    """What attention knows of where things stand. `rotary`: queries and keys are turned by their position (Su et al. 2021,
    arXiv:2104.09864). `relative`: scores are raised by a learned number for each head and distance (Raffel et al. 2020,
    arXiv:1910.10683, sec. 2.1)."""
    reach: Count = 128
    """The farthest distance that `relative` positions tell from farther ones."""
    causal: bool = False
    """Whether a position sees itself and earlier ones alone; always so where the next token is wanted."""

    def output(self, given: Shape, wanted: Shape) -> Sequence:  # noqa: ARG002 - the same for every benchmark
        """A sequence of the same shape.

        Raises:
            ModelError: `heads` do not divide the channels, or rotary positions have an odd number to turn.
        """
        assert isinstance(given, Sequence)  # noqa: S101 - the planner has checked `accepts`
        size = self.size(given)
        if self.positions == "rotary" and size % 2:
            raise ModelError(f"rotary positions turn pairs, so that a head's size must be even, got {size}; change `heads`.")
        return Sequence(given.length, given.channels)

    def plain(self, given: Shape, wanted: Shape) -> Self:
        """With the size that a head comes to, as much reach as there are distances, and causal where it must be."""
        assert isinstance(given, Sequence)  # noqa: S101
        default = type(self).model_fields["reach"].default
        reach = min(self.reach, max(1, given.length - 1)) if self.positions == "relative" else default
        causal = self.causal or looks_back(wanted)
        return self.model_copy(update={"head_size": self.size(given), "reach": reach, "causal": causal})

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """Of the four linear layers, the numbers for distances, and 2 · L² · heads · size multiply-adds, causal or not."""
        assert isinstance(given, Sequence)  # noqa: S101
        length, channels, inner = given.length, given.channels, self.heads * self.size(given)
        params = 4 * channels * inner + (3 * inner + channels if self.bias else 0)
        if self.positions == "relative":
            params += self.heads * distances(length, self.reach, causal=self.causal or looks_back(wanted))
        return Cost(params, macs=4 * length * channels * inner + 2 * length**2 * inner)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """A module whose parameters are called as those of timm's Attention."""
        assert isinstance(given, Sequence)  # noqa: S101
        return SelfAttention(given, self, causal=self.causal or looks_back(wanted))


class SelfAttention(nn.Module):
    """The module of `Attention`."""

    def __init__(self, given: Sequence, kind: Attention, *, causal: bool) -> None:
        super().__init__()
        size = kind.size(given)
        inner = kind.heads * size
        self.heads, self.causal = kind.heads, causal
        self.qkv = nn.Linear(given.channels, 3 * inner, bias=kind.bias)
        self.rotary = Rotary(given.length, size) if kind.positions == "rotary" else None
        relative = kind.positions == "relative"
        self.relative = RelativeBias(kind.heads, given.length, kind.reach, causal=causal) if relative else None
        self.proj = nn.Linear(inner, given.channels, bias=kind.bias)
        self.proj_drop = nn.Dropout(kind.dropout)

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L, C)."""
        query_NALD, key_NALD, value_NALD = _heads(self.qkv(inputs_NLC), self.heads, parts=3)
        if self.rotary is not None:
            query_NALD, key_NALD = self.rotary(query_NALD), self.rotary(key_NALD)
        gathered_NALD = scaled_dot_product_attention(
            query_NALD,
            key_NALD,
            value_NALD,
            attn_mask=self.relative() if self.relative is not None else None,
            is_causal=self.causal and self.relative is None,  # else the bias shuts out what comes later
        )
        outputs_NLC: Tensor = self.proj_drop(self.proj(gathered_NALD.transpose(1, 2).flatten(2)))
        return outputs_NLC

    def extra_repr(self) -> str:
        """What the modules inside do not tell."""
        return f"heads={self.heads}, causal={self.causal}"


class CrossAttention(_MultiHead):
    """Learned queries attend to the sequence, which becomes as long as they are many (Jaegle et al. 2021, arXiv:2103.03206).

    So a long sequence is made short at a cost that is linear in its length. Residual and normalisation are not part of it.
    """

    queries: Count
    """How many positions come out."""

    def output(self, given: Shape, wanted: Shape) -> Sequence:
        """A sequence of `queries` positions with as many channels as come in.

        Raises:
            ModelError: the next token is wanted, or `heads` do not divide the channels.
        """
        assert isinstance(given, Sequence)  # noqa: S101
        if looks_back(wanted):
            raise ModelError(
                f"cross_attention looks at the whole sequence, got {wanted}, for which a position sees earlier ones alone; "
                "use `attention`."
            )
        self.size(given)
        return Sequence(self.queries, given.channels)

    def plain(self, given: Shape, wanted: Shape) -> Self:  # noqa: ARG002
        """With the size that a head comes to."""
        assert isinstance(given, Sequence)  # noqa: S101
        return self.model_copy(update={"head_size": self.size(given)})

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """Of the queries, the four linear layers, and 2 · queries · L · heads · size multiply-adds."""
        assert isinstance(given, Sequence)  # noqa: S101
        length, channels, inner = given.length, given.channels, self.heads * self.size(given)
        params = self.queries * channels + 4 * channels * inner + (3 * inner + channels if self.bias else 0)
        return Cost(params, macs=2 * (self.queries + length) * channels * inner + 2 * self.queries * length * inner)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """Queries and attention."""
        assert isinstance(given, Sequence)  # noqa: S101
        return QueriedAttention(given, self)


class QueriedAttention(nn.Module):
    """The module of `CrossAttention`."""

    def __init__(self, given: Sequence, kind: CrossAttention) -> None:
        super().__init__()
        inner = kind.heads * kind.size(given)
        self.heads = kind.heads
        self.queries_QC = nn.Parameter(torch.empty(kind.queries, given.channels))
        nn.init.trunc_normal_(self.queries_QC, std=0.02)
        self.q = nn.Linear(given.channels, inner, bias=kind.bias)
        self.kv = nn.Linear(given.channels, 2 * inner, bias=kind.bias)
        self.proj = nn.Linear(inner, given.channels, bias=kind.bias)
        self.proj_drop = nn.Dropout(kind.dropout)

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, Q, C)."""
        (query_1AQD,) = _heads(self.q(self.queries_QC).unsqueeze(0), self.heads, parts=1)
        key_NALD, value_NALD = _heads(self.kv(inputs_NLC), self.heads, parts=2)
        gathered_NAQD = scaled_dot_product_attention(
            query_1AQD.expand(inputs_NLC.shape[0], -1, -1, -1),
            key_NALD,
            value_NALD,
        )
        outputs_NQC: Tensor = self.proj_drop(self.proj(gathered_NAQD.transpose(1, 2).flatten(2)))
        return outputs_NQC

    def extra_repr(self) -> str:
        """What the modules inside do not tell."""
        return f"queries={len(self.queries_QC)}, heads={self.heads}"


class CrossModalAttention(_MultiHead):
    """Each position attends to those of the other sequences that stand beside its own, with one set of weights for all (as co-
    attention, Lu et al. 2019, arXiv:1908.02265, sec. 3.1, where each has its own). Without residual and normalisation.
    """

    accepts: ClassVar[tuple[type[Shape], ...]] = (Joined,)

    def output(self, given: Shape, wanted: Shape) -> Joined:  # noqa: ARG002
        """What it is given.

        Raises:
            ModelError: one sequence stands alone, or `heads` do not divide the channels.
        """
        assert isinstance(given, Joined)  # noqa: S101
        if len(given.lengths) < 2:
            raise ModelError(f"attention across modalities needs two of them, got {given}; join two branches.")
        self.size(given)
        return given

    def plain(self, given: Shape, wanted: Shape) -> Self:  # noqa: ARG002
        """With the size that a head comes to."""
        assert isinstance(given, Joined)  # noqa: S101
        return self.model_copy(update={"head_size": self.size(given)})

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """Of the four linear layers, and 2 · heads · size multiply-adds for each position and position of another sequence."""
        assert isinstance(given, Joined)  # noqa: S101
        channels, inner = given.channels, self.heads * self.size(given)
        params = 4 * channels * inner + (3 * inner + channels if self.bias else 0)
        pairs = sum(length * (given.length - length) for length in given.lengths)
        return Cost(params, macs=4 * given.length * channels * inner + 2 * pairs * inner)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """A module whose parameters are called as those of timm's Attention."""
        assert isinstance(given, Joined)  # noqa: S101
        size = self.size(given)
        return AcrossSequences(given.lengths, given.channels, self.heads, size, bias=self.bias, dropout=self.dropout)


class AcrossSequences(nn.Module):
    """Each position attends to those of the other of `lengths` sequences that stand end to end (Lu et al. 2019,
    arXiv:1908.02265).
    """

    def __init__(
        self, lengths: tuple[int, ...], channels: int, heads: int, head_size: int, *, bias: bool = True, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.lengths, self.heads = lengths, heads
        self.qkv = nn.Linear(channels, 3 * heads * head_size, bias=bias)
        self.proj = nn.Linear(heads * head_size, channels, bias=bias)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, joined_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L, C)."""
        # Each a tuple of queries, keys and values, (N, A, L, D).
        parts = [_heads(part, self.heads, parts=3) for part in torch.split(self.qkv(joined_NLC), list(self.lengths), dim=1)]
        gathered = []
        for n, part in enumerate(parts):
            keys_NALD, values_NALD = (torch.cat([one[k] for m, one in enumerate(parts) if m != n], dim=2) for k in (1, 2))
            found_NALD = scaled_dot_product_attention(part[0], keys_NALD, values_NALD)
            gathered.append(found_NALD.transpose(1, 2).flatten(2))
        outputs_NLC: Tensor = self.proj_drop(self.proj(torch.cat(gathered, dim=1)))
        return outputs_NLC

    def extra_repr(self) -> str:
        """What the modules inside do not tell."""
        return f"lengths={self.lengths}, heads={self.heads}"


def _heads(projected: Tensor, heads: int, parts: int) -> tuple[Tensor, ...]:
    """(N, L, parts · A · D) → as many (N, A, L, D), ordered as in timm."""
    split: tuple[Tensor, ...] = projected.reshape(*projected.shape[:-1], parts, heads, -1).permute(2, 0, 3, 1, 4).unbind()
    return split
