"""Pairs of a table: which columns hold them, and which belong together.

a text and another text     what one says in the other's language: source and target
a picture and a text        the picture's file is named in a column: captions
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from nas.datasets import texts
from nas.datasets.grids import Grid
from nas.datasets.listing import PICTURES, Listing
from nas.datasets.tables import is_number
from nas.errors import BenchmarkError, did_you_mean, quote

LONGEST = 100
"""Characters of a text that are chosen; `--length` asks for more."""

MOST_CHARACTERS = 2_000
"""Of an alphabet."""

_SOURCE = ("source", "src", "input", "from", "question")
_TARGET = ("target", "tgt", "output", "to", "answer")
_CAPTION = ("caption", *texts.TEXT)
_LOOKED_AT = 200


class Pictured:
    """Which picture of a folder a cell names: by its path, or by its name alone where one picture has it."""

    def __init__(self, files: Iterable[str]) -> None:
        """`files` are paths from the folder."""
        paths = [file for file in files if os.path.splitext(file)[1].lower() in PICTURES]
        names = Counter(path.rpartition("/")[2] for path in paths)
        self._paths: Mapping[str, str] = {
            **{name: path for path in paths if names[name := path.rpartition("/")[2]] == 1},
            **{path: path for path in paths},
        }

    def path(self, cell: str) -> str | None:
        """From the folder; None where there is none."""
        return self._paths.get(cell.removeprefix("./"))

    def column(self, grid: Grid) -> str | None:
        """The first column most of whose cells name pictures."""
        for name in grid.names:
            cells = grid.column(name)[:_LOOKED_AT]
            if 2 * sum(self.path(cell) is not None for cell in cells) > len(cells):
                return name
        return None


def has_captions(grid: Grid, listing: Listing) -> bool:
    """Whether a table names the folder's pictures beside texts, and no classes."""
    picture = Pictured(listing.files).column(grid)
    return picture is not None and _caption(grid, picture) is not None


def _caption(grid: Grid, picture: str) -> str | None:
    others = {name.lower(): name for name in grid.names if name != picture}
    return next((others[one] for one in _CAPTION if one in others), None) or texts.longest(grid, picture)


def choose_caption(grid: Grid, picture: str, text: str | None) -> str:
    """The column of captions.

    Raises:
        BenchmarkError: it is not told, and not to be guessed.
    """
    if text is not None:
        grid.column(text)
    found = text or _caption(grid, picture)
    if found is None or found == picture:
        others = [name for name in grid.names if name != picture]
        raise BenchmarkError(f"{grid.file} has no column of captions; {did_you_mean('caption', others)} Name it by --text.")
    return found


def are_text_pairs(grid: Grid) -> bool:
    """Whether two columns, called source and target or the only ones, are texts that mostly differ."""
    both = _named(grid) or (grid.names if len(grid.names) == 2 and not _labelled(grid) else ())
    some = [grid.column(name)[:1_000] for name in both]
    return bool(some) and all(not is_number(cells) and len(set(cells)) > 0.5 * len(cells) for cells in some)


def _labelled(grid: Grid) -> bool:
    return any(name.lower() in texts.LABEL for name in grid.names)


def choose_pair(grid: Grid, source: str | None, target: str | None) -> tuple[str, str]:
    """The columns of sources and of targets.

    Raises:
        BenchmarkError: they are not told, and not to be guessed.
    """
    for given in (source, target):
        if given is not None:
            grid.column(given)
    named = _named(grid) or (grid.names[:2] if len(grid.names) == 2 else (None, None))
    source, target = source or next((one for one in named if one != target), None), target or named[1]
    if source is None or target is None or source == target:
        raise BenchmarkError(
            f"Pairs of texts are two columns, and {grid.file} has {', '.join(map(quote, grid.names[:6]))}; name the source by "
            "--text and the target by --target."
        )
    return source, target


def _named(grid: Grid) -> tuple[str, str] | None:
    named = {name.lower(): name for name in grid.names}
    found = [next((named[one] for one in ones if one in named), None) for ones in (_SOURCE, _TARGET)]
    return (found[0], found[1]) if found[0] is not None and found[1] is not None else None


def plain(text: str) -> str:
    """A text of a pair as it is learned: on one line, without what does not print."""
    return "".join(one for one in " ".join(text.split()) if one.isprintable())


def choose_length(lengths: Sequence[int]) -> int:
    """What nineteen of twenty texts fit in, up to LONGEST characters."""
    return int(min(LONGEST, max(1, np.ceil(np.quantile(lengths, 0.95)))))


def make_alphabet(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """The characters that stand in more than one text, the most frequent ones, in their order.

    Raises:
        BenchmarkError: there are none.
    """
    counts = Counter(one for pair in pairs for text in pair for one in set(text))
    known = sorted((one for one, count in counts.items() if count > 1), key=lambda one: (-counts[one], one))
    if not known:
        raise BenchmarkError("No character stands in two of the training texts; give more of them.")
    return sorted(known[:MOST_CHARACTERS])


def groups(pairs: Sequence[tuple[str, str]]) -> list[int]:
    """A number for each pair, equal where two share what they hold, or share it with a third; in the order of their first."""
    above = list(range(len(pairs)))

    def top(n: int) -> int:
        while above[n] != n:
            above[n] = above[above[n]]
            n = above[n]
        return n

    first: dict[tuple[int, str], int] = {}
    for n, pair in enumerate(pairs):
        for side in enumerate(pair):
            one, other = sorted((top(n), top(first.setdefault(side, n))))
            above[other] = one
    return [top(n) for n in range(len(pairs))]
