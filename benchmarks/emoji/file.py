"""The file that the emoji data are in: where it lies, what it holds, and whether it is of this version.

Axes: N emoji, H height, W width, C colours, L characters, M mel bands, T frames, G languages.
"""

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.errors import BenchmarkError, DataMissing
from nas.training import find_data

FILE = "emoji.npz"
HOME = Path.home() / ".cache" / "nas" / "emoji"
LENGTH = 32
"""Characters of a name, at most."""

ARRAYS = ("emoji", "group", "picture", "name", "alphabet", "speech")
DIGEST = "5ce969043f28b2bd38133301239260acbc9710f7b5c877052c7fef2b0c8cfdd7"
"""Of the arrays of version 1: Debian 12's fonts-noto-color-emoji 2.042 and espeak-ng 1.51, emojibase-data 17.0.0."""


def digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of the arrays, by name, shape, type and content."""
    found = hashlib.sha256()
    for name in ARRAYS:
        array = arrays[name]
        found.update(f"{name} {array.shape} {array.dtype.str}\n".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def read(data: Path | None) -> dict[str, NDArray[Any]]:
    """The arrays: emoji (N,), group (N,), picture (N, H, W, C), name (N, G, L), alphabet and speech (N, M, T).

    Raises:
        DataMissing: the file is nowhere; says how to make it.
        BenchmarkError: it is not what was made for this version.
    """
    found = find_data(data, FILE) or (find_data(HOME, FILE) if data is None else None)
    if found is None:
        raise DataMissing(
            f"The emoji are not {f'in {data}' if data else 'on this machine'}; make them by `python -m benchmarks.emoji.make`, "
            "which needs npm, fonts-noto-color-emoji and espeak-ng, or name the folder of emoji.npz by --data or NAS_DATA."
        )
    path = found[0]
    try:
        with path.open("rb") as file, np.load(file) as archive:  # numpy leaves a broken file open where it has opened it
            arrays = {name: archive[name] for name in ARRAYS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BenchmarkError(f"{path} is no .npz file of {', '.join(ARRAYS)}: {error}.") from error
    if digest(arrays) != DIGEST:
        raise BenchmarkError(
            f"{path} holds other emoji than version 1 of the data, {digest(arrays)[:12]} for {DIGEST[:12]}; make it by "
            "fonts-noto-color-emoji 2.042, espeak-ng 1.51 and emojibase-data 17.0.0."
        )
    return arrays
