"""A driver that is killed dead, anywhere: what was finished stays, nothing is done twice, nobody is left."""

import time
from collections import Counter
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from crash_points import POINTS
from frame import Outcome, Row, Scene, spread
from starting import PATIENCE_SECONDS, Driver, Missed, Watched, alive, nobody_left, trials, until

READY_SECONDS = 3.0
GONE_SECONDS = 3.0
TRIALS = 16
CONFIRM = 3
"""Of the trials: the best again."""

RUN: dict[str, Any] = {"trials": TRIALS, "confirm": CONFIRM}


TRAINED: dict[str, Any] = {
    "space": "{name: small, version: 1, accepts: image, layers: [{conv: {features: {int: [2, 9]}, kernel: 3, stride: 2}}, head]}",
    "evaluate": "",
    "trials": 3,
    "confirm": 0,
    "epochs": 3,
    "fraction": 0.1,
    "checkpoint": 0.001,
}
"""Real trainings of six steps, with a checkpoint after each."""

Shape = list[tuple[Any, ...]]


def _shape(ledger: str) -> Shape:
    """What must be equal to a run that nobody killed, where candidates run one after another: trials and learning curves."""
    return [
        (
            one.stage,
            one.number,
            one.architecture.id,
            one.state,
            [(at.epoch, at.train_loss, at.figures) for at in one.record.curve],
        )
        for one in trials(ledger)
        if one.record is not None
    ]


def _whole(scene: Scene, run: dict[str, Any]) -> Shape:
    """The shape of a run that nobody killed."""
    name = f"whole-{run['trials']}"
    with Driver(scene.folder / f"{name}.notes", scene.sqlite(name), **run) as driver:
        driver.end()
    return _shape(scene.sqlite(name))


class _Kills:
    """What came of all the studies that were killed."""

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        self.ready: list[float] = []
        """Seconds from a start after a kill to the first candidate that it began or ended."""
        self.ready_without_imports: list[float] = []
        self.missed: list[str] = []

    def take_up(self, study: Watched, driver: Driver) -> None:
        """How long a driver took to be ready that came after a kill."""
        if (took := driver.ready_seconds()) is not None and study.known:
            self.ready.append(took[0])
            self.ready_without_imports.append(took[1])

    def end(self, study: Watched, name: str, whole: Shape | None, wanted: int = TRIALS) -> None:
        """Count what is wrong with a study that is over; `whole` is what it should be, where that is known."""
        found = study.faults(wanted)
        self.faults.update(found)
        self.missed += [f"{number} {what} in {name}" for what, number in found.items() if number]
        if whole is not None and _shape(study.ledger) != whole:
            self.faults["changed"] += 1
            self.missed.append(f"{name} is not the study that it is where nobody is killed")
        left = alive(study.notes.path)
        self.faults["alive"] += len(left)
        if left:
            self.missed.append(f"{len(left)} processes outlive {name}")

    def outcome(self, scene: Scene, times: int, where: str) -> Outcome:
        slow = [seconds for seconds in self.ready_without_imports if seconds > READY_SECONDS]
        if slow and not scene.short:
            self.missed.append(f"ready after {max(slow):.2f} s, {len(slow)} of {len(self.ready)} times after more than 3 s")
        counts: dict[str, float] = {
            name: self.faults[name] for name in ("lost", "duplicated", "too_many", "left_running", "changed", "alive")
        }
        if self.ready:
            counts["ready_seconds_longest"] = round(max(self.ready_without_imports), 3)
            counts["ready_seconds_with_imports_longest"] = round(max(self.ready), 3)
        result = (
            f"{times} kills{where}: {self.faults['lost']} lost, {self.faults['duplicated']} duplicated, "
            f"{self.faults['left_running']} left running; ready: {spread(self.ready_without_imports)}, "
            f"from Python's start {spread(self.ready)}"
        )
        return Outcome(times=times, result=result, counts=counts, missed=self.missed)


def at_random_moments(scene: Scene) -> Outcome:
    """Each study is killed up to five times, in the tests twice, then runs to its end; every other has two workers."""
    whole, kills, struck = _whole(scene, RUN), _Kills(), 0
    most = 2 if scene.short else 5
    for number in count():
        if struck >= scene.times:
            break
        workers = 2 * (number % 2)
        study = Watched(scene.sqlite(f"study-{number}"), scene.folder / f"study-{number}.notes")
        with nobody_left(study.notes.path):
            try:
                for _ in range(min(most, scene.times - struck)):
                    with Driver(study.notes.path, study.ledger, workers=workers, **RUN) as driver:
                        _wait_a_while(scene, driver, study)
                        struck += driver.kill()
                        study.look()
                        kills.take_up(study, driver)
                        scene.tell(struck)
                with Driver(study.notes.path, study.ledger, workers=workers, **RUN) as driver:
                    driver.end()
                    kills.take_up(study, driver)
            except Missed as error:
                kills.missed.append(f"study {number}: {error}")
            kills.end(study, f"study {number}", None if workers else whole)
    return kills.outcome(scene, struck, "")


def _wait_a_while(scene: Scene, driver: Driver, study: Watched) -> None:
    """Until it, or its candidates, noted so many things more, and a moment longer; it may have ended by then."""
    before = len(study.notes.lines)
    more = scene.rng.randint(0, 40)
    until(lambda: len(study.notes.lines) >= before + more or driver.process.poll() is not None, "a note of the driver")
    time.sleep(scene.rng.random() * (0.05 if more else 1.0))


def at_named_points(scene: Scene) -> Outcome:
    """Each point of `crash_points`, with and without workers; a run that dies there, and the same command again."""
    kills, wholes = _Kills(), dict[int, Shape]()
    cases = _cases()
    if scene.times < len(cases):
        cases = scene.rng.sample(cases, scene.times)
    for number, (point, when, workers) in enumerate(cases):
        study = Watched(scene.sqlite(f"study-{number}"), scene.folder / f"study-{number}.notes")
        name = f"a kill {when} {point!r}, {workers} workers"
        run = RUN | _conditions(point, workers)
        start = partial(Driver, study.notes.path, study.ledger, workers=workers, **run)
        with nobody_left(study.notes.path):
            try:
                if point in {"what was left is taken over", "what is known is told to the strategy"}:
                    with start(crash={"point": "a trial is ended", "when": "before", "nth": 4}) as driver:
                        driver.process.wait(PATIENCE_SECONDS)
                        study.look()
                nth = 1 if point in ONCE else scene.rng.randint(1, 4)
                stop = {"stop_after": 1 if run["trials"] == TRAINED["trials"] else 3} if point == GIVEN_BACK else {}
                with start(crash={"point": point, "when": when, "nth": nth}, **stop) as driver:
                    driver.process.wait(PATIENCE_SECONDS)
                    study.look()
                if not study.notes.of("crashed", point=point, when=when):
                    raise Missed(f"the point was not reached: {driver.last_words}")
                with start() as driver:
                    driver.end()
                    kills.take_up(study, driver)
            except Missed as error:
                kills.missed.append(f"{name}: {error}")
            if workers:
                kills.end(study, name, None, run["trials"])
            else:
                whole = wholes.get(run["trials"]) or _whole(scene, run)
                kills.end(study, name, wholes.setdefault(run["trials"], whole), run["trials"])
        scene.tell(number + 1)
    return kills.outcome(scene, len(cases), f" at {len(set(POINTS))} points, before, within and after")


CHECKPOINTS = {"the weights of a checkpoint are written", "a checkpoint is completed"}
HERE_ONLY = {"a candidate is begun here", "a candidate is evaluated here", *CHECKPOINTS}
WORKERS_ONLY = {
    "the workers are begun",
    "a candidate is sent to a worker",
    "workers are listened to",
    "a trial whose worker died is tried again",
}
GIVEN_BACK = "trials are given back"
ONCE = {
    "the study is begun",
    "the workers are begun",
    "what was left is taken over",
    "what is known is told to the strategy",
    GIVEN_BACK,
}
"""Points that a run passes once, or soon."""
LEDGER = "nas.records.ledger:"


def _cases() -> list[tuple[str, str, int]]:
    cases = []
    for point, place in POINTS.items():
        for when in ("before", "within", "after") if place.startswith(LEDGER) else ("before", "after"):
            cases += [(point, when, 0)] if point not in WORKERS_ONLY else []
            cases += [(point, when, 2)] if point not in HERE_ONLY else []
    return cases


def _conditions(point: str, workers: int) -> dict[str, Any]:
    """What makes a run come to a point."""
    if point == "a trial whose worker died is tried again":
        return {"evaluate": "ends_its_worker_once"}
    if point == "leases are renewed":
        return {"evaluate": "longer", "lease_seconds": 2.0}
    if point in CHECKPOINTS or (point == GIVEN_BACK and not workers):  # only a training can stop within a candidate here
        return TRAINED
    return {}


def children_are_gone(scene: Scene) -> Outcome:
    """A driver with two candidates at work, each of which has left a daemon, is killed; and one that is just beginning."""
    took: list[float] = []
    left = 0
    missed: list[str] = []
    for number in range(scene.times):
        notes = scene.folder / f"driver-{number}.notes"
        with (
            nobody_left(notes),
            Driver(notes, scene.sqlite(f"{number}"), evaluate="leaves_children", workers=2, trials=4) as driver,
        ):
            try:
                if number % 5 == 4:  # while its workers are being made
                    until(lambda notes=notes: len(alive(notes)) > 1, "a process of the driver")
                    time.sleep(scene.rng.random())
                else:
                    until(lambda driver=driver: len(driver.notes.of("begun")) == 2, "a candidate")
                    time.sleep(scene.rng.random() / 5)
                at = time.monotonic()
                driver.kill()
                _gone(notes, at, PATIENCE_SECONDS if scene.short else GONE_SECONDS)
                took.append(time.monotonic() - at)
            except Missed as error:
                left += len(alive(notes))
                missed.append(str(error))
        scene.tell(number + 1)
    result = f"{scene.times} kills: {left} alive after 3 s; the last was gone: {spread(took)}"
    counts = {"alive": left, "gone_seconds_longest": round(max(took, default=0.0), 3)}
    return Outcome(times=scene.times, result=result, counts=counts, missed=missed)


def _gone(notes: Path, at: float, seconds: float) -> None:
    until(lambda: not alive(notes), "the end of all processes", at + seconds - time.monotonic())


ROWS = (
    Row(
        name="killed_drivers",
        test="SIGKILL the driver at random moments",
        goal="0 finished trials lost, 0 duplicated, 0 left running after the same command; ready in 3 s",
        how=(
            "Studies of 16 trials, of which 3 confirm the best, every other with two workers, are killed after a random number "
            "of events and a random moment more, up to five times, and then run to their end. Lost: a trial that was on the disk "
            "at a kill and is not, or is otherwise, at the end. Duplicated: an architecture and seed with two complete trials, "
            "or evaluated again once its Record was on the disk. Without workers the study must be, trial by trial, the one that "
            "was never killed. Ready: from when Python has imported what it needs to the first candidate that is begun."
        ),
        short=4,
        long=50,
        run=at_random_moments,
        slow=True,
    ),
    Row(
        name="crash_points",
        test="SIGKILL the driver at every named crash point",
        goal="0 finished trials lost, 0 duplicated, 0 left running after the same command; ready in 3 s",
        how=(
            "The points are functions of the harness (tests/faults/crash_points.py), before and after one of their first calls, "
            "and those that write to the ledger also within their transaction, with all written and nothing committed; each "
            "without workers and with two, where it has both. Checkpoints are of real trainings, whose learning curves must be, "
            "bit for bit, those of a run that was never killed. Counted as above."
        ),
        short=3,
        long=len(_cases()),
        run=at_named_points,
        slow=True,
    ),
    Row(
        name="children",
        test="children alive 3 s after the driver is killed",
        goal="0",
        how=(
            "Two workers, whose candidates have each started a child, a child in a session of its own, and a daemon that ignores "
            "SIGTERM; every fifth time the driver is killed while its workers are being made. All processes that have the run's "
            "mark in their environment are counted, wherever they went."
        ),
        short=3,
        long=50,
        run=children_are_gone,
        slow=True,
    ),
)
