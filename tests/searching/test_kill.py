"""A search killed with SIGKILL and started again is the search that was never killed."""

import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from toys import TOY, toy_evaluate

import nas
from nas.cli import main
from nas.records import Ledger, Record, Trial
from nas.searching import EpochEnded, Event
from nas.searching.events import ignore
from nas.space import Architecture


def slow(architecture: Architecture, **rest: Any) -> Record:
    time.sleep(0.02)
    return toy_evaluate(architecture, **rest)


def toy_run(ledger: str, on_event: Callable[[Event], None] = ignore) -> None:
    """A search of 25 toys."""
    given: dict[str, Any] = {"strategy": "tpe", "trials": 25, "study": "s"}
    nas.search(TOY, on="digits", evaluate=slow, ledger=ledger, on_event=on_event, **given)


def training_run(ledger: str, on_event: Callable[[Event], None] = ignore) -> None:
    """A training of twenty epochs, with a checkpoint whenever there is time."""
    given: dict[str, Any] = {"strategy": "random", "trials": 1, "epochs": 20, "fraction": 0.2, "study": "s"}
    nas.search(TOY, on="digits", ledger=ledger, checkpoint=0.02, on_event=on_event, **given)


def tell(event: Event) -> None:
    sys.stdout.write(f"{type(event).__name__}\n")
    sys.stdout.flush()


def wait_near_the_end(event: Event) -> None:
    """For somebody who kills it."""
    if isinstance(event, EpochEnded) and event.epoch.epoch == 18:
        signal.pause()


def apart(run: str, ledger: str) -> list[str]:
    """The command that does such a run in a process that is to be killed."""
    here = Path(__file__).parent
    code = f"import sys; sys.path[:0] = {[str(here), str(here.parent)]}; from test_kill import *; {run}"
    return [sys.executable, "-c", code, ledger]


def test_killed_at_random_moments_it_ends_as_if_never_killed(tmp_path: Path) -> None:
    whole, killed = (f"sqlite:///{tmp_path}/{name}.sqlite" for name in ("whole", "killed"))
    toy_run(whole)
    for _ in range(4):
        command = apart("toy_run(sys.argv[1], tell)", killed)
        kill_after(command, events=random.randint(1, 30), and_seconds=random.random() / 20)
    before = {trial.number: trial.record for trial in trials(killed) if trial.state != "running"}
    toy_run(killed)
    assert shape(killed) == shape(whole)
    after = {trial.number: trial.record for trial in trials(killed)}
    assert all(after[number] == record for number, record in before.items()), "a finished trial was lost or changed"


@pytest.mark.slow
def test_real_training_killed_and_started_again_gives_the_same_scores(tmp_path: Path) -> None:
    whole, killed = (f"sqlite:///{tmp_path}/{name}.sqlite" for name in ("whole", "killed"))
    words = ["search", "residual_cnn", "--on", "digits", "--trials", "3", "--epochs", "2", "--fraction", "0.2", "--study", "s"]
    words += ["--limit", "params <= 50e3", "--strategy", "random", "--json", "--ledger"]
    kill_after([sys.executable, "-m", "nas", *words, killed], events=random.randint(4, 16), and_seconds=0.01)
    for ledger in (whole, killed):
        assert CliRunner().invoke(main, [*words, ledger]).exit_code == 0
    assert shape(killed) == shape(whole)


@pytest.mark.slow
def test_killed_within_a_training_it_goes_on_there_and_finds_the_same(tmp_path: Path) -> None:
    whole, killed = (f"sqlite:///{tmp_path}/{name}.sqlite" for name in ("whole", "killed"))
    process = subprocess.Popen(apart("training_run(sys.argv[1], wait_near_the_end)", killed))
    while not any(tmp_path.glob("killed.sqlite.checkpoints/s/*/*.json")):
        assert process.poll() is None, "it has ended without a checkpoint"
        time.sleep(0.001)
    time.sleep(random.random() / 20)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    for ledger in (whole, killed):
        training_run(ledger)
    (one,), (other,) = trials(whole), trials(killed)
    assert one.record is not None
    assert other.record is not None
    assert other.record.notes[0].startswith("Went on from a checkpoint after step ")
    assert [replace(point, seconds=0) for point in other.record.curve] == [
        replace(point, seconds=0) for point in one.record.curve
    ]
    for figures in (one.record.figures, other.record.figures):
        assert all(math.isfinite(figures[name]) for name in TIMED)
    assert untimed(other.record) == untimed(one.record)
    assert not (tmp_path / "killed.sqlite.checkpoints").exists()


TIMED = "latency_ms", "train_seconds"


def untimed(record: Record) -> dict[str, float]:
    """The figures that do not depend on the clock."""
    return {name: value for name, value in record.figures.items() if name not in TIMED}


def kill_after(command: list[str], *, events: int, and_seconds: float) -> None:
    """Start `command`, and kill it dead after it printed so many lines and a moment more; it may have ended by then."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    for _ in range(events):
        process.stdout.readline()
    time.sleep(and_seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def trials(url: str) -> list[Trial]:
    with Ledger(url, create=False) as ledger:
        return ledger.trials(ledger.study("s"))


def shape(url: str) -> list[tuple[int, str, str, float | None]]:
    """What must be equal: number, architecture, state and score of every trial."""
    return [
        (
            trial.number,
            trial.architecture.id,
            trial.state,
            trial.record.figures.get("validation_accuracy") if trial.record else None,
        )
        for trial in trials(url)
    ]
