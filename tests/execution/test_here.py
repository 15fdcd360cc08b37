"""The executor of one slot, in this process."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from hearing import Heard, job
from toys import toy_evaluate, toy_record

from nas.benchmark import Budget
from nas.execution import Evaluate, Executor, Here, Interrupted
from nas.records import Record
from nas.space import Architecture


def test_a_job_is_run_by_waiting_for_it_and_its_listener_hears_each_epoch():
    heard = Heard()
    executor: Executor = Here(lambda: toy_evaluate, heard)
    with executor:
        assert (executor.slots, executor.free) == (1, 1)
        given = job()
        executor.start(given)
        assert executor.free == 0
        assert heard.told == []
        [ended] = executor.wait(0)
        assert (ended.job, ended.lost, ended.reason) == (given, False, "")
        assert ended.record == toy_evaluate(given.architecture, budget=given.budget, seed=given.seed)
        assert heard.told == [("begun", 1, "this process"), ("epoch", 1, 1), ("epoch", 1, 2)]
        assert executor.free == 1
        assert executor.silent(given) == 0.0


def test_what_evaluates_is_made_once_for_the_first_job():
    made = []

    def make() -> Evaluate:
        made.append(True)
        return toy_evaluate

    with Here(make, Heard()) as executor:
        assert executor.wait(0) == []
        assert made == []
        for number in range(3):
            executor.start(job(number))
            executor.wait(0)
    assert made == [True]


@pytest.mark.parametrize(("asks", "outcome"), [({"epoch"}, "pruned"), (set(), "complete")])
def test_only_an_answer_that_is_asked_for_stops_a_candidate(asks: Any, outcome: str):
    with Here(lambda: toy_evaluate, Heard(stop=True)) as executor:
        executor.start(job(asks=frozenset(asks)))
        [ended] = executor.wait(0)
    assert ended.record is not None
    assert ended.record.outcome == outcome


class Taking:
    """Evaluates, and remembers what it was handed."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}

    def __call__(self, architecture: Architecture, *, budget: Budget, seed: int, **given: Any) -> Record:
        self.given = given
        return toy_record("complete", {}, (), seed, budget)


def handed(**given: Any) -> dict[str, Any]:
    taking = Taking()
    with Here(lambda: taking, Heard()) as executor:
        executor.start(job(**given))
        executor.wait(0)
    return taking.given


def test_a_function_is_handed_no_more_than_it_takes_and_is_asked_for():
    assert set(handed()) == {"report"}
    assert set(handed(asks=frozenset({"known"}))) == {"report", "on_known"}
    assert set(handed(asks=frozenset({"replicate"}))) == {"report", "on_replicate"}
    assert handed(final=True)["final"] is True
    with Here(lambda: toy_evaluate, Heard()) as executor:  # takes neither
        executor.start(job(asks=frozenset({"known", "replicate"})))
        assert executor.wait(0)[0].record


class Resuming(Taking):
    """One that can go on within a candidate, and waits until it shall stop."""

    def resuming(self, folder: Path | None, every_seconds: float, stopping: Callable[[], bool]) -> Evaluate:
        def evaluate(architecture: Architecture, **given: Any) -> Record:
            self.given = {"folder": folder, "every_seconds": every_seconds}
            end = time.monotonic() + 60
            while time.monotonic() < end:
                if stopping():
                    raise Interrupted
            raise AssertionError("it was never told to stop")

        return evaluate


def test_an_interrupted_candidate_ends_without_a_record(tmp_path: Path):
    resuming = Resuming()
    with Here(lambda: resuming, Heard()) as executor:
        executor.start(job(folder=tmp_path, every_seconds=7.0))
        timer = Timer(0.1, executor.interrupt)
        timer.start()
        [ended] = executor.wait(0)
        timer.join()
        assert (ended.record, ended.lost, ended.reason) == (None, False, "interrupted")
        assert resuming.given == {"folder": tmp_path, "every_seconds": 7.0}
        assert executor.free == 1


def test_what_an_evaluation_raises_is_raised_and_the_slot_is_free_again():
    def broken(architecture: Architecture, **_: Any) -> Record:
        raise ZeroDivisionError

    with Here(lambda: broken, Heard()) as executor:
        executor.start(job())
        with pytest.raises(ZeroDivisionError):
            executor.wait(0)
        assert executor.free == 1


def test_a_cancelled_job_is_not_run():
    heard = Heard()
    with Here(lambda: toy_evaluate, heard) as executor:
        executor.start(job(1))
        executor.cancel(job(2))
        assert executor.free == 0
        executor.cancel(job(1))
        assert executor.free == 1
        assert executor.wait(0) == []
    assert heard.told == []


def test_without_a_job_it_waits_until_the_time_is_over_or_it_is_interrupted():
    with Here(lambda: toy_evaluate, Heard()) as executor:
        begin = time.monotonic()
        assert executor.wait(0.2) == []
        assert time.monotonic() - begin >= 0.2
        timer = Timer(0.1, executor.interrupt)
        timer.start()
        executor.wait(1_000)
        timer.join()
        assert time.monotonic() - begin < 100
        executor.close()  # twice is once
