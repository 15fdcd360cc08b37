"""Where a run was killed within a candidate's training, the same command goes on there: its checkpoints lie beside the ledger.

    nas.sqlite.checkpoints/STUDY/EVALUATION/        EVALUATION as the ledger names the work

They are gone as soon as the trial has its Record. Each study has a folder of its own, since two studies may be at the same work.
"""

import shutil
from contextlib import suppress
from pathlib import Path

from nas.errors import SearchError, quote
from nas.files import inside
from nas.records import Ledger, StudyEntry

EVERY_SECONDS = 60.0
"""Between two checkpoints of a training, if nothing else is asked for."""


class Unfinished:
    """The checkpoints of one study's trainings that are under way, whoever is at them."""

    def __init__(self, ledger: Ledger, entry: StudyEntry, every_seconds: float) -> None:
        """Find the study's folder, and delete what belongs to no running trial.

        Raises:
            SearchError: `every_seconds` is no number of at least 0; 0 is for no checkpoints.
            PathError: the ledger has a name that leads elsewhere.
        """
        if isinstance(every_seconds, bool) or not isinstance(every_seconds, int | float) or not 0 <= every_seconds < float("inf"):
            raise SearchError(f"Seconds between two checkpoints are at least 0, and 0 for none, got {quote(every_seconds)}.")
        self.every_seconds = float(every_seconds)
        self.folder = inside(ledger.beside("checkpoints").absolute(), entry.name)
        if self.folder.is_dir():
            there = {
                path.name for path in self.folder.iterdir()
            }  # first these: whoever begins claims its trial before its folder
            running = {trial.evaluation for trial in ledger.trials(entry) if trial.state == "running"}
            for left in there - running:
                self.done(left)

    def folder_of(self, evaluation: str) -> Path | None:
        """Where the work called `evaluation` writes its checkpoints; None where none are asked for."""
        return inside(self.folder, evaluation) if self.every_seconds else None

    def done(self, evaluation: str) -> None:
        """Delete the checkpoints of work that has its Record, and folders that are empty then."""
        shutil.rmtree(inside(self.folder, evaluation), ignore_errors=True)
        with suppress(OSError):  # others are in it, or it was never made
            self.folder.rmdir()
            self.folder.parent.rmdir()
