"""Files that are there whole, or not at all, and that lie where they belong."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nas.errors import PathError, quote

LONGEST_NAME = 255
"""Bytes of a file's name, as file systems have it."""


def inside(folder: Path, name: str) -> Path:
    """The path of `name` in `folder`, for a name that somebody else wrote: in a ledger, a sidecar, a message.

    Raises:
        PathError: `name` is no name of one file or folder, or stands for a link that leads out of `folder`.
    """
    plain = isinstance(name, str) and name.isprintable() and name not in {"", ".", ".."} and not set(name) & set("/\\:")
    if not plain or len(name.encode()) > LONGEST_NAME:
        raise PathError(f"A name in the folder {quote(folder.name)} is one file's or folder's, got {quote(name)}; rename it.")
    path = folder / name
    try:
        lies_in = path.resolve().parent
    except (OSError, RuntimeError) as error:  # links in a circle
        raise PathError(f"The name {quote(name)} in the folder {quote(folder.name)} leads nowhere; remove it.") from error
    if lies_in != folder.resolve():
        raise PathError(f"The link {quote(name)} leads out of the folder {quote(folder.name)}; remove it.")
    return path


def write_whole(data: bytes, path: Path) -> None:
    """Write `data` to the disk, and only then under the name `path`, so that the name is of a whole file, whenever it all stops.

    Raises:
        OSError: the file cannot be written; what was there is as it was.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill: what is in it when all went well stands under the name `path`, and nothing where it did not.

    Raises:
        PathError: there is something at `path` already.
        OSError: it cannot be written there.
    """
    if path.is_symlink() or (path.exists() and (not path.is_dir() or any(path.iterdir()))):
        raise PathError(f"There is something at {quote(str(path))} already; name a folder that is not there, or an empty one.")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    unfinished.mkdir()
    try:
        yield unfinished
        if path.is_dir() and os.name != "posix":  # there a folder takes the place of an empty one
            path.rmdir()
        unfinished.replace(path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
