"""A search killed with SIGKILL and started again is the search that was never killed."""

import math
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from nas.records import Ledger, Record, Trial

TOY_RUN = """
import sys, time
sys.path.insert(0, {tests!r})
from toys import TOY, toy_evaluate
import nas

def slow(architecture, **rest):
    time.sleep(0.02)
    return toy_evaluate(architecture, **rest)

def tell(event):
    print(type(event).__name__, flush=True)

nas.search(TOY, on="digits", evaluate=slow, strategy="tpe", trials=25, study="s", ledger=sys.argv[1], on_event=tell)
"""


@pytest.fixture
def toy_run(tmp_path: Path) -> list[str]:
    script = tmp_path / "toy_run.py"
    script.write_text(TOY_RUN.format(tests=str(Path(__file__).parents[1])))
    return [sys.executable, str(script)]


def test_killed_at_random_moments_it_ends_as_if_never_killed(tmp_path: Path, toy_run: list[str]) -> None:
    whole, killed = (f"sqlite:///{tmp_path}/{name}.sqlite" for name in ("whole", "killed"))
    subprocess.run([*toy_run, whole], check=True, capture_output=True)
    for _ in range(4):
        kill_after([*toy_run, killed], events=random.randint(1, 30), and_seconds=random.random() / 20)
    before = {trial.number: trial.record for trial in trials(killed) if trial.state != "running"}
    subprocess.run([*toy_run, killed], check=True, capture_output=True)
    assert shape(killed) == shape(whole)
    after = {trial.number: trial.record for trial in trials(killed)}
    assert all(after[number] == record for number, record in before.items()), "a finished trial was lost or changed"


@pytest.mark.slow
def test_real_training_killed_and_started_again_gives_the_same_scores(tmp_path: Path) -> None:
    whole, killed = (f"sqlite:///{tmp_path}/{name}.sqlite" for name in ("whole", "killed"))
    command = [
        sys.executable,
        "-m",
        "nas",
        "search",
        "residual_cnn",
        "--on",
        "digits",
        "--trials",
        "3",
        "--epochs",
        "2",
    ]
    command += ["--study", "s", "--limit", "params <= 50e3", "--strategy", "random", "--json", "--ledger"]
    subprocess.run([*command, whole], check=True, capture_output=True)
    kill_after([*command, killed], events=random.randint(4, 16), and_seconds=0.01)
    subprocess.run([*command, killed], check=True, capture_output=True)
    assert shape(killed) == shape(whole)


TRAINING_RUN = """
import signal, sys
sys.path.insert(0, {tests!r})
from toys import TOY
import nas

def wait(event):
    \"""Near the end, for somebody who kills it.\"""
    if type(event).__name__ == "EpochEnded" and event.epoch.epoch == 18:
        signal.pause()

given = {{"strategy": "random", "trials": 1, "epochs": 20, "fraction": 0.5, "study": "s"}}
given |= {{"on_event": wait}} if sys.argv[2:] else {{}}
nas.search(TOY, on="digits", ledger=sys.argv[1], checkpoint=0.02, **given)
"""


@pytest.mark.slow
def test_killed_within_a_training_it_goes_on_there_and_finds_the_same(tmp_path: Path) -> None:
    script = tmp_path / "training_run.py"
    script.write_text(TRAINING_RUN.format(tests=str(Path(__file__).parents[1])))
    whole, killed = (f"sqlite:///{tmp_path}/{name}.sqlite" for name in ("whole", "killed"))
    command = [sys.executable, str(script)]
    process = subprocess.Popen([*command, killed, "wait"])
    while not any(tmp_path.glob("killed.sqlite.checkpoints/s/*/*.json")):
        assert process.poll() is None, "it has ended without a checkpoint"
        time.sleep(0.001)
    time.sleep(random.random() / 20)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    for ledger in (whole, killed):
        subprocess.run([*command, ledger], check=True, capture_output=True)
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
