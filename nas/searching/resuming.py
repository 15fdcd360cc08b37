"""Where a run was killed within a candidate's training, the same command goes on there: its checkpoints lie beside the ledger.

    nas.sqlite.checkpoints/STUDY/EVALUATION/        EVALUATION as the ledger names the work

They are gone as soon as the trial has its Record. Each study has a folder of its own, since two studies may be at the same work.
"""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

from nas.errors import SearchError, quote
from nas.execution import Evaluate
from nas.records import Ledger, StudyEntry

EVERY_SECONDS = 60.0
"""Between two checkpoints of a training, if nothing else is asked for."""


@runtime_checkable
class Resumable(Protocol):
    """What evaluates and can go on within a candidate, such as `nas.evaluation.Evaluator`; a function of one's own need not."""

    def resuming(self, folder: Path, every_seconds: float) -> Evaluate:
        """What evaluates one candidate, goes on from checkpoints in `folder`, and writes them there."""


class Unfinished:
    """The checkpoints of one study's trainings that are under way. Only the process that drives the study may have this."""

    def __init__(self, ledger: Ledger, entry: StudyEntry, every_seconds: float) -> None:
        """Find the study's folder, and delete what belongs to no running trial.

        Raises:
            SearchError: `every_seconds` is no number of at least 0; 0 is for no checkpoints.
        """
        if isinstance(every_seconds, bool) or not isinstance(every_seconds, int | float) or not 0 <= every_seconds < float("inf"):
            raise SearchError(f"Seconds between two checkpoints are at least 0, and 0 for none, got {quote(every_seconds)}.")
        self.every_seconds = float(every_seconds)
        self.folder = ledger.path.absolute().with_name(f"{ledger.path.name}.checkpoints") / entry.name
        if self.folder.is_dir():
            running = {trial.evaluation for trial in ledger.trials(entry) if trial.state == "running"}
            for left in {path.name for path in self.folder.iterdir()} - running:
                self.done(left)

    def going_on(self, evaluate: Evaluate, evaluation: str) -> Evaluate:
        """`evaluate`, which goes on with the work called `evaluation` where it was stopped, if it can."""
        if not self.every_seconds or not isinstance(evaluate, Resumable):
            return evaluate
        return evaluate.resuming(self.folder / evaluation, self.every_seconds)

    def done(self, evaluation: str) -> None:
        """Delete the checkpoints of work that has its Record, and folders that are empty then."""
        shutil.rmtree(self.folder / evaluation, ignore_errors=True)
        with suppress(OSError):  # others are in it, or it was never made
            self.folder.rmdir()
            self.folder.parent.rmdir()
