"""How busy a search keeps its workers, in virtual time, with the durations of networks that were trained."""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from virtual import TABLE, Clock, Seconds, Virtual, lognormal, of_table, search_virtually

from nas.benchmark import Budget
from nas.execution import Job
from nas.records import Epoch
from nas.tables import Table, read_table
from nas.tables.answering import make_benchmark

TRIALS = 200


@pytest.fixture(scope="module")
def table() -> Table:
    return read_table(TABLE)


def searched(table: Table, seconds: Seconds, folder: Path, *, workers: int, **options: Any) -> Clock:
    """What the workers did in a search for the best of the table's networks."""
    told = {"space": table.space, "on": "digits", "epochs": table.epochs, "trials": TRIALS, "strategy": "random", "confirm": 0}
    _, clock = search_virtually(
        seconds,
        workers=workers,
        evaluate=make_benchmark(table).evaluator(),
        ledger=str(folder / f"{workers}-{options['seed']}.sqlite"),
        **{**told, **options},
    )
    return clock


DURATIONS: dict[str, Callable[[Table], Seconds]] = {
    "as trained": of_table,
    "lognormal": lambda table: lognormal(table, alike=0.9),
}


@pytest.mark.parametrize("durations", DURATIONS)
@pytest.mark.parametrize(("workers", "goal"), [(8, 0.95), (32, 0.9)])
def test_workers_are_busy_to_the_end(table: Table, durations: str, workers: int, goal: float, tmp_path: Path):
    seconds = DURATIONS[durations](table)
    busy = []
    for seed in range(2):
        clock = searched(table, seconds, tmp_path, workers=workers, seed=seed)
        assert len(clock.begun) == TRIALS
        busy.append(clock.busy())
    assert fmean(busy) >= goal


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "confirm", "goal"), [(8, 20, 0.95), (32, 0, 0.9)])
def test_workers_are_busy_while_the_surrogate_chooses(table: Table, workers: int, confirm: int, goal: float, tmp_path: Path):
    chosen: dict[str, Any] = {"strategy": "auto", "confirm": confirm, "workers": workers}
    runs = [searched(table, of_table(table), tmp_path, seed=seed, **chosen) for seed in (0, 1)]
    assert [len(clock.begun) for clock in runs] == [TRIALS, TRIALS]
    assert fmean(clock.busy() for clock in runs) >= goal


def test_a_free_worker_never_waits_for_a_slow_one(table: Table, tmp_path: Path):
    durations = itertools.chain([1_000.0], itertools.repeat(1.0))
    clock = searched(table, lambda _: next(durations), tmp_path, workers=4, trials=61, seed=1)
    assert len(clock.begun) == 61
    assert clock.last_end == 1_000.0
    assert max(begun for begun, _ in clock.begun) == 19.0


class Deaf:
    """A listener that stops nothing."""

    def on_begun(self, job: Job, where: str) -> None:
        pass

    def on_known(self, job: Job, figures: Mapping[str, float]) -> bool:
        return False

    def on_epoch(self, job: Job, epoch: Epoch) -> bool:
        return False

    def on_replicate(self, job: Job, number: int, figures: Mapping[str, float]) -> bool:
        return False


def test_the_clock_jumps_from_end_to_end(table: Table):
    first, second, third = table.architectures[:3]
    takes = {first.id: 3.0, second.id: 1.0, third.id: 1.0}
    evaluate = make_benchmark(table).evaluator()
    executor = Virtual(lambda: evaluate, Deaf(), slots=2, seconds=lambda one: takes[one.id])
    jobs = [Job(id=n, architecture=one, budget=Budget(epochs=16), seed=0) for n, one in enumerate((first, second, third))]
    executor.start(jobs[0])
    executor.start(jobs[1])
    assert executor.free == 0
    ends = []
    for later in (jobs[2], None, None):
        [ended] = executor.wait(60.0)
        ends.append((ended.job.id, executor.clock.now))
        if later is not None:
            executor.start(later)
    assert ends == [(1, 1.0), (2, 2.0), (0, 3.0)]
    assert executor.clock.busy() == pytest.approx(5 / 6)
