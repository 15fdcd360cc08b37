"""The ledger among real processes that start at once, share studies, and are killed."""

import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from time import sleep

from toys import TOY, toy_evaluate

from nas.benchmark import Budget
from nas.errors import LeaseLost, NumberTaken
from nas.records import Ledger, Record

DEFINITION = {"space": {"name": "toy", "version": 1}}
SHALLOW = TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0})

# Children are forked from a fresh server that has these imported already, so that eight of them start within a blink.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["toys", "nas.records", "psycopg"])


def evaluated(number: int) -> Record:
    """What every trial of that number has for a record."""
    return replace(toy_evaluate(SHALLOW, budget=Budget(epochs=3), seed=number), commit=None)  # somebody may commit meanwhile


def add_trial(ledger: Ledger, study: str, number: int) -> None:
    entry = ledger.begin_study(study, DEFINITION)
    trial = ledger.begin_trial(entry, "search", number, SHALLOW, f"{study}-{number}")
    ledger.end_trial(trial, evaluated(number), proposal={"sampler": {"note": number}})


def add_study(url: str, study: str, trials: int, barrier: Barrier) -> None:
    barrier.wait(240)
    with Ledger(url) as ledger:
        for number in range(trials):
            add_trial(ledger, study, number)


def test_eight_processes_that_start_at_once_on_no_ledger_lose_nothing(url: str) -> None:
    barrier = PROCESSES.Barrier(8)
    names = [f"study-{n}" for n in range(8)]
    run_all([PROCESSES.Process(target=add_study, args=(url, name, 20, barrier), daemon=True) for name in names])
    with Ledger(url, create=False) as ledger:
        assert sorted(entry.name for entry in ledger.studies()) == names
        for entry in ledger.studies():
            trials = ledger.trials(entry)
            assert [trial.number for trial in trials] == list(range(20))
            assert [trial.record for trial in trials] == [evaluated(number) for number in range(20)]


def run_all(workers: Sequence[multiprocessing.process.BaseProcess]) -> None:
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(240)
    assert [worker.exitcode for worker in workers] == [0] * len(workers)


def share_study(url: str, trials: int, barrier: Barrier) -> None:
    """So many trials of one study, each under the next number that nobody has."""
    barrier.wait(240)
    with Ledger(url) as ledger:
        entry = ledger.begin_study("a", DEFINITION)
        number = done = 0
        while done < trials:
            try:
                trial = ledger.begin_trial(entry, "search", number, SHALLOW, f"{number}")
            except NumberTaken:
                number += 1
                continue
            ledger.end_trial(trial, evaluated(number), log=f"{number}\n")
            done += 1


def test_eight_processes_that_share_a_study_do_each_trial_once(url: str) -> None:
    barrier = PROCESSES.Barrier(8)
    run_all([PROCESSES.Process(target=share_study, args=(url, 50, barrier), daemon=True) for _ in range(8)])
    with Ledger(url, create=False) as ledger:
        entry = ledger.study("a")
        trials = ledger.trials(entry)
        assert [trial.number for trial in trials] == list(range(400))
        assert [trial.record for trial in trials] == [evaluated(number) for number in range(400)]
        assert len({trial.holder for trial in trials}) == 8
        assert all(trial.attempts == trial.fence == 1 for trial in trials)
        assert [ledger.log(trial) for trial in trials[::40]] == [f"{number}\n" for number in range(0, 400, 40)]
        revision, changed = ledger.changes(entry, 0)
        assert (revision, sorted(trial.number for trial in changed)) == (800, list(range(400)))


def hold(url: str, seconds: float, say: Connection) -> None:
    """Claim a trial, and try to end it when told."""
    with Ledger(url, lease_seconds=seconds) as ledger:
        entry = ledger.begin_study("a", DEFINITION)
        trial = ledger.begin_trial(entry, "search", 0, SHALLOW, "key")
        say.send(ledger.holder)
        say.recv()
        try:
            ledger.end_trial(trial, evaluated(1), log="stale")
            say.send("ended")
        except LeaseLost as error:
            say.send(str(error))


def held(url: str, seconds: float) -> tuple[multiprocessing.process.BaseProcess, Connection, str]:
    """A process that holds a trial of study a, who one talks to it by, and its name."""
    ours, theirs = PROCESSES.Pipe()
    process = PROCESSES.Process(target=hold, args=(url, seconds, theirs), daemon=True)
    process.start()
    theirs.close()
    return process, ours, ours.recv()


def test_what_a_killed_process_held_is_taken_over_at_once(url: str) -> None:
    process, talk, name = held(url, 1000)
    with Ledger(url, create=False) as ledger:
        entry = ledger.study("a")
        assert ledger.take_over(entry) == []
        process.kill()
        process.join(240)
        begun = time.monotonic()
        (taken,) = ledger.take_over(entry)
        assert time.monotonic() - begun < 200, "its lease is longer than that"
        assert (taken.holder, taken.fence, taken.attempts) == (ledger.holder, 2, 2)
        assert taken.holder != name
    talk.close()


def test_what_a_killed_process_held_is_free_though_nobody_has_waited_for_it(url: str) -> None:
    process, talk, _ = held(url, 1000)
    with Ledger(url, create=False) as ledger:
        os.kill(process.pid or 0, signal.SIGKILL)
        for _ in range(2_000):
            if taken := ledger.take_over(ledger.study("a")):
                break
            sleep(0.05)
        assert [trial.number for trial in taken] == [0]
    process.join(240)
    talk.close()


def test_a_process_that_slept_past_its_lease_writes_nothing(url: str) -> None:
    process, talk, _ = held(url, 0.5)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)
    try:
        with Ledger(url, create=False) as ledger:
            entry = ledger.study("a")
            for _ in range(2_000):
                if taken := ledger.take_over(entry):
                    break
                sleep(0.05)
            ended = ledger.end_trial(taken[0], evaluated(2))
            os.kill(process.pid, signal.SIGCONT)
            talk.send("go on")
            assert "was taken over or ended by another process" in talk.recv()
            assert ledger.trials(entry) == [ended]
            assert ledger.log(ended) == ""
    finally:
        process.kill()
        process.join(240)
        talk.close()


def take_all(url: str, barrier: Barrier, say: Connection) -> None:
    with Ledger(url, create=False) as ledger:
        entry = ledger.study("a")
        barrier.wait(240)
        say.send([trial.number for trial in ledger.take_over(entry)])
        barrier.wait(240)  # what it took would be free again once it is gone


def test_each_trial_is_taken_over_by_one(url: str) -> None:
    with Ledger(url) as ledger:
        entry = ledger.begin_study("a", DEFINITION)
        ledger.give_back([ledger.begin_trial(entry, "search", n, SHALLOW, f"{n}") for n in range(10)])
    barrier = PROCESSES.Barrier(6)
    heard, say = PROCESSES.Pipe(duplex=False)
    # One pipe for all: what each says is short, and written at once.
    workers = [PROCESSES.Process(target=take_all, args=(url, barrier, say), daemon=True) for _ in range(6)]
    for worker in workers:
        worker.start()
    told = [heard.recv() for _ in workers]
    for worker in workers:
        worker.join(240)
    heard.close()
    say.close()
    assert sorted(number for numbers in told for number in numbers) == list(range(10))


def write_for_ever(url: str, study: str, say: Connection) -> None:
    with Ledger(url) as ledger:
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
        writer.join(240)
        finished += rest_of(heard)

        with Ledger(url, create=False) as ledger:
            trials = ledger.trials(ledger.study(study))
            kept = {trial.number: trial for trial in trials if trial.state != "running"}
            assert finished == list(range(len(finished)))
            assert set(finished) <= set(kept)
            assert all(trial.record == evaluated(number) for number, trial in kept.items())
            assert all(trial.proposal == {"sampler": {"note": number}} for number, trial in kept.items())
            assert sum(trial.state == "running" for trial in trials) <= 1
            add_trial(ledger, study, len(trials))
    if (tmp_path / "nas.sqlite").exists():
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
        writer.join(240)
