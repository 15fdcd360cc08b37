"""Files that are there whole, or not at all, and that lie where they belong."""

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nas.errors import PathError, quote

LONGEST_NAME = 255
"""Bytes of a file's name, as file systems have it."""

ABANDONED_SECONDS = 3600
"""After which an unfinished folder that no file was added to is nobody's."""

_UNFINISHED = ".part"


def from_here(path: Path) -> Path:
    """`path` from the working directory where it lies in it, else as it is."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


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


def vacant(path: Path) -> Path:
    """`path` in full, where a folder can be filled: nothing is there, or an empty folder.

    Raises:
        PathError: there is something at `path` already, or no folder can be made there.
    """
    home = path.resolve()
    if path.is_symlink() or (home.exists() and (not home.is_dir() or any(one not in _abandoned(home) for one in home.iterdir()))):
        raise PathError(f"There is something at {quote(str(path))} already; name a folder that is not there, or an empty one.")
    above = next(one for one in (home, *home.parents) if one.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise PathError(f"No folder can be made at {quote(str(path))}; name one in a folder that you may write to.")
    return home


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill: what is in it when all went well stands under the name `path`, and nothing where it did not.

    An empty folder that is there stays the same one, as whoever stands in it expects: files move into it when all are written.
    What a call that was killed left is removed by a later one to the same place.

    Raises:
        PathError: there is something at `path` already, or no folder can be made there.
        OSError: it cannot be written there.
    """
    home = vacant(path)
    home.parent.mkdir(parents=True, exist_ok=True)
    for left in _abandoned(home):
        shutil.rmtree(left, ignore_errors=True)
    is_there = home.is_dir()
    unfinished = (home if is_there else home.parent) / f"{home.name}.{secrets.token_hex(4)}{_UNFINISHED}"
    unfinished.mkdir()
    try:
        yield unfinished
        if is_there:
            for one in sorted(unfinished.iterdir()):
                one.replace(home / one.name)
            unfinished.rmdir()
        else:
            unfinished.replace(home)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _abandoned(home: Path) -> list[Path]:
    """What calls that were killed left of the folder `home`, beside it or in it: nothing is added to it any more."""
    name = re.compile(rf"{re.escape(home.name)}\.[0-9a-f]{{8}}{re.escape(_UNFINISHED)}")
    found = []
    for folder in (home.parent, home):
        with suppress(OSError):
            found += [one for one in folder.iterdir() if name.fullmatch(one.name) and one.is_dir() and not one.is_symlink()]
    return [one for one in found if time.time() - one.stat().st_mtime > ABANDONED_SECONDS]
