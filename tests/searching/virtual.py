"""An executor whose clock is simulated: candidates take as long as a function of theirs says, and waiting takes no time.

Virtual(make, listener, slots=8, seconds=durations)      start → wait, which jumps to the next end → busy()
"""

import heapq
import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from nas.execution import Ended, Evaluate, Job, Listener
from nas.execution.doing import do
from nas.searching import Study, search
from nas.space import Architecture
from nas.tables import Table

TABLE = Path(__file__).parents[2] / "results" / "tables" / "digits-three_families.csv.gz"
"""1,008 networks, each of which was trained; a training takes up to 3.75 times their mean."""

Seconds = Callable[[Architecture], float]
"""How long a candidate takes."""


@dataclass(eq=False)
class Clock:
    """What the workers did with their time."""

    slots: int
    now: float = 0.0
    worked: float = 0.0
    """Seconds of all candidates that ran to their end."""
    last_end: float = 0.0
    begun: list[tuple[float, int]] = field(default_factory=list)
    """When each job began, and its id."""

    def busy(self) -> float:
        """The part of the workers' time, from the beginning to the last end, in which they were at work."""
        return self.worked / (self.slots * self.last_end)


class Virtual:
    """An `Executor`: a candidate is evaluated when its time is over, in this process, and what it reports comes then."""

    def __init__(self, make: Callable[[], Evaluate], listener: Listener, *, slots: int, seconds: Seconds) -> None:
        """Run `slots` at once, each for the `seconds` of its architecture."""
        self.evaluate = make()
        self.listener = listener
        self.slots = slots
        self.seconds = seconds
        self.clock = Clock(slots)
        self._running: list[tuple[float, int, float, Job]] = []
        """When each ends, a number that breaks ties, how long it takes, and the job."""
        self._numbers = itertools.count()
        self._interrupted = False

    @property
    def free(self) -> int:
        """How many jobs could start now."""
        return self.slots - len(self._running)

    def ready(self) -> None:
        """Nothing is left to make."""

    def start(self, job: Job) -> None:
        """Begin `job` now."""
        assert self.free > 0
        takes = self.seconds(job.architecture)
        heapq.heappush(self._running, (self.clock.now + takes, next(self._numbers), takes, job))
        self.clock.begun.append((self.clock.now, job.id))
        self.listener.on_begun(job, f"worker {len(self._running)}")

    def wait(self, seconds: float) -> Sequence[Ended]:
        """Jump to the next end, whenever it is, and evaluate what ended."""
        if self._interrupted:
            jobs = [job for *_, job in sorted(self._running)]
            self._running = []
            return [Ended(job=job, record=None, reason="interrupted") for job in jobs]
        if not self._running:
            return []
        self.clock.now, _, takes, job = heapq.heappop(self._running)
        self.clock.worked += takes
        self.clock.last_end = self.clock.now
        return [Ended(job=job, record=do(self.evaluate, job, self.listener, lambda: self._interrupted))]

    def silent(self, job: Job) -> float:
        """0: nobody is ever lost."""
        return 0.0

    def cancel(self, job: Job) -> None:
        """End `job` at once; what it did until now was idle work."""
        self._running = [one for one in self._running if one[-1].id != job.id]
        heapq.heapify(self._running)

    def interrupt(self) -> None:
        """End all at the next `wait`."""
        self._interrupted = True

    def close(self) -> None:
        """Forget what runs."""
        self._running = []


def of_table(table: Table) -> Seconds:
    """What the first training of each took; nothing for what the table does not have."""
    took = table.seconds[table.fidelity].trainings[:, 0]

    def seconds(architecture: Architecture) -> float:
        row = table.row(architecture)
        return 0.0 if row is None else float(took[row])

    return seconds


def lognormal(table: Table, *, alike: float, seed: int = 0) -> Seconds:
    """Seconds whose logarithms spread as the table's do, of a normal distribution; `alike` is their correlation with FLOPs."""
    of_first = of_table(table)
    known = np.log([of_first(one) for one in table.architectures])
    flops = np.log(table.figures["flops"])
    standing = (flops - flops.mean()) / flops.std()

    def seconds(architecture: Architecture) -> float:
        row = table.row(architecture)
        if row is None:
            return 0.0
        chance = random.Random(f"{seed}:{architecture.id}").gauss(0.0, 1.0)
        z = alike * float(standing[row]) + math.sqrt(1 - alike**2) * chance
        return math.exp(float(known.mean()) + float(known.std()) * z)

    return seconds


def search_virtually(seconds: Seconds, *, workers: int, **options: Any) -> tuple[Study, Clock]:
    """A search with so many workers in virtual time: its study, and what the workers did."""
    made: list[Virtual] = []

    def make_executor(places: Any, make: Callable[[], Evaluate], listener: Listener) -> Virtual:
        made.append(Virtual(make, listener, slots=workers, seconds=seconds))
        return made[-1]

    with patch("nas.searching.loop.make_executor", make_executor):
        study = search(workers=workers, **options)
    return study, made[0].clock
