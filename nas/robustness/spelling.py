"""How tokens are spelt, so that letters in them can be wrong: a token's text → another text → the tokens that are read there.

Axes: N texts, L positions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from nas.chance import rand

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Spelling:
    """The vocabulary's texts."""

    read: Callable[[], Sequence[str]]
    """Gives the text of each token, in the order of their ids; asked for once, when it is needed."""
    unknown: int
    """The id of what no token spells."""
    whole: bool = False
    """Whether a token is a word, so that what is no word of the vocabulary is unknown, and not read in pieces."""

    @cached_property
    def texts(self) -> Sequence[str]:
        """The text of each token."""
        return self.read()

    @cached_property
    def ids(self) -> dict[str, int]:
        """Text → id."""
        return {text: number for number, text in enumerate(self.texts) if text}

    @cached_property
    def longest(self) -> int:
        """Characters of the longest token."""
        return max(map(len, self.ids), default=1)

    def tokens_of(self, text: str) -> list[int]:
        """The tokens of `text`, the longest that fits first; a character that no token begins with is unknown."""
        if self.whole:
            return [self.ids.get(text, self.unknown)]
        found, at = [], 0
        while at < len(text):
            for length in range(min(self.longest, len(text) - at), 0, -1):
                if (number := self.ids.get(text[at : at + length])) is not None:
                    found.append(number)
                    at += length
                    break
            else:
                found.append(self.unknown)
                at += 1
        return found


def misspell(tokens_NL: Tensor, share: float, spelling: Spelling, chance: torch.Generator) -> Tensor:
    """Each text with a share of its words' tokens spelt wrong, and read again; as long as before, the beginning cut off.

    Only tokens of two letters and more are changed. `chance` lives on the CPU.
    """
    drawn_NL3 = rand((*tokens_NL.shape, 3), chance).tolist()
    rows = []
    length = tokens_NL.shape[1]
    for row, chances in zip(tokens_NL.tolist(), drawn_NL3, strict=True):
        found: list[int] = []
        for number, (whether, how, where) in zip(row, chances, strict=True):
            text = spelling.texts[number] if number else ""
            if whether < share and len(text) > 1 and text.isalpha():
                found += spelling.tokens_of(_wrong(text, how, where))
            elif number:  # 0 fills up
                found.append(number)
        found = found[-length:]
        rows.append([0] * (length - len(found)) + found)
    return torch.tensor(rows, dtype=tokens_NL.dtype, device=tokens_NL.device)


def _wrong(text: str, how: float, where: float) -> str:
    """`text` with one letter swapped with the next, left out, doubled, or another, by `how`, at `where`, shares of 1."""
    kind, at = int(4 * how), int(where * (len(text) - 1))
    if kind == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if kind == 1:
        return text[:at] + text[at + 1 :]
    if kind == 2:
        return text[: at + 1] + text[at:]
    other = LETTERS[int((4 * how - kind) * len(LETTERS))]
    return text[:at] + other + text[at + 1 :]
