"""Names in two languages as tokens, in fixed splits by chance: all but 500 for training, 250 for validation, 250 for the test."""

import json
import tarfile
from pathlib import Path

import numpy as np

from nas.errors import BenchmarkError, DataMissing
from nas.training import Examples, Split, find_data
from nas.training.translation import Translation

FILE = "emojibase-data-17.0.0.tgz"
CACHE = Path("~/.cache/nas/emoji_names")
SOURCE, TARGET = 24, 28
"""Characters, at most; longer names are left out, one in nine."""

ALPHABET = " !&(),-./0123456789:ABCDEFGHIJKLMNOPQRSTUVWYZabcdefghijklmnopqrstuvwxyzÄÖßäéöü’“”„"
"""Characters of names of more than one emoji."""

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
    path = found[0]

    def examples(split: Split) -> Examples:
        pairs = read_pairs(path)
        order = np.random.RandomState(0).permutation(len(pairs))[_HELD_OUT[split]]
        return Examples(*task.tokens([pairs[n][0] for n in order], [pairs[n][1] for n in order], SOURCE + 1 + TARGET))

    task = Translation(examples, unit="character", alphabet=ALPHABET, place=SOURCE)
    return task


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """The English and the German name of each emoji that has both, each pair once and in order.

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
    pairs = {(name, german[code]) for code, name in english.items() if code in german}
    return sorted((name, other) for name, other in pairs if len(name) <= SOURCE and len(other) <= TARGET)
