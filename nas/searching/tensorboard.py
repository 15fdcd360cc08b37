"""Learning curves and figures as TensorBoard reads them: a folder for each trial, written as the run goes on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nas.errors import SearchError
from nas.files import inside
from nas.records import Epoch, Ledger, Stage, Trial
from nas.searching.events import EpochEnded, Event, OnEvent, RunBegun, TrialEnded
from nas.trackers.told import Told


@contextmanager
def to_tensorboard(folder: Path) -> Iterator[OnEvent]:
    """What writes events of one run into `folder`, as STUDY/NUMBER, and as STUDY/confirm-NUMBER where the best are trained again;
    `tensorboard --logdir FOLDER` shows it.

    Of every trial that was trained come the learning curve by epoch, its figures, and its choices as hyperparameters.

    Raises:
        SearchError: TensorBoard is not installed, or the folder cannot be written to.
    """
    if find_spec("tensorboard") is None:
        raise SearchError("Writing for TensorBoard needs the package tensorboard: pip install 'nas-harness[tensorboard]'.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SearchError(f"{folder} cannot be written to: {error.strerror}.") from error
    board = _Board(folder)
    try:
        yield board
    finally:
        board.close()


def study_to_tensorboard(ledger: Ledger, study: str, folder: Path) -> Told:
    """Write what `to_tensorboard` writes of a run, of a study that is in the ledger; what is there whole stays as it is.

    Raises:
        SearchError: TensorBoard is not installed, or the folder cannot be written to.
        LedgerError: there is no such study.
    """
    entry = ledger.study(study)
    trials = ledger.trials(entry)
    trained = [trial for trial in trials if trial.record is not None and trial.record.curve]
    with to_tensorboard(folder) as board:
        assert isinstance(board, _Board)  # noqa: S101 - see above
        board.study = entry.name
        new = [trial for trial in trained if not board.holds(trial)]
        for trial in new:
            board.end(trial)
    waiting = sum(trial.state == "running" for trial in trials)
    return Told(added=len(new), known=len(trained) - len(new), waiting=waiting)


class _Board:
    """Listens to one run; one trial is under way at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.study = "study"
        self.writer: Any = None
        """Of the trial under way."""
        self.written = 0
        """Its epochs that are written."""

    def __call__(self, event: Event) -> None:
        match event:
            case RunBegun():
                self.study = event.study
            case EpochEnded():
                self.write(event.number, event.epoch, event.stage)
            case TrialEnded():
                self.end(event.trial)

    def write(self, number: int, epoch: Epoch, stage: Stage) -> None:
        """One point of the curve of trial `number` of a stage."""
        writer = self.open(number, stage)
        for name, value in epoch.told.items():
            writer.add_scalar(f"curve/{name}", value, epoch.epoch)
        self.written += 1
        writer.flush()

    def end(self, trial: Trial) -> None:
        """The figures of a trial, and what is missing of its curve where its Record was taken over from another."""
        record = trial.record
        if record is None or not record.curve:
            return  # a network that was never trained has no curve, and there may be thousands
        for epoch in record.curve[self.written :]:
            self.write(trial.number, epoch, trial.stage)
        writer = self.open(trial.number, trial.stage)
        for name, value in record.figures.items():
            writer.add_scalar(f"figures/{name}", value, 0)
        for summary in _hyperparameters(trial.architecture.choices, record.figures):
            writer.file_writer.add_summary(summary)
        self.close()

    def place(self, number: int, stage: Stage) -> Path:
        """The folder of a trial."""
        return inside(self.folder, self.study) / (f"{number:05}" if stage == "search" else f"{stage}-{number:05}")

    def holds(self, trial: Trial) -> bool:
        """Whether its files were written to after it had ended, so that all of it is there."""
        ended = datetime.fromisoformat(trial.ended_at).timestamp() if trial.ended_at else float("inf")
        written = [file.stat().st_mtime for file in self.place(trial.number, trial.stage).glob("events.out.tfevents.*")]
        return bool(written) and max(written) >= ended

    def open(self, number: int, stage: Stage) -> Any:
        if self.writer is None:
            from torch.utils.tensorboard import SummaryWriter

            # What an interrupted run wrote of this trial is hidden.
            self.writer = SummaryWriter(str(self.place(number, stage)), purge_step=0)
        return self.writer

    def close(self) -> None:
        """Finish the trial under way."""
        if self.writer is not None:
            self.writer.close()
        self.writer, self.written = None, 0


def _hyperparameters(choices: Mapping[str, Any], figures: Mapping[str, float]) -> tuple[Any, ...]:
    from torch.utils.tensorboard.summary import hparams

    shown = {f"figures/{name}": value for name, value in figures.items()}
    summaries: tuple[Any, ...] = hparams(dict(choices), shown)  # type: ignore[no-untyped-call]
    return summaries
