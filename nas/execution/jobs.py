"""What is asked of whoever runs candidates, and what comes back: the same in this process, in others, and on other machines.

    start(job) → the listener hears of it as it trains → wait() → Ended, with its Record, or without one and why

A strategy does not know where candidates run, and an executor does not know why.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from nas.benchmark import Budget
from nas.records import Descent, Epoch, Record
from nas.space import Architecture

Question = Literal["known", "epoch", "replicate"]
"""What a candidate tells as it goes, and may be told to stop at."""


class Evaluate(Protocol):
    """What evaluates a candidate: `nas.evaluation.Evaluator`, or a function of one's own.

    One that has an attribute `key`, a text that changes whenever its results would, lets studies share its Records.

    One that has an attribute `trains` that is true answers for networks of the space, as they are built: their costs are known,
    so that proposals by chance are drawn within the limits, and equal networks are one.

    One that has `features`, a function of an architecture, tells what is known of it before training to strategies that learn
    from that. One that has `trainings`, a number, has no more than so many of each architecture, from different seeds.

    Some pruners want to be told more, and are served by those that take it: pareto by `on_known`, which is told the figures that
    are known before training and answers whether to leave it out, and wilcoxon by `on_replicate`, which is told number and
    figures of each replicate as it is trained and answers whether to stop. The Record is then pruned.
    """

    def __call__(
        self,
        architecture: Architecture,
        *,
        budget: Budget,
        seed: int,
        report: Callable[[Epoch], bool],
        final: bool = False,
    ) -> Record:
        """The Record of `architecture`; `report` is told every epoch, and answers whether to stop."""


@runtime_checkable
class Resumable(Protocol):
    """What evaluates and can go on within a candidate, such as `nas.evaluation.Evaluator`; a function of one's own need not."""

    def resuming(self, folder: Path | None, every_seconds: float, stopping: Callable[[], bool]) -> Evaluate:
        """What evaluates one candidate, goes on from checkpoints in `folder`, and writes them there; without a folder none.

        Once `stopping` answers true it writes one more after the step under way, and raises `nas.errors.Interrupted`.
        """


@dataclass(frozen=True, kw_only=True)
class Job:
    """One candidate to be evaluated: plain data, that can travel to any process or machine."""

    id: int
    """Of the ledger's trial; no two jobs under way share one."""
    architecture: Architecture
    budget: Budget
    seed: int
    final: bool = False
    """Whether test data are read."""
    folder: Path | None = None
    """Where checkpoints lie; None for none."""
    every_seconds: float = 60.0
    """Between two checkpoints."""
    weights: Path | None = None
    """The file that the trained weights are kept in; None where nobody wants them."""
    descent: Descent | None = None
    """Of which trials it is made, and how; None where it is trained from scratch."""
    asks: frozenset[Question] = frozenset()
    """The questions whose answer matters. The candidate waits for these; what else it tells it tells in passing."""


class Listener(Protocol):
    """Who is told, in the thread that calls `wait`, how candidates do; the answers say whether to stop."""

    def on_begun(self, job: Job, where: str) -> None:
        """It is under way, `where` in a word, such as "worker 2"."""

    def on_known(self, job: Job, figures: Mapping[str, float]) -> bool:
        """Figures that are known before training."""

    def on_epoch(self, job: Job, epoch: Epoch) -> bool:
        """A point of its learning curve."""

    def on_replicate(self, job: Job, number: int, figures: Mapping[str, float]) -> bool:
        """What a replicate's training came to; numbers count from 0."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A job that is no longer under way."""

    job: Job
    record: Record | None
    """What came of it; None where it has to be done again."""
    lost: bool = False
    """Whether who worked at it is gone (killed, its machine lost), which is none of the candidate's doing as far as is known."""
    reason: str = ""
    """Where there is no Record, why, as a sentence without a full stop."""
    log: str = ""
    """What it printed and what befell it, one JSON object a line; see `nas.execution.logs`."""


class Executor(Protocol):
    """Runs jobs, `slots` at once. One thread uses it."""

    slots: int

    @property
    def free(self) -> int:
        """How many jobs could start now."""

    def ready(self) -> None:
        """Make what evaluates now, so that what is wrong shows before anything is begun.

        Raises:
            NasError: it cannot be made.
        """

    def start(self, job: Job) -> None:
        """Begin `job`; there must be a free slot. Returns at once."""

    def wait(self, seconds: float) -> Sequence[Ended]:
        """Serve the listener until a job has ended, or so many seconds are over; returns those that ended."""

    def silent(self, job: Job) -> float:
        """Seconds since whoever works at `job` was last heard of; 0 in this process."""

    def cancel(self, job: Job) -> None:
        """End `job` at once, since nobody wants it any more; no `Ended` follows."""

    def interrupt(self) -> None:
        """Ask all jobs to write a checkpoint and end; `wait` returns them without Record. May be called from a signal handler."""

    def close(self) -> None:
        """End whatever is still under way, at once, and leave nothing behind."""
