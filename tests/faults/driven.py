"""A driver as the fault suite starts it: `python driven.py ASKED`, with JSON that says what it runs and where it dies.

It notes each event with the time. A script with a guard, since its workers' template imports it once more.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial, wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import noted
import sqlalchemy as sa
from crash_points import POINTS, find
from noted import note

import nas
import nas.searching.loop as loop
import nas.searching.working as working
from nas.errors import LeaseLost
from nas.execution import Bounds
from nas.records import Ledger
from nas.searching import Event, RunBegun, RunEnded, TrialBegun, TrialEnded
from nas.space import parse_space


def die_at(point: str, when: str, nth: int) -> None:
    """Be killed at the `nth` call of what `point` names: before it, after it, or within its transaction before that is kept."""
    calls = 0
    within = threading.local()

    def die() -> None:
        note("crashed", point=point, when=when)
        os.kill(os.getpid(), signal.SIGKILL)

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapped(*given: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == nth and when == "before":
                die()
            within.it = calls == nth
            try:
                returned = function(*given, **options)
            finally:
                within.it = False
            if calls == nth and when == "after":
                die()
            return returned

        return wrapped

    owner, name = find(POINTS[point])
    setattr(owner, name, wrap(getattr(owner, name)))
    if when == "within":
        sa.event.listen(sa.Engine, "commit", lambda _: die() if getattr(within, "it", False) else None)


def note_refusals() -> None:
    """Note each write that was refused since another driver has the trial."""

    def wrap(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        @wraps(function)
        def wrapped(ledger: Ledger, trial: Any, *given: Any, **options: Any) -> Any:
            try:
                return function(ledger, trial, *given, **options)
            except LeaseLost:
                note("refused", write=name, number=trial.number, stage=trial.stage)
                raise

        return wrapped

    for name in ("end_trial", "retry", "note"):
        setattr(Ledger, name, wrap(getattr(Ledger, name), name))


def listen(stop_after: int | None, every: int, event: Event) -> None:
    """Note what happens; of trials each `every`th."""
    if isinstance(event, RunBegun):
        note("run_begun", **costs())
    elif isinstance(event, TrialBegun):
        if event.number % every == 0:
            note("trial_begun", number=event.number, stage=event.stage, label=event.label)
        if stop_after is not None and event.number >= stop_after:
            signal.raise_signal(signal.SIGTERM)
    elif isinstance(event, TrialEnded):
        trial = event.trial
        if trial.number % every == 0:
            it = {"number": trial.number, "stage": trial.stage, "architecture": trial.architecture.id, "outcome": trial.state}
            note("trial_ended", **it, **costs())
    elif isinstance(event, RunEnded):
        note("run_ended", **costs())


def costs() -> dict[str, float]:
    """What this process has cost so far."""
    status = Path("/proc/self/status").read_text()  # not by nas.device, which loads torch
    resident = next(int(line.split()[1]) * 1_024 for line in status.splitlines() if line.startswith("VmRSS:"))
    return {"processor_seconds": time.process_time(), "resident_bytes": resident}


def run(asked: dict[str, Any]) -> None:
    if not (asked["evaluate"] or asked["options"].get("workers")):
        import_module("nas.evaluation")  # it is here that candidates are trained
    note("imported", driver=True)
    if crash := asked.get("crash"):
        die_at(**crash)
    note_refusals()
    if lease := asked.get("lease_seconds"):
        loop.Ledger = partial(Ledger, lease_seconds=lease)  # type: ignore[misc,assignment]
    if file_bytes := asked.get("file_bytes"):
        working.Bounds = partial(Bounds, file_bytes=file_bytes)  # type: ignore[misc,assignment]
    space = parse_space(asked["space"]) if "space" in asked else noted.WIDE
    evaluate = getattr(noted, asked["evaluate"]) if asked["evaluate"] else None  # else candidates are trained
    on_event = partial(listen, asked.get("stop_after"), asked.get("note_every", 1))
    nas.search(space, on="digits", evaluate=evaluate, on_event=on_event, **asked["options"])


if __name__ == "__main__":
    run(json.loads(sys.argv[1]))
