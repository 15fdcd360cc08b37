"""A ledger that cannot be written to: the run ends in one line, finished work is kept beside it, and the same call goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import TOY, toy_evaluate

import nas
from nas.errors import Parked
from nas.records import Ledger, Record, Trial
from nas.space import Architecture


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/nas.sqlite"


class Counting:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, architecture: Architecture, **rest: Any) -> Record:
        self.asked.append(architecture.id)
        return toy_evaluate(architecture, **rest)


def search(ledger: str, evaluate: Any, **options: Any) -> nas.Study:
    return nas.search(TOY, on="digits", evaluate=evaluate, strategy="random", ledger=ledger, study="s", trials=8, **options)


@pytest.fixture
def parked(ledger: str, monkeypatch: pytest.MonkeyPatch) -> Counting:
    """What was evaluated before the ledger's disk was full, as the fourth evaluation was to be written."""
    end_trial: Callable[..., Trial] = Ledger.end_trial
    ended: list[int] = []

    def end(self: Ledger, trial: Trial, *args: Any, **named: Any) -> Trial:
        if named.get("reused_from") is None:
            if len(ended) == 3:
                raise Parked("The disk of the ledger is full.")
            ended.append(trial.number)
        return end_trial(self, trial, *args, **named)

    evaluate = Counting()
    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "end_trial", end)
        with pytest.raises(Parked):
            search(ledger, evaluate)
    assert len(evaluate.asked) == 4
    return evaluate


def test_what_had_ended_is_kept_beside_the_ledger_and_sent_by_the_same_call(
    ledger: str, tmp_path: Path, parked: Counting
) -> None:
    assert len([*(tmp_path / "nas.sqlite.unsent" / "s").glob("*.json")]) == 1
    study = search(ledger, parked)
    assert len(parked.asked) == len(set(parked.asked)) == 8, "a finished evaluation was lost"
    assert study.trials.query("state == 'complete'").architecture.nunique() == 8
    assert not (tmp_path / "nas.sqlite.unsent").exists()


def test_what_another_driver_took_over_meanwhile_is_not_sent(ledger: str, tmp_path: Path, parked: Counting) -> None:
    with Ledger(ledger) as book:
        (taken,) = book.take_over(book.study("s"))
    assert taken.architecture.id == parked.asked[-1]
    study = search(ledger, parked)
    assert study.trials.query("state == 'complete'").architecture.nunique() == 8
    assert parked.asked.count(taken.architecture.id) == 2
    assert not (tmp_path / "nas.sqlite.unsent").exists()


@pytest.mark.parametrize("content", ["", "{}", "[" * 100_000, '{"fence": "x"}', "null"])
def test_a_file_that_is_something_else_is_passed_over(ledger: str, tmp_path: Path, parked: Counting, content: str) -> None:
    (file,) = (tmp_path / "nas.sqlite.unsent" / "s").glob("*.json")
    file.write_text(content)
    study = search(ledger, parked)
    assert study.trials.query("state == 'complete'").architecture.nunique() == 8
