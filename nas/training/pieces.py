"""Texts as pieces: characters, and what often stands together in the texts that are learned from (byte-pair encoding).

Learned as Sennrich et al. 2016 do (arXiv:1508.07909, sec. 3.2): the two neighbours that stand together most often become one
piece, again and again. No piece goes over a space, which belongs to the word behind it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from nas.errors import BenchmarkError, quote

Merge = tuple[str, str]
"""Two neighbours that become one piece."""


@dataclass(frozen=True)
class Pieces:
    """A text's pieces: characters, of which neighbours are joined by `merges`, the first learned first."""

    alphabet: str
    """Each character once."""
    merges: tuple[Merge, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if len(set(self.alphabet)) < len(self.alphabet):
            raise BenchmarkError(f"An alphabet has each of its characters once, got {quote(self.alphabet)}.")
        if len(set(self.all)) < len(self.all):
            raise BenchmarkError("Pieces differ from each other; two merges give the same one.")

    @cached_property
    def all(self) -> tuple[str, ...]:
        """Every piece: the alphabet's characters, and what merges give."""
        return (*self.alphabet, *(one + other for one, other in self.merges))

    @cached_property
    def _ranks(self) -> dict[Merge, int]:
        return {merge: rank for rank, merge in enumerate(self.merges)}

    def split(self, text: str) -> list[str]:
        """The pieces of a text, in their order; characters that are none of the alphabet's stay alone."""
        return [piece for word in _words(text) for piece in self._split(word)]

    def _split(self, word: str) -> Iterator[str]:
        pieces = list(word)
        while found := [(self._ranks[both], place) for place, both in enumerate(pairwise(pieces)) if both in self._ranks]:
            _, place = min(found)
            pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]
        yield from pieces


def learn_pieces(texts: Iterable[str], alphabet: str, merges: int) -> Pieces:
    """Pieces with at most so many `merges`: of neighbours that stand together twice at least in `texts`.

    Of pairs that are equally frequent the first by the alphabet is joined, and none that would give a piece a second time.
    """
    known = set(alphabet)
    every = Counter(word for text in texts for word in _words(text))
    words: dict[tuple[str, ...], int] = {tuple(word): count for word, count in every.items()}
    learned: dict[str, Merge] = {}
    for _ in range(merges):
        counts: Counter[Merge] = Counter()
        for word, count in words.items():
            for both in pairwise(word):
                counts[both] += count
        often = ((-count, both) for both, count in counts.items() if count > 1)
        best = min((one for one in often if (piece := "".join(one[1])) not in learned and known.issuperset(piece)), default=None)
        if best is None:
            break
        _, both = best
        learned["".join(both)] = both
        words = {_join(word, both): count for word, count in words.items()}
    return Pieces(alphabet, tuple(learned.values()))


def _words(text: str) -> list[str]:
    """Words, each with the space before it."""
    return re.findall(" ?[^ ]+| +", text)


def _join(word: Sequence[str], both: Merge) -> tuple[str, ...]:
    joined: list[str] = []
    for piece in word:
        # A piece that was just joined is longer than the first of the two, so that "aaa" becomes "aa", "a".
        if joined and (joined[-1], piece) == both:
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)
