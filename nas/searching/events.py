"""What a run tells while it runs: values for a progress line, a log, or a script."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.benchmark import Objective
from nas.records import Epoch, Stage, Trial

INTERRUPTED = "Interrupted; the same command goes on."
"""The reason of a run that Ctrl-C ended."""


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    evaluated: int = 0
    """Different architectures with a result: complete, pruned or failed."""
    target: int = 0
    complete: int = 0
    pruned: int = 0
    infeasible: int = 0
    failed: int = 0
    reused: int = 0
    """Proposals whose architecture was known already, and cost nothing."""
    seconds_left: float | None = None
    """Estimate from the evaluations of this run; None before the first."""


@dataclass(frozen=True)
class RunBegun:
    """A run begins, or goes on where an earlier one ended."""

    study: str
    target: int
    found: int
    """Trials that are in the ledger already."""
    headline: str
    """What is searched, in one line."""
    note: str = ""
    """What whoever began it should know, such as that the limits leave little."""


@dataclass(frozen=True)
class TrialBegun:
    """An architecture is about to be evaluated."""

    number: int
    architecture: str
    progress: Progress
    label: str = ""
    """What is special about it: that it is run again, or the seed of a final."""
    stage: Stage = "search"
    """Each stage of a study numbers its trials from 0."""


@dataclass(frozen=True)
class EpochEnded:
    """A point of a learning curve."""

    number: int
    epoch: Epoch
    epochs: int
    stage: Stage = "search"


@dataclass(frozen=True)
class TrialEnded:
    """A proposal has its Record."""

    trial: Trial
    progress: Progress
    best: Trial | None
    """The best complete trial so far, by the first objective."""
    figure: str = ""
    """What the first objective is of."""


@dataclass(frozen=True)
class RunEnded:
    """A run is over."""

    study: str
    reason: str
    """Why, as a sentence."""
    interrupted: bool
    progress: Progress


Event = RunBegun | TrialBegun | EpochEnded | TrialEnded | RunEnded
OnEvent = Callable[[Event], None]


def ignore(_: Event) -> None:
    """Listen to nothing."""


@dataclass
class Tally:
    """Counts trials as they end, and remembers the best."""

    target: int
    objective: Objective
    at_once: int = 1
    """Candidates that run beside one another."""
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("complete", "pruned", "infeasible", "failed"), 0))
    reused: int = 0
    best: Trial | None = None
    _seconds: list[float] = field(default_factory=list)

    def add(self, trial: Trial, *, repeated: bool, fresh: bool) -> None:
        """Count a finished trial: `repeated` if the study has had its architecture, `fresh` if it was evaluated in this run."""
        assert trial.record is not None  # noqa: S101 - finished
        if trial.reused_from is not None:
            self.reused += 1
        if repeated:
            return
        self.counts[trial.record.outcome] += 1
        if fresh and trial.record.seconds is not None and trial.record.outcome != "infeasible":
            self._seconds.append(trial.record.seconds)
        single = trial.stage == "confirm"  # its architecture's mean is what it is worth
        ranked = not single and trial.record.outcome == "complete" and self.objective.figure in trial.record.figures
        if ranked and (self.best is None or self._cost(trial) < self._cost(self.best)):
            self.best = trial

    @property
    def evaluated(self) -> int:
        """Different architectures with a result."""
        return self.counts["complete"] + self.counts["pruned"] + self.counts["failed"]

    def progress(self) -> Progress:
        """How far the run is."""
        left = None
        if self._seconds:
            rounds = max(0, self.target - self.evaluated) / self.at_once
            left = sum(self._seconds) / len(self._seconds) * rounds
        return Progress(evaluated=self.evaluated, target=self.target, reused=self.reused, seconds_left=left, **self.counts)

    def _cost(self, trial: Trial) -> float:
        assert trial.record is not None  # noqa: S101 - finished
        return self.objective.cost(trial.record.figures[self.objective.figure])


def to_data(event: Event) -> Mapping[str, Any]:
    """`event` as plain data for a line of JSON, without the learning curve, which the epochs have told."""
    if isinstance(event, RunBegun):
        begun = {"event": "run_begun", "study": event.study, "target": event.target, "found": event.found}
        return {**begun, "note": event.note} if event.note else begun
    if isinstance(event, TrialBegun):
        return {"event": "trial_begun", "number": event.number, "stage": event.stage, "architecture": event.architecture}
    if isinstance(event, EpochEnded):
        point = event.epoch
        where = {"number": event.number, "stage": event.stage, "epoch": point.epoch, "epochs": event.epochs}
        return {"event": "epoch_ended", **where, **point.told}
    progress = {key: value for key, value in vars(event.progress).items() if value is not None}
    if isinstance(event, RunEnded):
        return {
            "event": "run_ended",
            "study": event.study,
            "reason": event.reason,
            "interrupted": event.interrupted,
            **progress,
        }
    record = event.trial.record
    assert record is not None  # noqa: S101 - finished
    return {
        "event": "trial_ended",
        "number": event.trial.number,
        "stage": event.trial.stage,
        "architecture": event.trial.architecture.id,
        "choices": dict(event.trial.architecture.choices),
        "outcome": record.outcome,
        "figures": dict(record.figures),
        "broken_limits": list(record.broken_limits),
        "error": vars(record.error) if record.error else None,
        "reused_from": event.trial.reused_from,
        "progress": progress,
    }
