"""One text made of another: a language model over both, the source first, of which only the target counts.

    source, at the end of its place | BEGIN | target | END | nothing

The target begins at the same place in every example, so that a batch can be written out together, and no position tells how
long a target is before it has been written.

Axes: N examples, L positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from nas.errors import BenchmarkError, quote
from nas.training.kinds import NextToken
from nas.training.meters import IGNORED
from nas.training.pieces import Pieces

PADDING, BEGIN, END, UNKNOWN = range(4)
FIRST = 4
"""Token of the first piece."""


@dataclass(frozen=True)
class Translation(NextToken):
    """The target's next piece, by logits (N, L, FIRST + pieces) and tokens (N, L), and texts from and to tokens."""

    pieces: Pieces = field(kw_only=True)
    """What texts are made of; other characters become one unknown."""
    place: int = field(kw_only=True)
    """Positions of the source; what is longer is refused."""

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {piece: FIRST + n for n, piece in enumerate(self.pieces.all)}

    def tokens(self, sources: Sequence[str], targets: Sequence[str], length: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets, both (N, L).

        Raises:
            BenchmarkError: a text does not fit into its place.
        """
        inputs_NL = torch.full((len(sources), length), PADDING)
        wanted_NL = torch.full((len(sources), length), IGNORED)
        for n, (source, target) in enumerate(zip(sources, targets, strict=True)):
            given, said = self._ids(source), [*self._ids(target), END]
            if len(given) > self.place or self.place + len(said) > length:
                raise BenchmarkError(
                    f"A source has at most {self.place} pieces and its target {length - self.place - 1}, "
                    f"got {quote(source)} and {quote(target)}."
                )
            inputs_NL[n, self.place - len(given) : self.place + len(said)] = torch.tensor([*given, BEGIN, *said[:-1]])
            wanted_NL[n, self.place : self.place + len(said)] = torch.tensor(said)
        return inputs_NL, wanted_NL

    def read(self, ids_NL: Tensor) -> list[str]:
        """The text of each row up to END; unknown characters are the replacement character."""
        texts = []
        pieces = self.pieces.all
        for row in ids_NL.tolist():
            said = row[: row.index(END)] if END in row else row
            texts.append("".join(pieces[one - FIRST] if one >= FIRST else "\ufffd" for one in said if one > BEGIN))
        return texts

    def _ids(self, text: str) -> list[int]:
        return [self._numbers.get(piece, UNKNOWN) for piece in self.pieces.split(text)]
