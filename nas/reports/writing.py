"""A report's file, written whole or not at all."""

import os
from pathlib import Path

from nas.errors import ReportError
from nas.files import write_whole


def replace_file(out: Path, content: bytes, what: str) -> None:
    """Write beside `out`, then take its place, so that a reader never sees half of it; `what` is what a message calls it.

    Raises:
        ReportError: there is no such folder, `out` is one, or it cannot be written.
    """
    if not os.path.isdir(out.parent):  # unlike Path.is_dir, False for a name that no folder can have
        raise ReportError(f"The folder {out.parent} of {what} does not exist; make it first.")
    if os.path.isdir(out):
        raise ReportError(f"A file is asked for {what}, {out} is a folder; name a file in it.")
    try:
        write_whole(content, out)
    except OSError as error:
        raise ReportError(f"{out} cannot be written: {error.strerror or type(error).__name__}.") from error
