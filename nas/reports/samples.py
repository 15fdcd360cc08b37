"""What finalists made, to be looked at: on the page, and as files."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.errors import ReportError, quote
from nas.files import write_whole
from nas.ranking import Table
from nas.records import Picture, Record
from nas.reports.tables import show, title

SHOWN = 3
"""Finalists of which a page shows what they made, each of its first seed."""

LARGEST = 2**20
"""Letters of a picture that a page shows; a larger one is left out."""


@dataclass(frozen=True)
class Made:
    """What one finalist made."""

    title: str
    """Its architecture's id."""
    told: str
    pictures: tuple[Picture, ...]


def made(tables: Sequence[Table]) -> list[Made]:
    """What the best finalists made, best first; none where no protocol has something to show."""
    found = []
    for table in (table for table in tables if table.stage == "final"):
        for row in table.rows:
            first = min(row.trials, key=lambda trial: (trial.record.seed if trial.record else 0, trial.id))
            pictures = tuple(one for one in first.record.pictures if len(one.png) <= LARGEST) if first.record else ()
            if pictures and first.record:
                figure = table.objectives[0].figure
                told = f"rank {row.rank}, {title(figure)} {show(figure, row.figures[figure])}, here of seed {first.record.seed}"
                found.append(Made(row.architecture.id, told, pictures))
    return found[:SHOWN]


def write_pictures(record: Record, folder: Path) -> list[Path]:
    """Write the pictures of `record` into `folder`, made where it is not there, as PNG; returns their paths.

    Raises:
        ReportError: there are none, one is damaged, or they cannot be written.
    """
    if not record.pictures:
        raise ReportError("This trial has no pictures; finalists of a benchmark of generated pictures do.")
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(record.pictures, 1):
            words = re.sub(r"[^a-z0-9]+", "-", picture.title.lower()).strip("-")[:40]
            path = folder / f"{number}-{words}.png"
            write_whole(base64.b64decode(picture.png, validate=True), path)
            paths.append(path)
    except binascii.Error as error:
        raise ReportError(f"A picture of this trial is damaged: {error}.") from error
    except OSError as error:
        raise ReportError(f"The pictures cannot be written to {quote(str(folder))}: {error.strerror or error}.") from error
    return paths
