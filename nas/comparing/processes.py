"""Jobs in parallel processes, none of which outlives the one that asked."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from threading import Thread
from typing import TypeVar

from threadpoolctl import threadpool_limits

from nas.errors import CompareError

Job = TypeVar("Job")
Result = TypeVar("Result")


def each(work: Callable[[Job], Result], jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, Result]]:
    """Each job and what `work` made of it, as they end; with one worker in this process, else in so many others.

    Each process has one thread of linear algebra. `work` and the jobs are sent to fresh processes, so that `work` must be a
    function of a module.

    Raises:
        CompareError: a process was killed, or none could begin.
    """
    if workers == 1 or len(jobs) < 2:
        with threadpool_limits(limits=1):
            for job in jobs:
                yield job, work(job)
        return
    context = get_context("spawn")  # a fork would take over threads and locks of the one that asks
    alive, held = context.Pipe(duplex=False)
    begun = context.Event()
    executor = ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context, initializer=_begin, initargs=(alive, begun))
    try:
        futures = {executor.submit(work, job): job for job in jobs}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        if not begun.is_set():  # each process imports the script that asks
            raise CompareError(
                "No process that makes runs could begin; a script compares under `if __name__ == '__main__':`, or with workers=1."
            ) from None
        raise CompareError(
            "A process that made runs was killed; the same command goes on, with fewer --workers if memory was short."
        ) from None
    finally:
        held.close()  # all end at once, in the middle of their jobs too
        executor.shutdown(cancel_futures=True)
        alive.close()


def _begin(alive: Connection, begun: Event) -> None:
    """Ready a process: Ctrl-C is the business of the one that asks, whose end ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(limits=1)
    Thread(target=_follow, args=(alive,), daemon=True).start()
    begun.set()


def _follow(alive: Connection) -> None:
    """End this process when the one that asks has closed its end of `alive`, or has ended."""
    try:
        alive.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)
