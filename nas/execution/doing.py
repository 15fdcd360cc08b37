"""One job, done wherever this runs: the evaluator is handed what it takes, and the listener told what it tells."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, get_args

from nas.execution.jobs import Evaluate, Job, Listener, Question, Resumable
from nas.records import Epoch, Record

QUESTIONS: frozenset[Question] = frozenset(get_args(Question))


def do(
    evaluate: Evaluate,
    job: Job,
    listener: Listener,
    stopping: Callable[[], bool],
    *,
    telling: frozenset[Question] = frozenset(),
) -> Record:
    """The Record of `job`, as `evaluate` gives it.

    An evaluation that can go on within a candidate does so in the job's folder, and stops once `stopping` answers true. What of
    `telling` the job does not ask for is told too, where `evaluate` names it among what it takes.

    Raises:
        Interrupted: it stopped because of that. Whatever else `evaluate` or `listener` raises goes through.
    """

    def report(epoch: Epoch) -> bool:
        return listener.on_epoch(job, epoch) and "epoch" in job.asks

    given: dict[str, Any] = {"final": True} if job.final else {}
    if job.weights is not None and "weights" in inspect.signature(evaluate).parameters:
        given["weights"] = job.weights
    if job.descent is not None:  # what does not take it could only do other work than what is asked for
        given["descent"] = job.descent
    told: dict[Question, tuple[str, Callable[..., bool]]] = {
        "known": ("on_known", partial(listener.on_known, job)),
        "replicate": ("on_replicate", partial(listener.on_replicate, job)),
    }
    for question, (name, listen) in told.items():
        if question in job.asks and takes(evaluate, name):
            given[name] = listen
        elif question in telling and name in inspect.signature(evaluate).parameters:
            given[name] = partial(_in_passing, listen)
    if isinstance(evaluate, Resumable):
        evaluate = evaluate.resuming(job.folder, job.every_seconds, stopping)
    return evaluate(job.architecture, budget=job.budget, seed=job.seed, report=report, **given)


def _in_passing(listen: Callable[..., bool], *told: Any) -> bool:
    listen(*told)
    return False


def takes(evaluate: Evaluate, name: str) -> bool:
    """Whether `evaluate` may be handed an argument called `name`."""
    parameters = inspect.signature(evaluate).parameters.values()
    return any(one.name == name or one.kind is one.VAR_KEYWORD for one in parameters)
