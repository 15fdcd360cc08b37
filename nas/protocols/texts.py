"""What a trunk learns from texts without labels: what is hidden in them, what comes next, or which passages are of one text.

Texts without labels may be longer than those that networks are fed: pieces are cut out of them.

Axes: N texts, L positions, T positions of a text without labels, C channels, V tokens of a vocabulary, M positions that count.
"""

import math
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from nas.benchmark import Recipe, Sequence, Tokens
from nas.chance import rand, randint
from nas.device import Precision, autocast
from nas.errors import ModelError
from nas.protocols.pretext import Pretext, Source, Trunk
from nas.training import IGNORED, Comparing, Examples, Feed, Method, Setup, as_feed

BATCH = 512
"""Texts that are measured at once."""


class MaskedTokens(Pretext):
    """Which tokens stood where a text has gaps (Devlin et al. 2019, arXiv:1810.04805, sec. 3.1).

    Padding (id 0) is never asked for. In a gap stands the token `mask`: the unknown one, where the vocabulary has none for gaps.
    """

    share: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Of the tokens, that are asked for."""
    hidden: Annotated[float, Field(ge=0, le=1)] = 0.8
    """Of those, the share that `mask` stands for."""
    changed: Annotated[float, Field(ge=0, le=1)] = 0.1
    """The share that another token stands for, drawn from the vocabulary; the rest stand as they are."""
    mask: Annotated[int, Field(ge=1)] = 1

    def module(self, trunk: Trunk, body: nn.Sequential) -> nn.Module:
        """The trunk with a head that gives a logit for each token."""
        return TokenModel(trunk, body)

    def method(self, trunk: Trunk, setup: Setup, recipe: Recipe) -> Method:
        """Cross-entropy of the tokens that are asked for, anew in every epoch."""
        return _Masking(self, _tokens(trunk), setup, recipe)

    def forward_flops(self, trunk: Trunk) -> float:
        """Of the trunk, and of the head where tokens are asked for."""
        return trunk.cost.flops + self.share * _tokens(trunk).length * _head_flops(trunk)


class NextTokens(Pretext):
    """Which token comes next, at each position (Radford et al. 2018, sec. 3.1). Padding (id 0) is never asked for.

    The trunk must see what stands before a position alone, as with `causal` attention; whether it does is tried.
    """

    def module(self, trunk: Trunk, body: nn.Sequential) -> nn.Module:
        """The trunk with a head that gives a logit for each token.

        Raises:
            ModelError: the trunk looks ahead.
        """
        if not _looks_back(trunk, body):
            raise ModelError(
                "The next token is learned by networks of which each position sees earlier ones alone, and this one looks "
                "ahead; give its attention `causal: true`, or learn masked_tokens."
            )
        return TokenModel(trunk, body)

    def method(self, trunk: Trunk, setup: Setup, recipe: Recipe) -> Method:
        """Cross-entropy of each token but a text's first."""
        return _Following(_tokens(trunk), setup, recipe)

    def forward_flops(self, trunk: Trunk) -> float:
        """Of the trunk, and of the head at each position."""
        return trunk.cost.flops + (_tokens(trunk).length - 1) * _head_flops(trunk)


class SameText(Pretext):
    """Which passages are of one text: the halves of a text lie closer to each other than to those of other texts (Giorgi et al.
    2021, arXiv:2006.03659, sec. 3, with one passage for anchor and positive each).

    No vocabulary is weighed, so that a step costs a fraction of one that guesses tokens.
    """

    passes: ClassVar[int] = 2

    temperature: Annotated[float, Field(gt=0, le=10)] = 0.1
    """By which the cosines are divided."""
    width: Annotated[int, Field(ge=1, le=4_096)] = 64
    """Of the space that passages are compared in."""
    fewest: Annotated[int, Field(ge=1)] = 16
    """Tokens that each half of a text must have; shorter texts are left out."""

    def examples(self, setup: Setup, split: Literal["train", "validation"]) -> Source:
        """The texts that are long enough."""
        found = super().examples(setup, split)
        if not isinstance(found, Examples):
            return found
        half = found.inputs.shape[1] // 2
        long = ((found.inputs[:, :half] != 0).sum(1) >= self.fewest) & ((found.inputs[:, half:] != 0).sum(1) >= self.fewest)
        return Examples(found.inputs[long], found.targets[long])

    def module(self, trunk: Trunk, body: nn.Sequential) -> nn.Module:
        """The trunk, the mean over a passage's tokens, and a linear layer."""
        return PassageModel(trunk, body, self.width)

    def method(self, trunk: Trunk, setup: Setup, recipe: Recipe) -> Method:
        """Cross-entropy of which of the batch's other halves is the text's own, from either half."""
        return _Passages(self, _tokens(trunk), setup, recipe)

    def forward_flops(self, trunk: Trunk) -> float:
        """Of both halves, and of their comparison with one other."""
        return 2.0 * (trunk.cost.flops + 2 * self.width * trunk.gives.axes[-1] + 2 * self.width)


class PassageModel(nn.Module):
    """A trunk and what makes a vector of length 1 of each passage."""

    def __init__(self, trunk: Trunk, body: nn.Sequential, width: int) -> None:
        super().__init__()
        _check_positions(trunk)
        self.trunk = body
        self.head = nn.Linear(trunk.gives.axes[-1], width)

    def forward(self, passages_NL: Tensor) -> Tensor:
        """(N, L) → (N, width)."""
        told_NL1 = (passages_NL != 0).unsqueeze(-1)
        mean_NC = (self.trunk(passages_NL) * told_NL1).sum(1) / told_NL1.sum(1).clamp(min=1)
        return functional.normalize(self.head(mean_NC), dim=-1)


class TokenModel(nn.Module):
    """A trunk and a head for tokens: linear, GELU, normalisation, and the product with the trunk's own vectors of tokens (Devlin
    et al. 2019, as their code has it; Press & Wolf 2017, arXiv:1608.05859). A trunk without such vectors gets some for the head.
    """

    def __init__(self, trunk: Trunk, body: nn.Sequential) -> None:
        super().__init__()
        vocabulary, gives = _tokens(trunk).vocabulary, _check_positions(trunk)
        own = next((one for one in body.modules() if isinstance(one, nn.Embedding) and one.num_embeddings == vocabulary), None)
        width = own.embedding_dim if own is not None else gives.channels
        self.trunk = body
        self.head = nn.Sequential(nn.Linear(gives.channels, width), nn.GELU(), nn.LayerNorm(width))
        self.bias = nn.Parameter(torch.zeros(vocabulary - 1))
        self.tokens: nn.Parameter = own.weight if own is not None else nn.Parameter(0.02 * torch.randn(vocabulary, width))  # type: ignore[assignment]

    def forward(self, inputs_NL: Tensor, asked_NL: Tensor) -> Tensor:
        """Logits (M, V - 1) at the positions where `asked_NL` is true, of all tokens but padding, whose vector stays 0."""
        hidden_MC = self.trunk(inputs_NL)[asked_NL]
        return functional.linear(self.head(hidden_MC), self.tokens[1:], self.bias)


class _OfTokens(Method):
    """Cross-entropy of tokens at positions whose target is not IGNORED."""

    whole = False

    def __init__(self, tokens: Tokens, setup: Setup, recipe: Recipe) -> None:
        super().__init__(setup.task, recipe)
        self.tokens = tokens

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        """Mean over the positions that count, 0 where none does."""
        asked_NL = targets != IGNORED
        nats = functional.cross_entropy(network(inputs, asked_NL), targets[asked_NL] - 1, reduction="sum")
        return nats / asked_NL.sum().clamp(min=1)

    def counted(self, targets: Tensor) -> Tensor:
        """How many positions count, which differs from part to part of a batch."""
        return (targets != IGNORED).sum()

    def measure(self, trained: nn.Module, examples: Feed | Examples, split: str, precision: Precision) -> dict[str, float]:
        """Bits a token, and the share that is right."""
        device = next(trained.parameters()).device
        feed, chance = as_feed(examples, device), torch.Generator().manual_seed(0)
        trained.eval()
        nats, right, count = 0.0, 0, 0
        with torch.inference_mode(), autocast(device, precision):
            for inputs, targets in feed.batches(torch.split(torch.arange(len(feed)), BATCH)):
                seen_NL, wanted_NL = self.prepare(inputs, targets, chance)
                asked_NL = wanted_NL != IGNORED
                logits_MV, wanted_M = trained(seen_NL, asked_NL).float(), wanted_NL[asked_NL] - 1
                nats += functional.cross_entropy(logits_MV, wanted_M, reduction="sum").item()
                right += int((logits_MV.argmax(1) == wanted_M).sum())
                count += len(wanted_M)
        return {f"{split}_bits_per_token": nats / max(1, count) / math.log(2), f"{split}_token_accuracy": right / max(1, count)}


class _Masking(_OfTokens):
    def __init__(self, pretext: MaskedTokens, tokens: Tokens, setup: Setup, recipe: Recipe) -> None:
        super().__init__(tokens, setup, recipe)
        self.pretext = pretext

    def prepare(self, inputs: Tensor, targets: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Texts with gaps, and what stood there; elsewhere IGNORED."""
        pretext, device = self.pretext, inputs.device
        inputs = _cut(inputs, self.tokens.length, chance)
        drawn_NL, fate_NL = (rand(inputs.shape, chance).to(device) for _ in range(2))
        others_NL = randint(1, self.tokens.vocabulary, inputs.shape, chance).to(device)
        asked_NL = (drawn_NL < pretext.share) & (inputs != 0)
        seen_NL = inputs.masked_fill(asked_NL & (fate_NL < pretext.hidden), pretext.mask)
        swapped_NL = asked_NL & (fate_NL >= pretext.hidden) & (fate_NL < pretext.hidden + pretext.changed)
        return torch.where(swapped_NL, others_NL, seen_NL), inputs.masked_fill(~asked_NL, IGNORED)


class _Following(_OfTokens):
    def prepare(self, inputs: Tensor, targets: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Texts, and at each position the token after it; IGNORED where one of both is padding, or the text ends."""
        inputs = _cut(inputs, self.tokens.length, chance)
        wanted_NL = torch.full_like(inputs, IGNORED)
        wanted_NL[:, :-1] = inputs[:, 1:]
        wanted_NL[:, :-1].masked_fill_((inputs[:, 1:] == 0) | (inputs[:, :-1] == 0), IGNORED)
        return inputs, wanted_NL


class _Passages(Comparing):
    whole = False

    def __init__(self, pretext: SameText, tokens: Tokens, setup: Setup, recipe: Recipe) -> None:
        super().__init__(setup.task, recipe)
        self.pretext = pretext
        self.tokens = tokens

    def prepare(self, inputs: Tensor, targets: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Texts as they are."""
        return inputs, targets

    def encode(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """The vectors of each text's first half and of its second, both (N, C)."""
        length, half = self.tokens.length, inputs.shape[1] // 2
        passages = [_fitted(part, length) for part in (inputs[:, :half], inputs[:, half:])]
        first_NC, second_NC = network(torch.cat(passages)).chunk(2)
        return first_NC, second_NC

    def compare(self, *encoded: Tensor) -> Tensor:
        """Mean over both directions."""
        scores_NN = self.scores(*encoded)
        own_N = torch.arange(len(scores_NN), device=scores_NN.device)
        return (functional.cross_entropy(scores_NN, own_N) + functional.cross_entropy(scores_NN.T, own_N)) / 2

    def scores(self, first_NC: Tensor, second_NC: Tensor) -> Tensor:
        """(N, N): how well each text's first half meets each text's second."""
        return first_NC @ second_NC.T / self.pretext.temperature

    def measure(self, trained: nn.Module, examples: Feed | Examples, split: str, precision: Precision) -> dict[str, float]:
        """The share of texts whose own half is the nearest of a hundred, and the loss."""
        device = next(trained.parameters()).device
        feed = as_feed(examples, device)
        trained.eval()
        right, loss, count = 0, 0.0, 0
        with torch.inference_mode(), autocast(device, precision):
            for inputs, targets in feed.batches(torch.split(torch.arange(len(feed)), HUNDRED)):
                both = self.encode(trained, inputs, targets)
                right += int((self.scores(*both).argmax(1) == torch.arange(len(inputs), device=device)).sum())
                loss += self.compare(*both).item() * len(inputs)
                count += len(inputs)
        return {f"{split}_loss": loss / max(1, count), f"{split}_same_text_accuracy": right / max(1, count)}


HUNDRED = 100
"""Texts among which a half is looked for where the pretext is measured."""


def _fitted(texts_NT: Tensor, length: int) -> Tensor:
    """The last `length` tokens, or all with padding before them."""
    return functional.pad(texts_NT[:, -length:], (max(0, length - texts_NT.shape[1]), 0))


def _cut(texts_NT: Tensor, length: int, chance: torch.Generator) -> Tensor:
    """A piece of each text, which begins anywhere in it; the whole of what is no longer."""
    spare = texts_NT.shape[1] - length
    if spare <= 0:
        return _fitted(texts_NT, length)
    begins_N1 = randint(0, spare + 1, (len(texts_NT), 1), chance)
    return texts_NT.gather(1, (begins_N1 + torch.arange(length)).to(texts_NT.device))


def _check_positions(trunk: Trunk) -> Sequence:
    """What the trunk gives, which must be something for each token.

    Raises:
        ModelError: it is not.
    """
    length, gives = _tokens(trunk).length, trunk.gives
    if not isinstance(gives, Sequence) or gives.length != length:
        raise ModelError(
            f"Texts are learned from at each of {length} positions, got {gives} before the head; leave out what shortens them."
        )
    return gives


def _tokens(trunk: Trunk) -> Tokens:
    if not isinstance(trunk.given, Tokens):
        raise ModelError(f"Tokens are learned from texts, got a benchmark that feeds {trunk.given}; take another pretext.")
    return trunk.given


def _head_flops(trunk: Trunk) -> float:
    """Of the head at one position; the vectors of tokens have the width of the trunk's end, or are taken to."""
    width = trunk.gives.axes[-1]
    return 2.0 * width * (width + _tokens(trunk).vocabulary)


def _looks_back(trunk: Trunk, body: nn.Sequential) -> bool:
    """Whether what stands at a position is the same whatever comes after it: two texts that differ in their last half alone."""
    tokens = _tokens(trunk)
    if not isinstance(trunk.gives, Sequence) or trunk.gives.length != tokens.length:
        return True  # which is another complaint
    half = tokens.length // 2
    generator = torch.Generator().manual_seed(0)
    texts_2L = torch.randint(1, tokens.vocabulary, (2, tokens.length), generator=generator)
    texts_2L[1, :half] = texts_2L[0, :half]
    was = body.training
    body.eval()
    with torch.inference_mode():
        one_LC, other_LC = body(texts_2L.to(next(body.parameters()).device))
    body.train(was)
    return bool(torch.allclose(one_LC[:half], other_LC[:half], rtol=1e-4, atol=1e-5))
