"""The far end of `nas.execution.on_ray`: an actor on some node that runs one candidate at a time in processes of its own.

    order(...) ──► thread that uses the executor ──► news ──► poll(...)

The driver holds one `poll` open, which returns as soon as there is news, and at the latest after a beat.
"""

import os
import pickle
import socket
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from queue import Empty, SimpleQueue
from threading import Condition, Thread
from traceback import format_exception
from typing import Any, Literal, NamedTuple, cast

from nas.errors import NasError
from nas.execution.bounds import Bounds
from nas.execution.jobs import Ended, Evaluate, Executor, Job, Listener, Question
from nas.execution.processes import Processes
from nas.records import Epoch

SLICE_SECONDS = 0.05
"""Between two looks for orders while a candidate is under way."""
MOST_NEWS = 1000
"""That wait to be fetched; a candidate that tells more waits."""

MakeExecutor = Callable[[Callable[[], Evaluate], Listener], Executor]


class Place(NamedTuple):
    """Who a worker is."""

    host: str
    process: int
    harness: str
    """The version of nas-harness there."""


class News(NamedTuple):
    """What a worker tells."""

    kind: Literal["here", "made", "begun", "known", "epoch", "replicate", "ended", "raised", "closed"]
    job: int = -1
    value: Any = None
    """A `Place`, what the listener's method takes, an `Ended` or an exception."""
    question: int = 0
    """By which it is answered; 0 where no answer is waited for."""


class Order(NamedTuple):
    """What a worker is told."""

    kind: Literal["ready", "start", "answer", "cancel", "interrupt", "close"]
    value: Any = None
    """A `Job`, an answer, or the number of a job."""
    question: int = 0


def this_place() -> Place:
    """Of this process."""
    return Place(socket.gethostname(), os.getpid(), version("nas-harness"))


def processes(make: Callable[[], Evaluate], listener: Listener, *, bounds: Bounds, threads: int) -> Executor:
    """What runs candidates at a worker: one at a time, on the GPU that Ray gave it, if any."""
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):  # a process that begins anew would run Ray's own program again
        del main.__file__
    gpus = [gpu for gpu in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if gpu]
    return Processes(make, listener, workers=1, bounds=bounds, gpus=gpus[:1], threads=threads)


def portable(make: Callable[[], Evaluate]) -> Callable[[], Evaluate]:
    """`make` as it can go on from a worker to a process that begins anew, where nothing knows the driver's own script."""
    try:
        if b"__main__" not in pickle.dumps(make):
            return make
    except (pickle.PicklingError, AttributeError, TypeError):
        pass
    from ray import cloudpickle

    dumps: Callable[[object], bytes] = cloudpickle.dumps
    return partial(_revived, dumps(make))


def _revived(made: bytes) -> Evaluate:
    from ray import cloudpickle

    return cast("Callable[[], Evaluate]", cloudpickle.loads(made))()  # Ray's own pickle, from its driver


class RayWorker:
    """The actor. Its methods come in by different threads; the executor belongs to one of its own."""

    def __init__(self, make: Callable[[], Evaluate], executor: MakeExecutor) -> None:
        """Nothing is made before the first job."""
        self._orders: SimpleQueue[Order] = SimpleQueue()
        self._news: list[News] = [News("here", value=this_place())]
        self._changed = Condition()
        self._silence = 0.0
        self._question = 0
        self._later: list[Order] = []
        self._jobs: dict[int, Job] = {}
        self._executor: Executor | None = None
        self._make_executor = partial(executor, make, self)
        Thread(target=self._run, daemon=True, name="executor").start()

    def order(self, order: Order) -> None:
        """Hand it to the thread that obeys."""
        self._orders.put(Order(*order))

    def poll(self, seconds: float) -> tuple[float, list[News]]:
        """Seconds for which the candidate was silent, and the news since the last time, as soon as there are any."""
        with self._changed:
            self._changed.wait_for(lambda: self._news, seconds)
            news, self._news = self._news, []
            self._changed.notify_all()
        return self._silence, news

    def on_begun(self, job: Job, where: str) -> None:  # noqa: ARG002 - the driver names the place
        """Tell it."""
        self._tell(News("begun", job.id))

    def on_known(self, job: Job, figures: Mapping[str, float]) -> bool:
        """Tell it, and wait for the answer where one matters."""
        return self._ask("known", job, dict(figures))

    def on_epoch(self, job: Job, epoch: Epoch) -> bool:
        """Tell it, and wait for the answer where one matters."""
        return self._ask("epoch", job, epoch)

    def on_replicate(self, job: Job, number: int, figures: Mapping[str, float]) -> bool:
        """Tell it, and wait for the answer where one matters."""
        return self._ask("replicate", job, (number, dict(figures)))

    def _tell(self, news: News) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._news) < MOST_NEWS)
            self._news.append(news)
            self._changed.notify_all()

    def _ask(self, kind: Question, job: Job, value: Any) -> bool:
        if kind not in job.asks:
            self._tell(News(kind, job.id, value))
            return False
        self._question += 1
        self._tell(News(kind, job.id, value, self._question))
        while True:
            order = self._orders.get()
            if order.kind == "answer" and order.question == self._question:
                return bool(order.value)
            if order.kind != "answer":  # else to a question that is no longer asked
                self._later.append(order)  # the executor is in the middle of something
                return order.kind in {"cancel", "close"}

    def _run(self) -> None:
        last = News("closed")
        try:
            while self._obey():
                if self._executor is None or not self._jobs:
                    continue
                for ended in self._executor.wait(SLICE_SECONDS):
                    self._end(ended)
                self._silence = max((self._executor.silent(job) for job in self._jobs.values()), default=0.0)
        except BaseException as error:
            last = News("raised", value=_sendable(error))
        finally:
            if self._executor is not None:
                self._executor.close()
            self._tell(last)

    def _obey(self) -> bool:
        """Follow the orders there are, waiting for one where nothing is under way; returns whether to go on."""
        while True:
            try:
                order = self._later.pop(0) if self._later else self._orders.get(block=not self._jobs)
            except Empty:
                return True
            if order.kind == "close":
                return False
            self._follow(order)

    def _follow(self, order: Order) -> None:
        if order.kind in {"ready", "start"}:
            self._executor = self._executor or self._make_executor()
        if self._executor is None:
            return
        if order.kind == "ready":
            self._executor.ready()
            self._tell(News("made"))
        elif order.kind == "start":
            job: Job = order.value
            self._jobs[job.id] = job
            self._executor.start(job)
        elif order.kind == "cancel" and order.value in self._jobs:
            self._executor.cancel(self._jobs.pop(order.value))
        elif order.kind == "interrupt":
            self._executor.interrupt()

    def _end(self, ended: Ended) -> None:
        self._jobs.pop(ended.job.id, None)
        self._silence = 0.0
        self._tell(News("ended", ended.job.id, ended))


def _sendable(error: BaseException) -> Exception:
    """`error`, or of what is a bug what it says."""
    return error if isinstance(error, NasError) else RuntimeError("".join(format_exception(error)))
