"""Searches of two processes that torchrun starts: one asks and keeps, the other helps to train."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from torchrun import command, environment, pair, torchrun

from nas.records import Ledger, Trial
from nas.searching.together import following, several

SCRIPT = str(Path(__file__).with_name("search_at_work.py"))


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/nas.sqlite"


def trials(url: str, stage: str, study: str = "s") -> list[Trial]:
    with Ledger(url, create=False) as book:
        return [trial for trial in book.trials(book.study(study), stage) if trial.reused_from is None]


@pytest.mark.slow
def test_a_search_of_two_processes_keeps_a_ledger_like_any_other_and_outlives_a_candidate_that_fails_in_one(ledger: str) -> None:
    both = pair(SCRIPT, "search", ledger)
    for process in both:
        process.communicate(timeout=240)
    assert [process.returncode for process in both] == [0, 0]
    failed, complete = (trial.record for trial in trials(ledger, "search"))
    assert failed is not None
    assert complete is not None
    assert failed.error is not None
    assert (failed.error.kind, failed.error.message) == ("raised", "OtherFailed: process 1: ValueError: not here")
    assert complete.outcome == "complete"
    assert str(complete.setting).startswith("cpu, 1 thread, 2 processes on machine ")
    (final,) = trials(ledger, "final")
    assert final.record is not None
    assert "test_accuracy" in final.record.figures
    (other,) = trials(ledger, "search", "unusual")
    assert other.record is not None
    assert other.record.outcome == "complete"
    assert len(other.record.replicates) == 2, "one after another, in both processes"


@pytest.mark.slow
def test_what_a_listener_raises_ends_all_processes(ledger: str) -> None:
    done = torchrun(SCRIPT, "listener", ledger)
    assert done.returncode == 1
    assert "OSError: the disk is full" in done.stderr
    assert [trial.state for trial in trials(ledger, "search")] == ["running"]


@pytest.mark.slow
def test_a_process_that_is_killed_is_told_in_one_line_and_its_trial_can_go_on(ledger: str) -> None:
    first, second = pair(SCRIPT, "killed", ledger)
    told, _ = first.communicate(timeout=240)
    second.communicate(timeout=240)
    assert second.returncode == -signal.SIGKILL
    assert told.startswith("nas: One of 2 processes that train together has ended, or did not answer in time;")
    assert told.count("\n") == 1
    assert [trial.state for trial in trials(ledger, "search")] == ["running"]


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_and_keeps_what_was_found(ledger: str) -> None:
    words = ["-m", "nas", "search", "residual_cnn", "--on", "digits", "--steps", "20", "--trials", "1000", "--study", "s"]
    running = subprocess.Popen(
        command(*words, "--json", "--ledger", ledger),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(),
    )
    assert running.stdout is not None
    for line in running.stdout:
        if json.loads(line)["event"] == "trial_ended":
            break
    running.send_signal(signal.SIGINT)
    last, _ = running.communicate(timeout=240)
    assert json.loads(last.splitlines()[-1])["reason"] == "Interrupted; the same command goes on."
    assert trials(ledger, "search")[0].state == "complete"


def test_one_process_is_no_company(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    assert not several()
    monkeypatch.setattr(os, "environ", {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"})
    assert several()
    assert following()
    monkeypatch.setattr(os, "environ", {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"})
    assert not several()
    assert not following()
