"""Workers that are killed or stopped, and drivers that sleep past their lease: each trial is complete exactly once."""

import os
import signal
import sqlite3
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any

from frame import Outcome, Row, Scene, spread
from starting import Driver, Missed, Watched, nobody_left, trials, until

LEASE_SECONDS = 1.5
WORKERS_LEASE_SECONDS = 3.0
"""A worker says each second that it is alive."""


def _busy(study: Watched, struck: set[tuple[str, int]]) -> dict[str, Any] | None:
    """A candidate that is at work, and was not struck yet."""
    ended = {(line["architecture"], line["seed"]) for line in study.notes.of("ended")}
    for line in reversed(study.notes.of("begun")):
        work = line["architecture"], line["seed"]
        if work not in ended and (line["architecture"], line["pid"]) not in struck:
            return line
    return None


def _missed(study: Watched, wanted: int, name: str, drivers: int = 1) -> list[str]:
    found = [f"{number} {what} in {name}" for what, number in study.faults(wanted, drivers).items() if number]
    others = Counter(one.state for one in trials(study.ledger) if one.state != "complete")
    return found + [f"{number} trials are {state} in {name}" for state, number in others.items()]


def killed(scene: Scene) -> Outcome:
    """Whichever of two workers is at a candidate is killed, up to 12 times a study."""
    struck, missed, wanted = 0, [], 12
    attempts = 0
    for number in count():
        if struck >= scene.times:
            break
        study = Watched(scene.sqlite(f"study-{number}"), scene.folder / f"study-{number}.notes")
        known: set[tuple[str, int]] = set()
        options: dict[str, Any] = {"evaluate": "longer", "workers": 2, "trials": wanted, "attempts": 50}
        with nobody_left(study.notes.path), Driver(study.notes.path, study.ledger, **options) as driver:
            try:
                for _ in range(min(12, scene.times - struck)):
                    look = partial(_busy, study, known)
                    until(lambda look=look, driver=driver: look() or driver.process.poll() is not None, "a candidate at work")
                    if (line := look()) is None:
                        break  # the study is over
                    known.add((line["architecture"], line["pid"]))
                    time.sleep(scene.rng.random() * 0.4)
                    study.look()
                    with suppress(ProcessLookupError):
                        os.kill(line["parent"], signal.SIGKILL)
                        struck += 1
                    scene.tell(struck)
                driver.end()
            except Missed as error:
                missed.append(f"study {number}: {error}")
            missed += _missed(study, wanted, f"study {number}")
            attempts += sum(trial.attempts - 1 for trial in trials(study.ledger))
    result = (
        f"{struck} workers killed, {attempts} trials begun again; {'each' if not missed else 'not each'} complete exactly once"
    )
    return Outcome(times=struck, result=result, counts={"begun_again": attempts, "faults": len(missed)}, missed=missed)


def stopped(scene: Scene) -> Outcome:
    """A worker that does not answer for a whole lease: another has its candidate, and it is no more."""
    missed: list[str] = []
    took: list[float] = []
    wanted = 6
    for number in range(scene.times):
        study = Watched(scene.sqlite(f"study-{number}"), scene.folder / f"study-{number}.notes")
        options: dict[str, Any] = {"evaluate": "longer", "workers": 2, "trials": wanted, "lease_seconds": WORKERS_LEASE_SECONDS}
        with nobody_left(study.notes.path), Driver(study.notes.path, study.ledger, **options) as driver:
            try:
                line = until(lambda study=study: _busy(study, set()), "a candidate at work")
                os.kill(line["parent"], signal.SIGSTOP)
                os.kill(line["pid"], signal.SIGSTOP)
                at = time.monotonic()
                again = {"architecture": line["architecture"], "seed": line["seed"]}
                until(lambda study=study, again=again: len(study.notes.of("begun", **again)) > 1, "the candidate elsewhere")
                took.append(time.monotonic() - at)
                for pid in (line["parent"], line["pid"]):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)
                driver.end()
            except (Missed, ProcessLookupError) as error:
                missed.append(f"study {number}: {error}")
            missed += _missed(study, wanted, f"study {number}")
        scene.tell(number + 1)
    result = f"{scene.times} workers stopped, {len(took)} candidates run elsewhere ({spread(took)} after the stop)"
    counts = {"run_elsewhere": len(took), "faults": len(missed)}
    return Outcome(times=scene.times, result=result, counts=counts, missed=missed)


def slept(scene: Scene) -> Outcome:
    """One of two drivers is stopped in the middle of a candidate, until the other has that; then it goes on."""
    struck = refused = 0
    missed: list[str] = []
    wanted = 24
    for number in count():
        if struck >= scene.times:
            break
        study = Watched(scene.sqlite(f"study-{number}"), scene.folder / f"study-{number}.notes")
        start = partial(Driver, study.notes.path, study.ledger)
        options: dict[str, Any] = {"evaluate": "longer", "trials": wanted, "lease_seconds": LEASE_SECONDS}
        with nobody_left(study.notes.path), start(**options) as sleeper, start(**options) as other:
            taken: list[int] = []
            try:
                for _ in range(min(5, scene.times - struck)):
                    until(lambda other=other: other.notes.of("trial_begun", pid=other.pid), "a candidate of the other")
                    trial = _fall_asleep(scene, sleeper, study)
                    if trial is None:
                        break  # the study is over
                    until(partial(_is_complete, study, trial), f"the end of trial {trial} by the other")
                    sleeper.send(signal.SIGCONT)
                    taken.append(trial)
                    until(
                        lambda sleeper=sleeper, taken=taken: len(sleeper.notes.of("refused", pid=sleeper.pid)) >= len(taken),
                        "the refusal of a stale write",
                    )
                    struck += 1
                    scene.tell(struck)
                for driver in (sleeper, other):
                    driver.end()
            except Missed as error:
                missed.append(f"study {number}: {error}")
            refused += len(sleeper.notes.of("refused", pid=sleeper.pid))
            holders = {trial.number: (trial.holder or "").split() for trial in trials(study.ledger, "search")}
            missed += [f"trial {one} in study {number} is the sleeper's" for one in taken if str(other.pid) not in holders[one]]
            missed += _missed(study, wanted, f"study {number}", drivers=2)
    each = "each" if not missed else "not each"
    result = f"{struck} drivers slept, {refused} stale writes refused; {each} trial complete exactly once"
    return Outcome(times=struck, result=result, counts={"refused": refused, "faults": len(missed)}, missed=missed)


def _fall_asleep(scene: Scene, driver: Driver, study: Watched) -> int | None:
    """Stop `driver` in the middle of a candidate; returns that trial's number, None where the driver has ended.

    Not where it is writing, of which it does little: nobody else can write to SQLite until it goes on.
    """

    def at_work() -> dict[str, Any] | None:
        begun, ended = driver.notes.of("begun", pid=driver.pid), driver.notes.of("ended", pid=driver.pid)
        return begun[-1] if len(begun) > len(ended) else None

    while driver.process.poll() is None:
        if (line := at_work()) is None:
            time.sleep(0.005)
            continue
        time.sleep(scene.rng.random() * 0.2)
        driver.send(signal.SIGSTOP)
        time.sleep(0.05)
        if at_work() == line and _can_write(study):
            number: int = driver.notes.of("trial_begun", pid=driver.pid)[-1]["number"]
            return number
        driver.send(signal.SIGCONT)
    return None


def _can_write(study: Watched) -> bool:
    connection = sqlite3.connect(study.ledger.removeprefix("sqlite:///"), timeout=1.0, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    else:
        return True
    finally:
        connection.close()


def _is_complete(study: Watched, number: int) -> bool:
    return any(trial.number == number and trial.state == "complete" for trial in trials(study.ledger, "search"))


ROWS = (
    Row(
        name="killed_workers",
        test="SIGKILL a worker",
        goal="each trial complete exactly once",
        how=(
            "Studies of 12 trials with two workers; the worker of a candidate that is under way is killed, up to 12 times a "
            "study. Each trial must be complete, once, and no architecture evaluated again once its Record was on the disk."
        ),
        short=3,
        long=100,
        run=killed,
    ),
    Row(
        name="sleeping_drivers",
        test="SIGSTOP a driver past its lease, then SIGCONT",
        goal="each trial complete exactly once; every stale write refused",
        how=(
            f"Two drivers share a study with leases of {LEASE_SECONDS} s. One is stopped in the middle of a candidate until the "
            "other has taken that over and ended it, and then goes on: what it tells the ledger must be refused, and the Record "
            "be the other's."
        ),
        short=1,
        long=20,
        run=slept,
        slow=True,
    ),
    Row(
        name="stopped_workers",
        test="SIGSTOP a worker past the lease",
        goal="its candidate is run elsewhere; each trial complete exactly once",
        how=(
            f"Leases of {WORKERS_LEASE_SECONDS:g} s; the worker and its candidate are stopped, and told to go on once it runs "
            "elsewhere."
        ),
        short=1,
        long=10,
        run=stopped,
        slow=True,
    ),
)
