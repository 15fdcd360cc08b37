"""Small questions to spaces of sequences, and examples for them: classes of texts and of series, tags, and the next token."""

from typing import Any

import torch

from nas.benchmark import Features, NextTokens, Sequence, Signature, Tokens
from nas.space import Architecture, Space

TEXTS = Signature(Tokens(24, 65), Features(2))
SERIES = Signature(Sequence(29, 12), Features(9))
TAGS = Signature(Sequence(29, 12), Sequence(29, 4))
NEXT = Signature(Tokens(32, 65), NextTokens(32, 65))


def inputs(signature: Signature) -> torch.Tensor:
    """Three examples by chance, the same each time."""
    generator = torch.Generator().manual_seed(0)
    given = signature.input
    if isinstance(given, Tokens):
        return torch.randint(given.vocabulary, (3, *given.axes), generator=generator)
    return torch.randn(3, *given.axes, generator=generator)


def architecture(space: Space, **answers: Any) -> Architecture:
    """The answers, by whole names or by their ends, and the first value of every choice that they leave open."""

    def choose(name: str, domain: Any) -> Any:
        last = name.rpartition(".")[2]
        return answers.get(name, answers.get(last, next(iter(domain))))

    return space.walk(choose)
