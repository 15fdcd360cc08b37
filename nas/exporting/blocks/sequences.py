"""Blocks on sequences, in plain PyTorch.

Heads are joined by a concatenation: torch's ONNX exporter fails on the view that would do as well, where attention has a mask.

Axes: N examples, L positions, Q learned queries, C channels, A attention heads, D numbers of one head.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class FeedForward(nn.Module):
    """Two linear layers with an activation between them, at each position by itself (Vaswani et al. 2017, sec. 3.3)."""

    def __init__(self, channels: int, hidden: int, act: type[nn.Module], *, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.act = act()
        self.drop1 = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, channels)
        self.drop2 = nn.Dropout(dropout)

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L, C)."""
        outputs: Tensor = self.drop2(self.fc2(self.drop1(self.act(self.fc1(inputs_NLC)))))
        return outputs


class GatedFeedForward(nn.Module):
    """A feed-forward network whose first layer is weighed by another, through the activation (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, channels: int, hidden: int, act: type[nn.Module], *, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, 2 * hidden)
        self.act = act()
        self.drop1 = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, channels)
        self.drop2 = nn.Dropout(dropout)

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L, C)."""
        values, gates = self.fc1(inputs_NLC).chunk(2, dim=-1)
        outputs: Tensor = self.drop2(self.fc2(self.drop1(values * self.act(gates))))
        return outputs


class SelfAttention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, arXiv:1706.03762, sec. 3.2)."""

    def __init__(
        self,
        channels: int,
        heads: int,
        head_size: int,
        *,
        causal: bool = False,
        rotary: nn.Module | None = None,
        relative: nn.Module | None = None,
        bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(channels, 3 * heads * head_size, bias=bias)
        self.rotary = rotary
        self.relative = relative
        self.proj = nn.Linear(heads * head_size, channels, bias=bias)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L, C)."""
        query_NALD, key_NALD, value_NALD = split_heads(self.qkv(inputs_NLC), self.heads, parts=3)
        if self.rotary is not None:
            query_NALD, key_NALD = self.rotary(query_NALD), self.rotary(key_NALD)
        gathered_NALD = scaled_dot_product_attention(
            query_NALD,
            key_NALD,
            value_NALD,
            attn_mask=self.relative() if self.relative is not None else None,
            is_causal=self.causal and self.relative is None,  # else the bias shuts out what comes later
        )
        outputs: Tensor = self.proj_drop(self.proj(join_heads(gathered_NALD)))
        return outputs


class QueriedAttention(nn.Module):
    """Learned queries attend to the sequence, which becomes as long as they are many (Jaegle et al. 2021, arXiv:2103.03206)."""

    def __init__(
        self, channels: int, queries: int, heads: int, head_size: int, *, bias: bool = True, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.heads = heads
        self.queries_QC = nn.Parameter(torch.empty(queries, channels))
        nn.init.trunc_normal_(self.queries_QC, std=0.02)
        self.q = nn.Linear(channels, heads * head_size, bias=bias)
        self.kv = nn.Linear(channels, 2 * heads * head_size, bias=bias)
        self.proj = nn.Linear(heads * head_size, channels, bias=bias)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, Q, C)."""
        (query_1AQD,) = split_heads(self.q(self.queries_QC).unsqueeze(0), self.heads, parts=1)
        key_NALD, value_NALD = split_heads(self.kv(inputs_NLC), self.heads, parts=2)
        query_NAQD = query_1AQD.expand(inputs_NLC.shape[0], -1, -1, -1)
        gathered_NAQD = scaled_dot_product_attention(query_NAQD, key_NALD, value_NALD)
        outputs: Tensor = self.proj_drop(self.proj(join_heads(gathered_NAQD)))
        return outputs


def split_heads(projected: Tensor, heads: int, parts: int) -> tuple[Tensor, ...]:
    """(N, L, parts · A · D) → as many (N, A, L, D)."""
    split = projected.reshape(*projected.shape[:-1], parts, heads, -1)
    return split.permute(2, 0, 3, 1, 4).unbind()


def join_heads(gathered_NALD: Tensor) -> Tensor:
    """(N, A, L, D) → (N, L, A · D)."""
    return torch.cat(gathered_NALD.unbind(1), dim=-1)


class FilterBlock(nn.Module):
    """Convolution along a sequence, normalisation ("batch", "layer" or "none"), activation.

    Where it looks back, what comes out at a position is made of that position and earlier ones alone.
    """

    def __init__(
        self,
        channels: int,
        features: int,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        norm: str = "batch",
        act: type[nn.Module] = nn.Identity,
        looks_back: bool = False,
    ) -> None:
        super().__init__()
        reach = dilation * (kernel - 1)
        self.pad = nn.ConstantPad1d((reach, 0), 0.0) if looks_back else nn.Identity()
        padding = 0 if looks_back else reach // 2
        self.conv = nn.Conv1d(channels, features, kernel, stride, padding, dilation, groups, bias=norm == "none")
        norms = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
        self.norm = norms[norm](features) if norm != "none" else nn.Identity()
        self.act = act()

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L / stride, features)."""
        outputs_NCL: Tensor = self.conv(self.pad(inputs_NLC.transpose(1, 2)))
        if isinstance(self.norm, nn.BatchNorm1d):
            outputs_NLC = self.norm(outputs_NCL).transpose(1, 2)
        else:
            outputs_NLC = self.norm(outputs_NCL.transpose(1, 2))
        activated: Tensor = self.act(outputs_NLC)
        return activated


class ResidualFilterBlock(nn.Module):
    """Two convolutions along a sequence beside a shortcut (Bai et al. 2018, arXiv:1803.01271, fig. 1)."""

    def __init__(self, conv1: nn.Module, conv2: nn.Module, shortcut: nn.Module, act: type[nn.Module]) -> None:
        super().__init__()
        self.conv1 = conv1
        self.conv2 = conv2
        self.shortcut = shortcut
        self.act = act()

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L / stride, features)."""
        outputs: Tensor = self.act(self.conv2(self.conv1(inputs_NLC)) + self.shortcut(inputs_NLC))
        return outputs


class MaxWindows(nn.Module):
    """The largest of `size` positions at every `stride`-th one; the first window begins `before` the first position."""

    def __init__(self, size: int, stride: int, before: int, after: int) -> None:
        super().__init__()
        self.pad = nn.ConstantPad1d((before, after), -torch.inf)
        self.pool = nn.MaxPool1d(size, stride)

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L / stride, C)."""
        pooled_NCL: Tensor = self.pool(self.pad(inputs_NLC.transpose(1, 2)))
        return pooled_NCL.transpose(1, 2)


class MeanWindows(nn.Module):
    """The mean of `size` positions at every `stride`-th one, of those that are within a sequence of `length`."""

    weight_L: Tensor

    def __init__(self, size: int, stride: int, before: int, after: int, length: int) -> None:
        super().__init__()
        self.pad = nn.ConstantPad1d((before, after), 0.0)
        self.pool = nn.AvgPool1d(size, stride)
        first = torch.arange((length - 1) // stride + 1) * stride - before
        there = (first + size).clamp(max=length) - first.clamp(min=0)
        self.register_buffer("weight_L", size / there, persistent=False)

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L / stride, C)."""
        pooled_NCL: Tensor = self.pool(self.pad(inputs_NLC.transpose(1, 2)))
        return (pooled_NCL * self.weight_L).transpose(1, 2)
