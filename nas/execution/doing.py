"""One job, done wherever this runs: the evaluator is handed what it takes, and the listener told what it tells."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from nas.execution.jobs import Evaluate, Job, Listener, Resumable
from nas.records import Epoch, Record


def do(evaluate: Evaluate, job: Job, listener: Listener, stopping: Callable[[], bool]) -> Record:
    """The Record of `job`, as `evaluate` gives it.

    An evaluation that can go on within a candidate does so in the job's folder, and stops once `stopping` answers true.

    Raises:
        Interrupted: it stopped because of that. Whatever else `evaluate` or `listener` raises goes through.
    """

    def report(epoch: Epoch) -> bool:
        return listener.on_epoch(job, epoch) and "epoch" in job.asks

    given: dict[str, Any] = {"final": True} if job.final else {}
    if "known" in job.asks and takes(evaluate, "on_known"):
        given["on_known"] = partial(listener.on_known, job)
    if "replicate" in job.asks and takes(evaluate, "on_replicate"):
        given["on_replicate"] = partial(listener.on_replicate, job)
    if isinstance(evaluate, Resumable):
        evaluate = evaluate.resuming(job.folder, job.every_seconds, stopping)
    return evaluate(job.architecture, budget=job.budget, seed=job.seed, report=report, **given)


def takes(evaluate: Evaluate, name: str) -> bool:
    """Whether `evaluate` may be handed an argument called `name`."""
    parameters = inspect.signature(evaluate).parameters.values()
    return any(one.name == name or one.kind is one.VAR_KEYWORD for one in parameters)
