"""What the harness itself costs: a process for each candidate, thousands of trials, and a second worker that is worth one."""

import os
import subprocess
import sys
import time
from statistics import median
from typing import Any

import noted
from beside import CANDIDATES, candidates_a_second
from frame import Outcome, Row, Scene, spread
from hearing import Heard, job
from starting import PATIENCE_SECONDS, Driver, Missed, nobody_left

from nas.execution import Bounds, Evaluate, Here, Processes
from nas.execution.jobs import Executor

ISOLATION_SECONDS = 0.1
TIMES_THE_CANDIDATES = 1.7
OWN_SECONDS = 0.005
GROWTH_BYTES = 50e6
RANK_SECONDS = 3.0
FIRST = 100
"""Trials after which what libraries load is loaded."""


def at_once_beside_torch() -> Evaluate:
    """What costs nothing, in a process that has loaded what trainings need, and data."""
    from misbehaving import make

    at_once_beside_torch.evaluator = make()  # type: ignore[attr-defined]  # it stays
    return noted.at_once


def _seconds_each(executor: Executor, times: int) -> list[float]:
    executor.ready()
    took = []
    for number in range(times):
        begin = time.monotonic()
        executor.start(job(number + 1))
        while not (ended := executor.wait(10)):
            pass
        took.append(time.monotonic() - begin)
        assert ended[0].record is not None, ended[0].reason
    return took


def isolation(scene: Scene) -> Outcome:
    """Candidates that cost nothing, in processes of their own and in this one."""
    with Processes(at_once_beside_torch, Heard(), workers=1, bounds=Bounds()) as processes:
        apart = _seconds_each(processes, scene.times)
    here = _seconds_each(Here(at_once_beside_torch, Heard()), scene.times)
    cost = median(apart) - median(here)
    missed = [f"the median is {cost:.3f} s"] if cost > ISOLATION_SECONDS and not scene.short else []
    result = f"median {cost:.3f} s, longest {max(apart):.3f} s"
    counts = {"seconds_median": round(cost, 4), "seconds_longest": round(max(apart), 4)}
    return Outcome(times=scene.times, result=result, counts=counts, missed=missed)


def two_workers(scene: Scene) -> Outcome:
    """Rounds of the same search by one worker and by two, in turns; the median of their ratios."""
    ratios = []
    for number in range(scene.times):
        one, two = (candidates_a_second(workers, scene.sqlite(f"{number}-{workers}")) for workers in (1, 2))
        ratios.append(two / one)
        scene.tell(number + 1)
    found = median(ratios)
    missed = [f"{found:.2f} times"] if found < TIMES_THE_CANDIDATES and not scene.short else []
    result = f"{found:.2f} times, {min(ratios):.2f} to {max(ratios):.2f} in {scene.times} rounds of {CANDIDATES} candidates"
    return Outcome(times=scene.times, result=result, counts={"ratio": round(found, 3)}, missed=missed)


def many_trials(scene: Scene) -> Outcome:
    """One study of candidates that cost nothing, in the driver's process; then `nas rank`."""
    notes, ledger = scene.folder / "notes", scene.sqlite()
    options: dict[str, Any] = {"evaluate": "at_once", "trials": scene.times, "note_every": FIRST}
    missed = []
    with nobody_left(notes), Driver(notes, ledger, **options) as driver:
        try:
            driver.end(PATIENCE_SECONDS + scene.times / 20)
        except Missed as error:
            missed.append(str(error))
    scene.tell(scene.times)
    begun, ended = driver.notes.of("run_begun"), driver.notes.of("run_ended")
    first = driver.notes.of("trial_ended", number=FIRST)
    if not (begun and first and ended):
        return Outcome(times=0, result="none", counts={}, missed=[*missed, "the run did not end"])
    each = (ended[0]["at"] - begun[0]["at"]) / scene.times
    processor = (ended[0]["processor_seconds"] - begun[0]["processor_seconds"]) / scene.times
    growth = ended[0]["resident_bytes"] - first[0]["resident_bytes"]
    ranked = [_rank(ledger) for _ in range(1 if scene.short else 3)]
    counts = {
        "ms_each": round(1e3 * each, 3),
        "processor_ms_each": round(1e3 * processor, 3),
        "mb_grown": round(growth / 1e6, 1),
        "rank_seconds_median": round(median(ranked), 3),
    }
    if not scene.short:
        missed += [f"{1e3 * each:.2f} ms each"] if each > OWN_SECONDS else []
        missed += [f"memory grew by {growth / 1e6:.0f} MB"] if growth >= GROWTH_BYTES else []
        missed += [f"`nas rank` took {median(ranked):.2f} s"] if median(ranked) > RANK_SECONDS else []
    result = (
        f"{1e3 * each:.2f} ms each, {1e3 * processor:.2f} ms of the processor; memory grew by {growth / 1e6:.0f} MB; "
        f"`nas rank`: {spread(ranked)}"
    )
    return Outcome(times=scene.times, result=result, counts=counts, missed=missed)


def _rank(ledger: str) -> float:
    begin = time.monotonic()
    command = [sys.executable, "-m", "nas", "rank", "s", "--top", "5", "--ledger", ledger]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    return time.monotonic() - begin


ROWS = (
    Row(
        name="isolation",
        test="isolation per candidate",
        goal="median at most 0.10 s",
        how=(
            "A candidate that costs nothing, in a process forked from one that has loaded torch and the digits: from the order "
            "to its Record, all processes that it started dead, less what it takes in the driver's own process."
        ),
        short=5,
        long=200,
        run=isolation,
    ),
    Row(
        name="two_workers",
        test="2 workers against 1",
        goal="at least 1.7 times the candidates",
        how=(
            f"Two searches of {CANDIDATES} small real trainings each, in turns on one machine, from the first candidate to the "
            "end of the last; the median of the rounds (benchmarks/speed/test_workers.py)."
        ),
        short=0,
        long=3,
        run=two_workers,
    ),
    Row(
        name="many_trials",
        test="10,000 trivial trials",
        goal="at most 5 ms own cost each, memory grows by under 50 MB, `nas rank` in 3 s",
        how=(
            "A search by chance of candidates that answer at once, in the driver's process, with all that is written to the "
            f"ledger: seconds by the clock from its beginning to its end; memory from trial {FIRST} to the end; `nas rank` of "
            "that study as a command, the median of three."
        ),
        short=300,
        long=10_000,
        run=many_trials,
    ),
)
