"""The named points at which the fault suite kills a driver: functions of the harness, each before and after it runs.

Those that write to the ledger die `within` too: with all written, and nothing kept yet.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

POINTS: Mapping[str, str] = {
    "the study is begun": "nas.records.ledger:Ledger.begin_study",
    "the strategy is asked": "nas.strategies.guide:Guide.ask",
    "a trial is claimed": "nas.records.ledger:Ledger.begin_trial",
    "a candidate is begun here": "nas.execution.here:Here.start",
    "a candidate is evaluated here": "nas.execution.here:Here.wait",
    "the workers are begun": "nas.execution.processes:Processes.__init__",
    "a candidate is sent to a worker": "nas.execution.processes:Processes.start",
    "workers are listened to": "nas.execution.processes:Processes.wait",
    "leases are renewed": "nas.records.ledger:Ledger.renew",
    "the strategy is told": "nas.strategies.guide:Guide.tell",
    "a trial is ended": "nas.records.ledger:Ledger.end_trial",
    "checkpoints are deleted": "nas.searching.resuming:Unfinished.done",
    "the weights of a checkpoint are written": "nas.training.checkpoints:write_tensors",
    "a checkpoint is completed": "nas.training.checkpoints:write_whole",
    "what was left is taken over": "nas.records.ledger:Ledger.take_over",
    "what is known is told to the strategy": "nas.strategies.guide:Guide.restore",
    "a trial whose worker died is tried again": "nas.records.ledger:Ledger.retry",
    "trials are given back": "nas.records.ledger:Ledger.give_back",
}
"""Name → module and function."""


def find(place: str) -> tuple[Any, str]:
    """The object that has the function, and its name there."""
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = import_module(module)
    for one in owners:
        owner = getattr(owner, one)
    return owner, name
