"""A ledger that cannot be written to: the run ends in one line, finished work is kept beside it, and the same call goes on."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import TOY, toy_evaluate

import nas
from nas.benchmark import Budget
from nas.errors import Parked
from nas.records import Ledger, Record, Trial
from nas.searching.unsent import Unsent
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


def test_on_a_full_disk_a_result_has_the_room_that_was_set_aside_for_it(ledger: str, tmp_path: Path) -> None:
    with Ledger(ledger) as book:
        study = book.begin_study("s", {"space": {"name": "toy", "version": 1}})
        architecture = TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0})
        trial = book.begin_trial(study, "search", 0, architecture, "key")
        record = toy_evaluate(architecture, budget=Budget(epochs=3), seed=1)
        unsent, folder = Unsent(book, study), tmp_path / "nas.sqlite.unsent" / "s"
        stale, ours = folder / f"{2**22 + 1}.room", folder / f"{os.getpid()}.room"
        folder.mkdir(parents=True)
        stale.touch()
        unsent.reserve()
        assert [*folder.iterdir()] == [ours]
        assert ours.stat().st_size > 100_000
        assert unsent.keep(trial, record, "x" * 10)
        assert [path.name for path in folder.iterdir()] == [f"{trial.id}.json"]
        unsent.release()
        assert unsent.send() == 1
        assert book.log(book.trials(study)[0]) == "x" * 10
    assert not folder.parent.exists()
