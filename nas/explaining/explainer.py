"""What an explainer is asked, and what it answers; ours and other teams' are found by the entry points of `nas.explainers`.

    network, inputs, which output → attributions: how much each place of each input adds to that output

Axes: N examples, … an example's own: (C, H, W) of an image, (L, C) of a sequence, (L,) of tokens, (F,) of features.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from nas import registry
from nas.benchmark import Features, Image, NextTokens, Sequence, Signature, Tokens
from nas.errors import ExplainError, RegistryError, quote
from nas.models.layers.ngrams import BagOfNgrams


@dataclass(frozen=True)
class Asked:
    """A network, its inputs, and which of its outputs is to be explained."""

    network: nn.Module
    """In evaluation mode; gives (N, K)."""
    inputs: Tensor
    """(N, …), as the benchmark feeds them."""
    outputs_N: Tensor
    """Of each example the number of the output that is explained."""
    signature: Signature

    @property
    def baseline(self) -> Tensor:
        """(N, …), what says nothing: zeros, which are silence, padding, or the mean where inputs are standardised."""
        return torch.zeros_like(self.inputs)

    @property
    def is_of_tokens(self) -> bool:
        """Whether inputs are ids, between which there is nothing."""
        return isinstance(self.signature.input, Tokens)

    def answer(self, inputs: Tensor) -> Tensor:
        """(N,), the outputs that are explained, of other `inputs` in the examples' place."""
        with torch.no_grad():
            outputs_NK: Tensor = self.network(inputs)
        return outputs_NK.gather(1, self.outputs_N.unsqueeze(1)).squeeze(1)

    def embedding(self) -> nn.Embedding:
        """The table that turns tokens into vectors, on which alone a gradient can be taken.

        Raises:
            ExplainError: there is none, or runs of tokens have a table too.
        """
        vocabulary = self.signature.input.vocabulary if isinstance(self.signature.input, Tokens) else 0
        if any(isinstance(module, BagOfNgrams) for module in self.network.modules()):
            raise ExplainError("Gradients reach tokens one by one, and this network looks up runs of them; use occlusion.")
        for module in self.network.modules():
            if isinstance(module, nn.Embedding) and module.num_embeddings == vocabulary:
                return module
        raise ExplainError(
            f"Gradients reach tokens through a table of {vocabulary:,} vectors, and this network has none; use occlusion."
        )


class Explainer(Protocol):
    """Says of each place of an input how much it adds to an output; what an entry point of `nas.explainers` names."""

    sums: bool
    """Whether attributions add up to the output's difference from that of the baseline; then it is looked at whether they do."""
    tells: str
    """What a place's number is, for people: "how much a place adds to the answer"."""

    def __call__(self, asked: Asked) -> Tensor:
        """(N, …), of the inputs' axes, or without the channels of an image or a sequence.

        Raises:
            ExplainError: it cannot explain such a network.
        """


def find_explainer(name: str) -> Explainer:
    """The explainer of that name, made ready.

    Raises:
        RegistryError: there is none of that name, or it is no explainer.
    """
    found = registry.load(registry.EXPLAINERS, name)
    made = found() if isinstance(found, type) else found
    told = isinstance(getattr(made, "sums", None), bool) and isinstance(getattr(made, "tells", None), str)
    if not callable(made) or not told:
        raise RegistryError(
            f"The explainer {quote(name)} must be called with what is asked, say in `sums` whether its attributions add up, and "
            f"in `tells` what they are; got {quote(found)}."
        )
    return cast(Explainer, made)


class Says(nn.Module):
    """A network as explainers ask it: (N, K), of a network that answers at each position what it says at the last."""

    def __init__(self, network: nn.Module, signature: Signature) -> None:
        """Take `network` as it is.

        Raises:
            ExplainError: what it gives is no answer that one number of each example stands for.
        """
        super().__init__()
        if not isinstance(signature.output, Features | NextTokens):
            raise ExplainError(f"An explanation is of one answer for each example, got {signature.output}.")
        if not isinstance(signature.input, Image | Sequence | Tokens | Features):
            raise ExplainError(f"Pictures, sounds, sequences, texts and numbers are explained, got {signature.input}.")
        self.network = network
        self.last = isinstance(signature.output, NextTokens)

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, K)."""
        outputs: Tensor = self.network(inputs)
        return outputs[:, -1] if self.last else outputs


def explained_by(explainer: Explainer, asked: Asked) -> Tensor:
    """The attributions of `explainer`, looked at: finite numbers, of places that the inputs have; detached, on the CPU.

    Channels of a picture and of a sound are added up, so that a place has one number.

    Raises:
        ExplainError: they are not, or it cannot explain such a network.
    """
    with _differentiable():
        given: Any = explainer(asked)
    inputs, shape = asked.inputs, asked.signature.input
    places = {tuple(inputs.shape)}
    if isinstance(shape, Image):
        places.add((len(inputs), shape.height, shape.width))
    elif isinstance(shape, Sequence):
        places.add((len(inputs), shape.length))
    if not isinstance(given, Tensor) or tuple(given.shape) not in places:
        got = f"axes {tuple(given.shape)}" if isinstance(given, Tensor) else quote(given)
        raise ExplainError(f"Attributions have the axes of the inputs, {' or '.join(map(str, sorted(places)))}, got {got}.")
    values = given.detach().double().cpu()
    if not values.isfinite().all():
        raise ExplainError("An attribution is not a finite number; the network's outputs or gradients are not either.")
    if isinstance(shape, Image) and values.ndim == 4:
        return values.sum(1)
    if isinstance(shape, Sequence) and values.ndim == 3 and shape.channels == 1:
        return values.squeeze(2)
    return values


@contextmanager
def _differentiable() -> Iterator[None]:
    """Where gradients can be taken of networks in evaluation mode: cuDNN's recurrent layers give none there."""
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        yield
