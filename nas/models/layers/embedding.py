"""The way in for tokens and sequences: whatever comes, a sequence of vectors of one width goes on.

Axes: N examples, L positions, C channels, V words of a vocabulary.
"""

from typing import ClassVar

import torch
from torch import nn

from nas.benchmark import Sequence, Shape, Tokens
from nas.models.layers.kind import Cost, Count, LayerKind, Share

DEVIATION = 0.1
"""Of the numbers that a table of vectors begins with. torch's is 1, from which rare words do not get away in a few epochs: on
film reviews small networks came out 1.5 to 11 points lower."""


class Embedding(LayerKind):
    """A vector of `features` numbers at each position.

    A token looks its vector up in a table, in which the padding, id 0, is the vector 0 and stays it; the positions of a sequence
    or a waveform go through one linear layer. So one space serves both.
    """

    accepts: ClassVar[tuple[type[Shape], ...]] = (Tokens, Sequence)
    costless: ClassVar[frozenset[str]] = frozenset({"dropout"})

    features: Count
    dropout: Share = 0.0

    def output(self, given: Shape, wanted: Shape) -> Sequence:  # noqa: ARG002 - the same for every layer
        """As many positions, `features` channels."""
        assert isinstance(given, Tokens | Sequence)  # noqa: S101 - the planner has checked `accepts`
        return Sequence(given.length, self.features)

    def cost(self, given: Shape, wanted: Shape) -> Cost:  # noqa: ARG002
        """Of the table, the padding's row included, in which looking up costs no multiply-adds; or of the linear layer."""
        if isinstance(given, Tokens):
            return Cost(params=given.vocabulary * self.features)
        assert isinstance(given, Sequence)  # noqa: S101
        weights = given.channels * self.features
        return Cost(params=weights + self.features, macs=weights * given.length)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:  # noqa: ARG002
        """torch's Embedding or Linear, and dropout where it is asked."""
        module: nn.Module
        if isinstance(given, Tokens):
            module = nn.Embedding(given.vocabulary, self.features, padding_idx=0)
            with torch.no_grad():
                module.weight.mul_(DEVIATION)
        else:
            assert isinstance(given, Sequence)  # noqa: S101
            module = nn.Linear(given.channels, self.features)
        return nn.Sequential(module, nn.Dropout(self.dropout)) if self.dropout else module
