"""Files that are there whole, or not at all."""

import os
from pathlib import Path


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
