"""Candidates of the fault suite: each notes when it begins and ends, so that what was evaluated can be counted from outside.

The notes are lines of JSON in the file that NOTES names; a line is there whole, or not at all, whoever is killed.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toys import toy_record

from nas.benchmark import Budget
from nas.records import Epoch, Record
from nas.space import Architecture, parse_space

NOTES = "NAS_FAULTS_NOTES"
"""The environment variable that names the file; all processes of a run are known by it."""

HOLD = ".hold"
"""While there is a file of the notes' name and this, candidates that have begun stay where they are."""

WIDE = parse_space(
    """
name: wide
version: 1
accepts: image
layers:
  - conv: {features: {int: [1, 1000]}, kernel: {int: [1, 1000]}}
    name: layer
  - head
"""
)
"""A million architectures, so that hardly any is proposed twice."""


def note(what: str, **more: Any) -> None:
    """Add a line to the notes, if there are any."""
    if path := os.environ.get(NOTES):
        line = json.dumps({"what": what, "at": time.monotonic(), "pid": os.getpid(), **more}) + "\n"
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)


def accuracy(architecture: Architecture) -> float:
    return int(architecture.id[:6], 16) / 16**6


def record(architecture: Architecture, seed: int, budget: Budget, curve: tuple[Epoch, ...] = ()) -> Record:
    figures = {"validation_accuracy": accuracy(architecture), "params": 10.0, "flops": 20.0, "latency_ms": 1.5}
    return toy_record("complete", figures, curve, seed, budget)


def work(architecture: Architecture, seconds: float, budget: Budget, seed: int, report: Callable[[Epoch], bool]) -> Record:
    """So many seconds of work in three epochs, with a note before and after."""
    note("begun", architecture=architecture.id, seed=seed, parent=os.getppid())
    while os.path.exists(f"{os.environ.get(NOTES)}{HOLD}"):
        time.sleep(0.01)
    curve = []
    for number in range(1, 4):
        time.sleep(seconds / 3)
        point = {"validation_accuracy": accuracy(architecture) * number / 3}
        curve.append(Epoch(epoch=number, train_loss=1 / number, figures=point, seconds=seconds * number / 3))
        report(curve[-1])
    note("ended", architecture=architecture.id, seed=seed)
    return record(architecture, seed, budget, tuple(curve))


def brief(
    architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool], final: bool = False
) -> Record:
    """Up to 50 ms, of which each architecture has its own part."""
    return work(architecture, 0.05 * accuracy(architecture), budget, seed, report)


def longer(
    architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool], final: bool = False
) -> Record:
    """Half a second, in which somebody may strike."""
    return work(architecture, 0.3 + 0.4 * accuracy(architecture), budget, seed, report)


def at_once(
    architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool], final: bool = False
) -> Record:
    """In no time, and without a note."""
    return record(architecture, seed, budget)


def ends_its_worker_once(
    architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool], final: bool = False
) -> Record:
    """At its first attempt its worker is killed."""
    note("begun", architecture=architecture.id, seed=seed, parent=os.getppid())
    mark = Path(f"{os.environ[NOTES]}.{architecture.id}.{seed}")
    if not mark.exists():
        mark.touch()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    note("ended", architecture=architecture.id, seed=seed)
    return record(architecture, seed, budget)


def leaves_children(architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool]) -> Record:
    """Starts a child, one that leaves the session, and a daemon that ignores SIGTERM; and sleeps."""
    for away in (False, True):
        subprocess.Popen(["sleep", "1000"], start_new_session=away)
    between = os.fork()
    if between == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(1_000)
        os._exit(0)
    os.waitpid(between, 0)
    note("begun", architecture=architecture.id, seed=seed)
    time.sleep(1_000)
    raise AssertionError


def overstays(architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool]) -> Record:
    """One in four is done at once; the others sleep, loop, or are deaf to all signals, for longer than they may."""
    way = int(architecture.id[:4], 16) % 4
    note("begun", architecture=architecture.id, seed=seed, way=way)
    if way == 0:
        return record(architecture, seed, budget)
    if way == 3:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
    while way == 2:
        pass
    time.sleep(1_000)
    raise AssertionError
