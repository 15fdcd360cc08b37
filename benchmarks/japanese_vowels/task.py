"""The utterances as sequences of one length, in fixed splits: 180 training, 90 validation, and the official 370 test.

Axes: N examples, L positions, C channels.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nas.errors import BenchmarkError, DataMissing, quote
from nas.training import Classification, Examples, Split, find_data, stratified_order

FILES = ("JapaneseVowels_TRAIN.ts", "JapaneseVowels_TEST.ts")

PACKAGES = ("sktime", "aeon")
"""Packages that ship the files, in PACKAGE/datasets/data/JapaneseVowels; nothing of them is imported."""

LENGTH, CHANNELS, SPEAKERS = 29, 12, 9

_SIZES: Mapping[str, int] = {FILES[0]: 270, FILES[1]: 370}
_VALIDATION = 90


def load(data: Path | None) -> Classification:
    """The task, from the two files in the folder `data`, else in the folder that NAS_DATA names, else in an installed package.

    Raises:
        DataMissing: the files are nowhere; says how to get them.
        BenchmarkError: they are not what they should be.
    """
    found = find_data(data, *FILES) or (_packaged() if data is None else None)
    if found is None:
        raise DataMissing(
            f"{FILES[0]} and {FILES[1]} are not {f'in {data}' if data else 'on this machine'}; install a package that ships them "
            "(pip install --no-deps sktime), or name a folder that holds them by --data or the environment variable NAS_DATA."
        )
    train, test = found

    def examples(split: Split) -> Examples:
        series_NLC, speakers_N = read_series(test if split == "test" else train)
        if split != "test":
            order = stratified_order(speakers_N)
            picked = order[:-_VALIDATION] if split == "train" else order[-_VALIDATION:]
            series_NLC, speakers_N = series_NLC[picked], speakers_N[picked]
        return Examples(torch.from_numpy(series_NLC), torch.from_numpy(speakers_N))

    return Classification(examples)


def _packaged() -> tuple[Path, Path] | None:
    """The files in a package that ships them; a package's folder is found without running any of its code."""
    for package in PACKAGES:
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            train, test = (Path(folder, "datasets", "data", "JapaneseVowels", name) for name in FILES)
            if train.is_file() and test.is_file():
                return train, test
    return None


def read_series(path: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The series (N, L, C) in a .ts file, zeros before those that are shorter, and the speakers (N,) from 0.

    A line of the file is one series: its channels and, last, its class, between colons; a channel's numbers between commas.
    What stands before `@data` says what the values of the lines say again, and is not read.

    Raises:
        BenchmarkError: the file is not of that form, or not of that size.
    """
    try:
        _, marker, body = path.read_text(encoding="utf-8").partition("\n@data\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchmarkError(f"{path} cannot be read: {error}.") from error
    lines = body.splitlines()
    expected = _SIZES[FILES["_TEST" in path.name]]
    if not marker or len(lines) != expected:
        raise BenchmarkError(f"{path} has {len(lines)} series after @data, {expected} are expected; fetch it again.")
    series_NLC = np.zeros((len(lines), LENGTH, CHANNELS), dtype=np.float32)
    speakers_N = np.empty(len(lines), dtype=np.int64)
    for n, line in enumerate(lines):
        *channels, label = line.split(":")
        try:
            values_LC = np.array([channel.split(",") for channel in channels], dtype=np.float32).T
            speakers_N[n] = range(1, SPEAKERS + 1).index(int(label))
            series_NLC[n, LENGTH - len(values_LC) :] = values_LC
            fits = values_LC.shape[1:] == (CHANNELS,) and np.isfinite(values_LC).all()
        except ValueError:
            fits = False
        if not fits:
            raise BenchmarkError(
                f"{path}: series {n + 1} is not {CHANNELS} channels of at most {LENGTH} numbers and a speaker from 1 to "
                f"{SPEAKERS}: {quote(line)}."
            )
    return series_NLC, speakers_N
