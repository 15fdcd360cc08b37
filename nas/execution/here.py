"""Candidates in this process, one at a time."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from nas.errors import Interrupted
from nas.execution.doing import do
from nas.execution.jobs import Ended, Evaluate, Job, Listener
from nas.execution.waking import Alarm


class Here:
    """An `Executor` that runs each job in the thread that waits for it; what an evaluation raises, `wait` raises."""

    slots = 1

    def __init__(self, make: Callable[[], Evaluate], listener: Listener) -> None:
        """`make` is called for the first job."""
        self.make = make
        self.listener = listener
        self.job: Job | None = None
        self._evaluate: Evaluate | None = None
        self._interrupted = Alarm()

    @property
    def free(self) -> int:
        """How many jobs could start now."""
        return int(self.job is None)

    def ready(self) -> None:
        """Make what evaluates."""
        self._evaluate = self._evaluate or self.make()

    def start(self, job: Job) -> None:
        """Keep `job` for the next `wait`."""
        assert self.job is None, "there is a free slot"  # noqa: S101 - the caller's part
        self.job = job

    def wait(self, seconds: float) -> Sequence[Ended]:
        """Run the job to its end, however long that takes; without one, wait so many seconds."""
        if self.job is None:
            self._interrupted.wait(seconds)
            return []
        job = self.job
        try:
            self.ready()
            assert self._evaluate is not None  # noqa: S101 - ready
            self.listener.on_begun(job, "this process")
            record = do(self._evaluate, job, self.listener, lambda: self._interrupted.rung)
        except Interrupted:
            return [Ended(job=job, record=None, reason="interrupted")]
        finally:
            self.job = None
        return [Ended(job=job, record=record)]

    def silent(self, job: Job) -> float:  # noqa: ARG002 - the protocol's
        """0: who asks would be at work itself."""
        return 0.0

    def cancel(self, job: Job) -> None:
        """Forget `job`, if it was not run yet."""
        if self.job is not None and self.job.id == job.id:
            self.job = None

    def interrupt(self) -> None:
        """Have the evaluation under way stop after its step, if it can, and any that begins later."""
        self._interrupted.ring()

    def close(self) -> None:
        """Forget the job that was not run."""
        self.job = None
        self._interrupted.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
