"""Rows of text → ids of words: which columns hold them, a vocabulary of the training texts, and each text by it.

Axes: N texts, L positions.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from nas.datasets.grids import Grid
from nas.errors import BenchmarkError, did_you_mean, quote

PADDING, UNKNOWN = "[PAD]", "[UNK]"
"""Ids 0 and 1."""

MOST_WORDS = 10_000
"""Of a vocabulary."""

LONGEST = 128
"""Words of a text that are chosen; `--length` asks for more."""

TEXT = ("text", "sentence", "review", "content", "document", "message", "comment", "body", "title")
"""What people call a column of texts, in small letters."""

LABEL = ("label", "class", "category", "target", "sentiment", "topic", "y")
"""What people call a column of classes."""

# Chinese, Japanese and Thai write no spaces between words: there a sign is one.
_WORD = re.compile(
    r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+|[^\w\s]"
)


def is_text(grid: Grid) -> bool:
    """Whether a column holds texts: by its name, or since its cells are words rather than numbers or a few values."""
    return longest(grid) is not None


def choose_columns(grid: Grid, text: str | None, label: str | None) -> tuple[str, str]:
    """The columns of texts and of labels.

    Raises:
        BenchmarkError: they are not told, and not to be guessed.
    """
    for given in (text, label):
        if given is not None:
            grid.column(given)
    named = {name.lower(): name for name in grid.names}
    text = text or next((named[one] for one in TEXT if one in named and named[one] != label), None) or longest(grid, label)
    if text is None:
        raise BenchmarkError(f"{grid.file} has no column of texts; {did_you_mean('text', grid.names)} Name it by --text.")
    others = [name for name in grid.names if name != text]
    label = label or next((named[one] for one in LABEL if one in named and named[one] != text), None)
    label = label or (others[0] if len(others) == 1 else None)
    if label is None:
        raise BenchmarkError(f"{grid.file} has no column 'label'. {did_you_mean('label', others)} Name it by --target.")
    return text, label


def longest(grid: Grid, but: str | None = None) -> str | None:
    """The column whose cells are the longest texts, of those that differ mostly and have several words each."""
    found: dict[str, float] = {}
    for name in grid.names:
        cells = grid.column(name)[:1_000]
        words = sum(cell.count(" ") for cell in cells) / len(cells)
        if name != but and words >= 1 and len(set(cells)) > 0.5 * len(cells):
            found[name] = words
    return max(found, key=lambda name: found[name], default=None)


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, marks of punctuation being some."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


def make_vocabulary(texts: Iterable[Sequence[str]]) -> list[str]:
    """Padding, the unknown, and the words that texts have most often, twice at least; of equal ones the first by the alphabet."""
    counts = Counter(word for words in texts for word in words if word.isprintable())
    known = sorted((word for word, count in counts.items() if count > 1), key=lambda word: (-counts[word], word))
    if not known:
        raise BenchmarkError("No word stands twice in the training texts; give more of them.")
    return [PADDING, UNKNOWN, *known[: MOST_WORDS - 2]]


def choose_length(texts: Sequence[Sequence[str]]) -> int:
    """What nineteen of twenty texts fit in, up to LONGEST."""
    return int(min(LONGEST, max(4, np.ceil(np.quantile([len(words) for words in texts], 0.95)))))


def encode(texts: Iterable[str], vocabulary: Sequence[str], length: int) -> NDArray[np.int64]:
    """(N, L): the first words of each text, after so many zeros as are missing."""
    ids = {word: n for n, word in enumerate(vocabulary) if n > 1}
    rows = []
    for text in texts:
        row = [ids.get(word, 1) for word in words_of(text)[:length]]
        rows.append([0] * (length - len(row)) + row)
    return np.array(rows, dtype=np.int64).reshape(-1, length)


def read_vocabulary(text: str) -> list[str]:
    """The words of a file of them, one a line."""
    words = text.split("\n")[:-1]
    if words[:2] != [PADDING, UNKNOWN]:
        raise BenchmarkError(f"A vocabulary begins with {PADDING} and {UNKNOWN}, got {quote(words[:2])}.")
    return words
