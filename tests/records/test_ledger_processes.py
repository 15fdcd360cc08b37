"""The ledger among real processes that start at once, drive, and are killed."""

import multiprocessing
import sqlite3
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from time import sleep

import pytest
from toys import TOY, toy_evaluate

from nas.benchmark import Budget
from nas.errors import LedgerError
from nas.records import Ledger, Record

DEFINITION = {"space": {"name": "toy", "version": 1}}
SHALLOW = TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0})

# Children are forked from a fresh server that has these imported already, so that eight of them start within a blink.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["toys", "nas.records"])


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/nas.sqlite"


def evaluated(number: int) -> Record:
    """What every trial of that number has for a record."""
    return toy_evaluate(SHALLOW, budget=Budget(epochs=3), seed=number)


def add_trial(ledger: Ledger, study: str, number: int) -> None:
    entry = ledger.begin_study(study, DEFINITION)
    trial = ledger.begin_trial(entry, "search", number, SHALLOW, f"{study}-{number}")
    ledger.end_trial(trial, evaluated(number), proposal={"sampler": {"note": number}})


def add_study(url: str, study: str, trials: int, barrier: Barrier) -> None:
    barrier.wait(60)
    with Ledger(url) as ledger, ledger.driving(study):
        for number in range(trials):
            add_trial(ledger, study, number)


def test_eight_processes_that_start_at_once_on_no_ledger_lose_nothing(url: str) -> None:
    barrier = PROCESSES.Barrier(8)
    names = [f"study-{n}" for n in range(8)]
    workers = [PROCESSES.Process(target=add_study, args=(url, name, 20, barrier), daemon=True) for name in names]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * 8
    with Ledger(url, create=False) as ledger:
        assert sorted(entry.name for entry in ledger.studies()) == names
        for entry in ledger.studies():
            trials = ledger.trials(entry)
            assert [trial.number for trial in trials] == list(range(20))
            assert [trial.record for trial in trials] == [evaluated(number) for number in range(20)]


def drive(url: str, study: str, say: Connection) -> None:
    with Ledger(url) as ledger, ledger.driving(study):
        say.send("driving")
        sleep(300)


def test_a_second_process_is_refused_until_the_first_is_killed(url: str) -> None:
    heard, say = PROCESSES.Pipe(duplex=False)
    first = PROCESSES.Process(target=drive, args=(url, "a", say), daemon=True)
    first.start()
    say.close()
    assert heard.recv() == "driving"
    with Ledger(url) as ledger:
        with pytest.raises(LedgerError, match=r"^The study 'a' is being run by another process"), ledger.driving("a"):
            pass
        first.kill()
        first.join(60)
        with ledger.driving("a"):
            pass


def write_for_ever(url: str, study: str, say: Connection) -> None:
    with Ledger(url) as ledger, ledger.driving(study):
        for number in range(1_000_000):
            add_trial(ledger, study, number)
            say.send(number)


def test_a_process_killed_while_writing_leaves_every_finished_trial(url: str, tmp_path: Path) -> None:
    for turn, (most, pause) in enumerate([(1, 0.0), (2, 0.0013), (5, 0.0031), (13, 0.0007), (34, 0.0047)]):
        study = f"study-{turn}"
        heard, say = PROCESSES.Pipe(duplex=False)
        writer = PROCESSES.Process(target=write_for_ever, args=(url, study, say), daemon=True)
        writer.start()
        say.close()
        finished = [heard.recv() for _ in range(most)]
        sleep(pause)  # so that it dies at another point of its loop
        writer.kill()
        writer.join(60)
        finished += rest_of(heard)

        with Ledger(url, create=False) as ledger:
            trials = ledger.trials(ledger.study(study))
            kept = {trial.number: trial for trial in trials if trial.state != "running"}
            assert finished == list(range(len(finished)))
            assert set(finished) <= set(kept)
            assert all(trial.record == evaluated(number) for number, trial in kept.items())
            assert all(trial.proposal == {"sampler": {"note": number}} for number, trial in kept.items())
            assert sum(trial.state == "running" for trial in trials) <= 1
            with ledger.driving(study):
                add_trial(ledger, study, len(trials))
    connection = sqlite3.connect(tmp_path / "nas.sqlite")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def rest_of(heard: Connection) -> list[int]:
    """What a process had still said before it died."""
    numbers = []
    while True:
        try:
            numbers.append(heard.recv())
        except EOFError:
            return numbers


def test_a_reader_sees_a_study_grow_while_another_process_writes(url: str) -> None:
    heard, say = PROCESSES.Pipe(duplex=False)
    writer = PROCESSES.Process(target=write_for_ever, args=(url, "a", say), daemon=True)
    writer.start()
    say.close()
    try:
        heard.recv()
        with Ledger(url, create=False) as ledger:
            entry = ledger.study("a")
            for _ in range(5):
                number = heard.recv()
                kept = [trial.number for trial in ledger.trials(entry) if trial.state == "complete"]
                assert kept[: number + 1] == list(range(number + 1))
    finally:
        writer.kill()
        writer.join(60)
