"""Arrays that were made of a user's files, kept for the next command, so that pictures and sounds are decoded once.

They lie in ~/.cache/nas/folders, or the folder that NAS_CACHE names; nowhere where that is empty. What is kept is found again by
the benchmark's digest and by each file's name, size and time of change: a file that changes, but in none of these, is taken as it
was.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

VARIABLE = "NAS_CACHE"
FOLDER = Path("~/.cache/nas/folders")

MOST_BYTES = 4 * 2**30
"""Of all that is kept; what was used least lately goes first."""

SETTLED_SECONDS = 2.0
"""A file that changed later than so long ago may change again at the same time, as its file system tells times."""

Arrays = Mapping[str, NDArray[Any]]


def name(folder: Path, files: Iterable[str], decided_by: Mapping[str, Any]) -> str | None:
    """What arrays of `files` in `folder` are kept under; None where a file is not there, or has only just changed.

    `decided_by` is plain data: all beside the files that decides what the arrays are.
    """
    found = hashlib.sha256(json.dumps(decided_by, sort_keys=True).encode())
    for file in files:
        try:
            told = os.stat(folder / file)
        except OSError:
            return None
        if time.time() - told.st_mtime < SETTLED_SECONDS:
            return None
        found.update(f"\0{file}\0{told.st_size}\0{told.st_mtime_ns}".encode())
    return found.hexdigest()[:32]


def kept(called: str) -> Arrays | None:
    """The arrays that were kept under a name; None where there are none that can be read."""
    path = _path(called)
    if path is None or not path.is_file():
        return None
    try:
        found: Arrays = safetensors.numpy.load_file(path)
        os.utime(path)
    except (OSError, SafetensorError, ValueError):
        return None
    return found


def keep(called: str, arrays: Arrays) -> None:
    """Keep `arrays`, whole or not at all; a folder that cannot be written costs time, and no more."""
    path = _path(called)
    if path is None or sum(one.nbytes for one in arrays.values()) > MOST_BYTES // 2:
        return
    beside = path.with_name(f"{called}-{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        safetensors.numpy.save_file({name: np.ascontiguousarray(one) for name, one in arrays.items()}, beside)
        beside.replace(path)
        _make_room(path.parent)
    except OSError:
        with suppress(OSError):
            beside.unlink()


def _path(called: str) -> Path | None:
    folder = os.environ.get(VARIABLE)
    if folder == "":
        return None
    return Path(folder or FOLDER).expanduser() / f"{called}.safetensors"


def _make_room(folder: Path) -> None:
    """Remove what was used least lately, as far as more is kept than may be."""
    files = sorted((one.stat().st_mtime, one.stat().st_size, one) for one in folder.glob("*.safetensors"))
    total = sum(size for _, size, _ in files)
    for _, size, file in files:
        if total <= MOST_BYTES:
            break
        file.unlink(missing_ok=True)
        total -= size
