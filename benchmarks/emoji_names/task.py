"""Names in two languages as pieces of words, in fixed splits by chance: 250 to validate, 250 to test, the rest to learn from."""

import json
import tarfile
from pathlib import Path

import numpy as np

from nas.errors import BenchmarkError, DataMissing
from nas.training import Examples, Split, find_data
from nas.training.pieces import Pieces, learn_pieces
from nas.training.recombining import coined, recombined
from nas.training.translation import Translation

FILE = "emojibase-data-17.0.0.tgz"
CACHE = Path("~/.cache/nas/emoji_names")
SOURCE, TARGET = 24, 28
"""Characters, at most, of what is validated and tested; longer names, one in nine, are to learn from alone."""

ALPHABET = " !&(),-./0123456789:ABCDEFGHIJKLMNOPQRSTUVWYZabcdefghijklmnopqrstuvwxyzÄÖßäéöü’“”„"
"""Characters of names of more than one emoji."""

MERGES = 400
"""Of pieces, which are learned of the training names."""

PLACE, SAID = 14, 16
"""Pieces of the longest of these names, English and German; of those to learn from alone, what has more is left out."""

SHOWN, MADE, COINED = 4, 6_000, 2_400
"""In an epoch: how often each pair to learn from is shown, and how many are made of them, and with made-up names; some of these
have too many pieces."""

_HELD_OUT = {"train": slice(None, -500), "validation": slice(-500, -250), "test": slice(-250, None)}


def load(data: Path | None) -> Translation:
    """The task, from the package's archive: the file or in the folder `data`, else in NAS_DATA's folder, else in the cache.

    Raises:
        DataMissing: it is nowhere; says how to get it.
        BenchmarkError: it is another one.
    """
    found = find_data(data, FILE) or (find_data(CACHE.expanduser(), FILE) if data is None else None)
    if found is None:
        raise DataMissing(
            f"{FILE} is not {f'in {data}' if data else 'on this machine'}; fetch it by `npm pack emojibase-data@17.0.0` "
            f"and name it by --data, or put it into {CACHE} or the folder that the environment variable NAS_DATA names."
        )
    short, longer = read_pairs(found[0])
    order = np.random.RandomState(0).permutation(len(short))
    named = {split: [short[n] for n in order[held]] for split, held in _HELD_OUT.items()}
    pieces = learn_pieces((name for pair in named["train"] for name in pair), ALPHABET, MERGES)
    known = named["train"] + longer
    held_out = {*named["validation"], *named["test"]}
    more = [pair for pair in recombined(known, MADE) + coined(known, COINED) if pair not in held_out]
    named["train"] = [pair for pair in SHOWN * known + more if _fits(pieces, pair)]

    def examples(split: Split) -> Examples:
        sources, targets = zip(*named[split], strict=True)
        return Examples(*task.tokens(sources, targets, PLACE + SAID + 1))

    task = Translation(examples, pieces=pieces, place=PLACE)
    return task


def _fits(pieces: Pieces, pair: tuple[str, str]) -> bool:
    return all(len(pieces.split(name)) <= most for name, most in zip(pair, (PLACE, SAID), strict=True))


def read_pairs(path: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The English and the German name of each emoji that has both, each pair once and in order: the short ones, and the longer.

    Raises:
        BenchmarkError: the archive is not of that form.
    """
    try:
        with tarfile.open(path) as archive:
            english, german = (
                {one["hexcode"]: one["label"] for one in json.load(archive.extractfile(f"package/{language}/data.json"))}  # type: ignore[arg-type]
                for language in ("en", "de")
            )
    except (OSError, tarfile.TarError, KeyError, ValueError, TypeError) as error:
        raise BenchmarkError(f"{path} is no archive of emojibase-data: {' '.join(str(error).split())[:200]}") from error
    pairs = sorted({(name, german[code]) for code, name in english.items() if code in german})
    short = [len(name) <= SOURCE and len(other) <= TARGET for name, other in pairs]
    return [pair for pair, fits in zip(pairs, short, strict=True) if fits], [
        pair for pair, fits in zip(pairs, short, strict=True) if not fits
    ]
