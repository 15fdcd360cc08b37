"""Candidates on a Ray cluster: on this machine by default, or on all that have joined one.

Each of the workers is an actor that Ray places where its CPUs and GPUs are free, and keeps there; it makes the evaluator once and
runs one candidate after another in processes of their own. Ray does nothing twice by itself: what a lost node was at comes back
as `Ended` with `lost`, and who began it decides. Checkpoints need a folder that all nodes share, and every node the same
version of nas-harness.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import Any, Self

from nas.errors import ClusterError, printable, quote
from nas.execution.bounds import Bounds
from nas.execution.jobs import Ended, Evaluate, Job, Listener
from nas.execution.ray_cluster import cluster
from nas.execution.ray_worker import News, Order, Place, RayWorker, portable, processes, this_place
from nas.records import Descent

BEAT_SECONDS = 1.0
"""After which a worker with a candidate is heard of again at the latest."""
IDLE_BEAT_SECONDS = 5.0
SLICE_SECONDS = 0.2
"""Between two looks whether all shall stop."""
DEAF_SECONDS = 20.0
"""A worker that was not heard of for so long is not asked to end a candidate but ended itself."""
CLOSE_SECONDS = 5.0
"""That workers have to end what they began."""
PLACE_SECONDS = 120.0
"""That a cluster has to place the first worker; it may have to start a machine for it."""
FAILURES_BEFORE_GIVING_UP = 3
"""Workers in a row that ended before they were heard of."""


@dataclass
class _Worker:
    """One slot: an actor, and what is known of it."""

    number: int
    actor: Any
    poll: Any
    """The answer that is waited for."""
    place: Place | None = None
    """None until it was placed and heard of."""
    job: Job | None = None
    heard: float = field(default_factory=time.monotonic)
    silence: float = 0.0
    """Of its candidate, when it was heard of."""
    news: deque[News] = field(default_factory=deque)
    """That were fetched and not looked at."""


class OnRay:
    """An `Executor` whose slots are Ray actors."""

    def __init__(
        self,
        make: Callable[[], Evaluate],
        listener: Listener,
        *,
        address: str | None = None,
        workers: int,
        bounds: Bounds,
        cpus: float = 1.0,
        gpus: float = 0.0,
        threads: int = 1,
    ) -> None:
        """Join the cluster at `address`, or start one on this machine, and place `workers` of `cpus` and `gpus` each.

        What `make` names must be installed on every node, but for the driver's own script. `bounds` hold for each candidate,
        and programs see `threads` as the number of threads to use. This returns once the first worker is placed.

        Raises:
            ClusterError: Ray is not installed, no cluster answers, or it has no room for even one worker.
        """
        if workers < 1 or not 0 <= cpus < math.inf or not 0 <= gpus < math.inf:
            raise ClusterError(
                f"A Ray cluster runs at least one worker of at least 0 CPUs and GPUs, got {workers} of {cpus:g} and {gpus:g}."
            )
        self.slots = workers
        self.listener = listener
        self.joined = address is not None
        self._executor = partial(processes, bounds=bounds, threads=threads)
        self._interrupting = self._interrupted = False
        self._failures = 0
        self._preparing = self._made = False
        self._workers: list[_Worker] = []
        self._closing = ExitStack()
        try:
            self._ray = self._closing.enter_context(cluster(address, cpus=cpus * workers, gpus=gpus * workers))
            self._closing.callback(self._end_workers)
            self._make = self._ray.put(portable(make))
            self._actor = self._ray.remote(
                num_cpus=cpus,
                num_gpus=gpus,
                max_restarts=0,
                max_task_retries=0,
                concurrency_groups={"polls": 1, "orders": 1},
            )(RayWorker)
            self._workers += [self._place(number) for number in range(1, workers + 1)]
            self._await_first(f"{cpus:g} CPUs and {gpus:g} GPUs")
        except BaseException:
            self.close()
            raise

    @property
    def free(self) -> int:
        """How many jobs could start now: those of workers that are placed."""
        return sum(worker.place is not None and worker.job is None for worker in self._workers)

    def ready(self) -> None:
        """Have each worker that is placed make what evaluates; returns when the first has done it."""
        self._preparing = True
        for worker in self._workers:
            if worker.place is not None:
                self._order(worker, Order("ready"))
        while not (self._made or self._interrupting):
            self.wait(BEAT_SECONDS)

    def start(self, job: Job) -> None:
        """Begin `job` at a free worker."""
        worker = next(one for one in self._workers if one.place is not None and one.job is None)
        worker.job = job
        worker.silence, worker.heard = 0.0, time.monotonic()
        folder = job.folder.absolute() if job.folder is not None else None
        weights = job.weights.absolute() if job.weights is not None else None
        descent = Descent.from_data(job.descent.to_data()) if job.descent else None  # whose paths are absolute then
        self._order(worker, Order("start", replace(job, folder=folder, weights=weights, descent=descent)))

    def wait(self, seconds: float) -> Sequence[Ended]:
        """Serve the listener until a job has ended, or so many seconds are over; returns those that ended."""
        until = time.monotonic() + seconds
        ended: list[Ended] = []
        while True:
            if self._interrupting and not self._interrupted:
                self._interrupted = True
                for worker in self._workers:
                    self._order(worker, Order("interrupt"))
            left = max(0.0, until - time.monotonic())
            self._fetch(min(left, SLICE_SECONDS))
            for worker in list(self._workers):
                ended += self._hear(worker)
            if ended or not left:
                return ended

    def silent(self, job: Job) -> float:
        """Seconds since the worker at `job`, or the candidate itself, was last heard of."""
        worker = self._at(job)
        if worker is None or self._ray.wait([worker.poll], timeout=0)[0]:
            return 0.0
        return worker.silence + time.monotonic() - worker.heard

    def cancel(self, job: Job) -> None:
        """End `job` at once, since nobody wants it any more; no `Ended` follows."""
        worker = self._at(job)
        if worker is None:
            return
        worker.job = None
        if time.monotonic() - worker.heard > DEAF_SECONDS and not self._ray.wait([worker.poll], timeout=0)[0]:
            self._ray.kill(worker.actor)
            self._place_again(worker)
        else:
            self._order(worker, Order("cancel", job.id))

    def interrupt(self) -> None:
        """Ask all jobs to write a checkpoint and end; `wait` returns them without Record."""
        self._interrupting = True

    def close(self) -> None:
        """End whatever is still under way, and the cluster if it is ours."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _at(self, job: Job) -> _Worker | None:
        return next((one for one in self._workers if one.job is not None and one.job.id == job.id), None)

    def _place(self, number: int) -> _Worker:
        actor = self._actor.remote(self._make, self._executor)
        return _Worker(number, actor, self._poll(actor, BEAT_SECONDS))

    def _poll(self, actor: Any, seconds: float) -> Any:
        return actor.poll.options(concurrency_group="polls").remote(seconds)

    def _order(self, worker: _Worker, order: Order) -> None:
        worker.actor.order.options(concurrency_group="orders").remote(order)

    def _await_first(self, needs: str) -> None:
        until = time.monotonic() + PLACE_SECONDS
        while not self.free:
            if time.monotonic() > until:
                raise ClusterError(
                    f"The Ray cluster placed no worker of {needs} in {PLACE_SECONDS:g} seconds; ask for less, or wait for room."
                )
            self.wait(1.0)

    def _fetch(self, seconds: float) -> None:
        """Get what workers told, waiting for so many seconds for the first."""
        polls = {worker.poll: worker for worker in self._workers}
        if any(worker.news for worker in self._workers):
            seconds = 0.0
        if not self._ray.wait(list(polls), num_returns=1, timeout=seconds)[0]:
            return
        for poll in self._ray.wait(list(polls), num_returns=len(polls), timeout=0)[0]:
            worker = polls[poll]
            try:
                silence, news = self._ray.get(poll)
            except self._ray.exceptions.RayError as error:
                self._lose(worker, error)
                continue
            worker.poll = self._poll(worker.actor, BEAT_SECONDS if worker.job else IDLE_BEAT_SECONDS)
            worker.news.extend(News(*one) for one in news)
            worker.heard, worker.silence = time.monotonic(), silence

    def _hear(self, worker: _Worker) -> list[Ended]:
        """Tell the listener the news, and answer; returns the job that ended."""
        ended: list[Ended] = []
        while worker.news:
            news = worker.news.popleft()
            if news.kind == "here":
                self._welcome(worker, news.value)
            elif news.kind == "made":
                self._made = True
            elif news.kind == "raised":
                raise news.value
            elif worker.job is None or news.job != worker.job.id:
                continue  # of a job that nobody wants any more
            elif news.kind == "ended":
                ended.append(replace(news.value, job=worker.job))
                worker.job = None
            elif news.kind == "begun":
                self.listener.on_begun(worker.job, self._where(worker))
            else:
                stop = self._tell(worker.job, news)
                if news.question:
                    self._order(worker, Order("answer", stop, news.question))
        return ended

    def _tell(self, job: Job, news: News) -> bool:
        if news.kind == "known":
            return self.listener.on_known(job, news.value)
        if news.kind == "replicate":
            return self.listener.on_replicate(job, *news.value)
        return self.listener.on_epoch(job, news.value)

    def _where(self, worker: _Worker) -> str:
        return f"Ray worker {worker.number}" + (f" on {worker.place.host}" if self.joined and worker.place else "")

    def _welcome(self, worker: _Worker, place: Place) -> None:
        place = Place(*place)
        ours = this_place().harness
        if place.harness != ours:
            raise ClusterError(
                f"Every node of a Ray cluster needs the same nas-harness, got {quote(place.harness)} on {place.host} and "
                f"{quote(ours)} here; install the same on both."
            )
        worker.place = place
        self._failures = 0
        if self._preparing:
            self._order(worker, Order("ready"))

    def _lose(self, worker: _Worker, error: Exception) -> None:
        """Take note that `worker` is gone, and have another placed."""
        if worker.place is None:
            self._failures += 1
            if self._failures >= FAILURES_BEFORE_GIVING_UP:
                raise ClusterError(f"A worker cannot be started on the Ray cluster: {_cause(error)}.") from None
        if worker.job is not None:
            reason = f"{self._where(worker)} is gone"
            worker.news.append(News("ended", worker.job.id, Ended(job=worker.job, record=None, lost=True, reason=reason)))
        self._place_again(worker)

    def _place_again(self, worker: _Worker) -> None:
        new = self._place(worker.number)
        worker.actor, worker.poll, worker.place, worker.heard = new.actor, new.poll, None, new.heard

    def _end_workers(self) -> None:
        """Have workers end what they are at, and then end themselves."""
        there = [worker for worker in self._workers if worker.place is not None]
        for worker in there:
            self._order(worker, Order("close"))
        until = time.monotonic() + CLOSE_SECONDS
        while there and time.monotonic() < until:
            for poll in self._ray.wait([worker.poll for worker in there], timeout=SLICE_SECONDS)[0]:
                worker = next(one for one in there if one.poll is poll)
                if self._closed(poll):
                    there.remove(worker)
                else:
                    worker.poll = self._poll(worker.actor, BEAT_SECONDS)
        for worker in self._workers:
            self._ray.kill(worker.actor)
        self._workers.clear()

    def _closed(self, poll: Any) -> bool:
        try:
            _, news = self._ray.get(poll)
        except self._ray.exceptions.RayError:
            return True
        return any(News(*one).kind in {"closed", "raised"} for one in news)


def _cause(error: Exception) -> str:
    """Of a worker's end, in a line."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return printable(lines[-1] if lines else type(error).__name__).rstrip(".")
