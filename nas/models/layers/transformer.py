"""The Transformer's encoder block, and the feed-forward network that is half of it."""

from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from timm.layers import GluMlp, Mlp, get_act_layer
from torch import Tensor, nn

from nas.benchmark import Joined, Sequence, Shape
from nas.models.layers.attention import Attention, CrossModalAttention
from nas.models.layers.kind import Activation, Cost, LayerKind, Share

EPSILON = 1e-6
"""Added to the variance by normalisation, as timm's VisionTransformer does."""


class FeedForward(LayerKind):
    """Two linear layers with an activation between them, at each position by itself (Vaswani et al. 2017, sec. 3.3)."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Sequence,)
    costless: ClassVar[frozenset[str]] = frozenset({"activation", "dropout"})

    ratio: Annotated[float, Field(gt=0, le=64)] = 4.0
    """Width inside, as a multiple of the channels that come in, rounded down."""
    gated: bool = False
    """Whether a second linear layer's output, through the activation, weighs the first's (Shazeer 2020, arXiv:2002.05202,
    eq. 6): GEGLU with `gelu`, SwiGLU with `silu`. It costs half as much again at the same width."""
    activation: Activation = "gelu"
    dropout: Share = 0.0
    """After the activation, and of what comes out."""

    def hidden(self, given: Sequence) -> int:
        """Width inside."""
        return max(1, int(given.channels * self.ratio))

    def output(self, given: Shape, wanted: Shape) -> Sequence:  # noqa: ARG002 - the same for every benchmark
        """A sequence of the same shape."""
        assert isinstance(given, Sequence)  # noqa: S101 - the planner has checked `accepts`
        return Sequence(given.length, given.channels)

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """Of the two linear layers, the first of them twice where gated."""
        assert isinstance(given, Sequence)  # noqa: S101
        channels, hidden = given.channels, self.hidden(given)
        inward = 2 * hidden if self.gated else hidden
        weights = channels * (inward + hidden)
        return Cost(params=weights + inward + channels, macs=given.length * weights)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """timm's Mlp or GluMlp."""
        assert isinstance(given, Sequence)  # noqa: S101
        hidden, activation = self.hidden(given), get_act_layer(self.activation)
        if self.gated:
            return GluMlp(given.channels, 2 * hidden, act_layer=activation, drop=self.dropout)
        return Mlp(given.channels, hidden, act_layer=activation, drop=self.dropout)


class EncoderBlock(Attention, FeedForward):
    """Self-attention, then a feed-forward network, each beside a residual connection and with a normalisation.

    Its options are those of `attention` and of `feed_forward`, and two of its own. By default it is the Block of timm's
    VisionTransformer (Dosovitskiy et al. 2021, arXiv:2010.11929, eqs. 2 and 3).
    """

    costless: ClassVar[frozenset[str]] = frozenset({"activation", "dropout", "norm_first"})

    dropout: Share = 0.0
    """After the activation, and of what each half gives before it is added."""
    norm: Literal["layer", "rms"] = "layer"
    """Layer normalisation (Ba et al. 2016, arXiv:1607.06450), or by the root mean square alone (Zhang & Sennrich 2019,
    arXiv:1910.07467)."""
    norm_first: bool = True
    """Whether each half normalises what it is given, which trains without warm-up, or the sum that it ends in, as in Vaswani
    et al. 2017 (Xiong et al. 2020, arXiv:2002.04745, fig. 1)."""

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """Of both halves, and the parameters of both normalisations."""
        assert isinstance(given, Sequence)  # noqa: S101
        norms = Cost(params=2 * given.channels * (2 if self.norm == "layer" else 1))
        return Attention.cost(self, given, wanted) + FeedForward.cost(self, given, wanted) + norms

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """A module whose parameters are called as those of timm's Block."""
        assert isinstance(given, Sequence)  # noqa: S101
        norm = partial({"layer": nn.LayerNorm, "rms": nn.RMSNorm}[self.norm], given.channels, eps=EPSILON)
        attention, feed_forward = Attention.build(self, given, wanted), FeedForward.build(self, given, wanted)
        return Block(norm(), attention, norm(), feed_forward, norm_first=self.norm_first)


class CrossModalBlock(CrossModalAttention, FeedForward):
    """Attention of each sequence to the others beside it, then a feed-forward network, each beside a residual connection and
    after a layer normalisation, as in `encoder_block` (Lu et al. 2019, arXiv:1908.02265; Tsai et al. 2019, arXiv:1906.00295).
    """

    costless: ClassVar[frozenset[str]] = frozenset({"activation", "dropout"})

    dropout: Share = 0.0
    """After the activation, and of what each half gives before it is added."""

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        """Of both halves, and the parameters of both normalisations."""
        assert isinstance(given, Joined)  # noqa: S101
        norms = Cost(params=4 * given.channels)
        return CrossModalAttention.cost(self, given, wanted) + FeedForward.cost(self, given, wanted) + norms

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        """A module whose parameters are called as those of timm's Block."""
        assert isinstance(given, Joined)  # noqa: S101
        norms = [nn.LayerNorm(given.channels, eps=EPSILON) for _ in range(2)]
        attention, feed_forward = CrossModalAttention.build(self, given, wanted), FeedForward.build(self, given, wanted)
        return Block(norms[0], attention, norms[1], feed_forward, norm_first=True)


class Block(nn.Module):
    """Attention, then a feed-forward network, each with a normalisation and beside a shortcut (Vaswani et al. 2017, sec. 3.1)."""

    def __init__(
        self, norm1: nn.Module, attention: nn.Module, norm2: nn.Module, feed_forward: nn.Module, *, norm_first: bool
    ) -> None:
        super().__init__()
        self.norm1, self.attn, self.norm2, self.mlp = norm1, attention, norm2, feed_forward
        self.norm_first = norm_first

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L, C)."""
        if self.norm_first:
            middle_NLC = inputs_NLC + self.attn(self.norm1(inputs_NLC))
            outputs_NLC: Tensor = middle_NLC + self.mlp(self.norm2(middle_NLC))
        else:
            middle_NLC = self.norm1(inputs_NLC + self.attn(inputs_NLC))
            outputs_NLC = self.norm2(middle_NLC + self.mlp(middle_NLC))
        return outputs_NLC

    def extra_repr(self) -> str:
        """Where the normalisations stand."""
        return f"norm_first={self.norm_first}"
