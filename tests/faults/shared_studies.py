"""Several drivers on one study, in either database, and a cluster that loses a node."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from frame import NotHere, Outcome, Row, Scene
from losing import lose
from noted import NOTES
from starting import Driver, Held, Missed, Watched, nobody_left, trials, until

from nas.execution.lineage import descendants

DRIVERS = 4
TRIALS = 40
CONFIRM = 4
CANDIDATES_ON_RAY = 12
TOKEN = "t" * 48


class _Counted:
    """What came of all the studies."""

    def __init__(self) -> None:
        self.complete = self.lost = self.twice = self.left = 0
        self.missed: list[str] = []

    def add(self, study: Watched, name: str, wanted: int, extra: int, gone: tuple[int, ...] = ()) -> None:
        """Count a study that is over: `extra` more than `wanted` are no fault; of processes that are `gone` what they did last is
        to be done again, unless it is in the ledger.
        """
        after = trials(study.ledger)
        complete = Counter(trial.evaluation for trial in after if trial.state == "complete" and trial.reused_from is None)
        kept = {(trial.architecture.id, trial.record.seed) for trial in after if trial.record is not None}
        begun = Counter((line["architecture"], line["seed"]) for line in study.notes.of("begun"))
        ended = Counter((line["architecture"], line["seed"]) for line in study.notes.of("ended"))
        unkept = sum(number - 1 for number in begun.values())
        lost = max(0, wanted - len(complete)) + sum(work not in kept for work in ended)
        twice = sum(number - 1 for number in complete.values()) + max(0, unkept - len(gone))
        left = sum(trial.state == "running" for trial in after)
        too_many = max(0, len(complete) - wanted - extra)
        self.complete += len(complete)
        self.lost, self.twice, self.left = self.lost + lost, self.twice + twice, self.left + left
        told = {"lost": lost, "twice": twice, "left running": left, "too many": too_many}
        self.missed += [f"{number} {what} in {name}" for what, number in told.items() if number]

    def outcome(self, times: int, what: str) -> Outcome:
        result = f"{what}: {self.complete} candidates complete, {self.lost} lost, {self.twice} twice, {self.left} left running"
        counts = {"complete": self.complete, "lost": self.lost, "twice": self.twice, "left_running": self.left}
        return Outcome(times=times, result=result, counts=counts, missed=self.missed)


def together(scene: Scene, database: str) -> Outcome:
    """Four drivers begin one study at once, and end it; of every other study one driver is killed in the middle."""
    counted = _Counted()
    for number in range(scene.times):
        with ExitStack() as stack:
            ledger = scene.sqlite(f"study-{number}")
            if database == "postgresql":
                ledger = stack.enter_context(scene.server().database())
            study = Watched(ledger, scene.folder / f"study-{number}.notes")
            stack.enter_context(nobody_left(study.notes.path))
            options: dict[str, Any] = {"trials": TRIALS, "confirm": CONFIRM}
            held = Held(study.notes.path)
            drivers = [stack.enter_context(Driver(study.notes.path, ledger, **options)) for _ in range(DRIVERS)]
            killed: list[int] = []
            try:
                held.until_all(drivers)
                held.let_go()
                if number % 2 == 0:
                    victim = drivers.pop()
                    ended = partial(victim.notes.of, "ended", pid=victim.pid)
                    until(lambda ended=ended: len(ended()) > (0 if scene.short else 3), "a candidate of the fourth")
                    time.sleep(scene.rng.random() / 20)
                    victim.kill()
                    killed.append(victim.pid)
                for driver in drivers:
                    driver.end()
            except Missed as error:
                counted.missed.append(f"study {number}: {error}")
            at_work = {line["pid"] for line in study.notes.of("begun")}
            if len(at_work) < DRIVERS:
                counted.missed.append(f"only {len(at_work)} drivers had any of study {number}")
            counted.add(study, f"study {number}", TRIALS, DRIVERS - 1, tuple(killed))
        scene.tell(number + 1)
    return counted.outcome(scene.times, f"{scene.times} studies by {DRIVERS} drivers")


def lost_node(scene: Scene) -> Outcome:
    """A search on a cluster of three nodes that was there before; one of the two that work is lost with all that is on it."""
    if find_spec("ray") is None:
        raise NotHere("Ray is not installed; `pip install nas-harness[ray]` brings it")
    counted, lost = _Counted(), 0
    for number in range(scene.times):
        study = Watched(scene.sqlite(f"study-{number}"), scene.folder / f"study-{number}.notes")
        options: dict[str, Any] = {"evaluate": "longer", "workers": 4, "trials": CANDIDATES_ON_RAY, "on_cluster": "ray"}
        at_work: list[int] = []
        with nobody_left(study.notes.path), _cluster(study.notes.path) as (address, nodes), _with_token():
            with Driver(study.notes.path, study.ledger, cluster_address=address, **options) as driver:
                try:
                    until(lambda driver=driver: len(driver.notes.of("trial_ended")) >= 2, "the end of two candidates")
                    until(partial(_under_way, study, nodes[0]), "a candidate on the node")
                    at_work = _at_work(study, lose(nodes[0]))
                    driver.end()
                except Missed as error:
                    counted.missed.append(f"study {number}: {error}")
            lost += len(at_work)
            counted.add(study, f"study {number}", CANDIDATES_ON_RAY, 0, tuple(at_work))
        scene.tell(number + 1)
    return counted.outcome(scene.times, f"{scene.times} nodes lost with {lost} candidates at work")


def _under_way(study: Watched, node: "subprocess.Popen[str]") -> list[int]:
    """The candidates of a node that have begun and not ended."""
    ended = {(line["architecture"], line["pid"]) for line in study.notes.of("ended")}
    begun = [line["pid"] for line in study.notes.of("begun") if (line["architecture"], line["pid"]) not in ended]
    return [pid for pid in begun if pid in set(descendants(node.pid))]


def _at_work(study: Watched, lost: set[int]) -> list[int]:
    """The candidates that had begun below these processes, and of which the ledger has not heard: at work, or about to tell."""
    kept = {(trial.architecture.id, trial.record.seed) for trial in trials(study.ledger) if trial.record is not None}
    begun = [line for line in study.notes.of("begun") if lost & {line["pid"], line["parent"]}]  # who has ended is gone already
    return [line["pid"] for line in begun if (line["architecture"], line["seed"]) not in kept]


@contextmanager
def _with_token() -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(_ray_environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _ray_environment() -> dict[str, str]:
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


@contextmanager
def _cluster(notes: Path) -> Iterator[tuple[str, "list[subprocess.Popen[str]]"]]:
    """The address of a cluster, and its two nodes that work, of two processors each."""
    place = Path(tempfile.mkdtemp(prefix="nas-", dir="/tmp"))  # a socket's path must be short
    started = [_node(place, notes, "0")]
    try:
        address = _address(started[0])
        for _ in range(2):
            started.append(_node(place, notes, "2", address))
            _address(started[-1])
        yield address, started[1:]
    finally:
        for one in started:
            lose(one)
            one.communicate()
        shutil.rmtree(place, ignore_errors=True)


def _node(place: Path, notes: Path, *given: str) -> "subprocess.Popen[str]":
    script = Path(__file__).parents[1] / "execution" / "ray_node.py"
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    own = {"TMPDIR": str(place), "PYTHONPATH": os.pathsep.join(paths), NOTES: str(notes)}
    environment = {**os.environ, **_ray_environment(), **own}
    with (place / "nodes.txt").open("a") as said:
        command = [sys.executable, str(script), str(place), *given]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=said, text=True)


def _address(node: "subprocess.Popen[str]") -> str:
    assert node.stdout is not None
    return node.stdout.readline().strip()


ROWS = (
    Row(
        name="drivers_on_sqlite",
        test="4 drivers on one study, SQLite",
        goal="0 lost, 0 twice",
        how=(
            f"Four processes begin the same search of {TRIALS} trials, of which {CONFIRM} confirm the best, on an empty file, "
            "and run it to its end; of every other study one is killed in the middle. Each must have had a part. Lost: a "
            "candidate that was evaluated and is not in the ledger, or a trial that is missing. Twice: an architecture and seed "
            "with two complete trials, or begun twice, but for the one that a killed driver was at."
        ),
        short=1,
        long=5,
        run=partial(together, database="sqlite"),
        slow=True,
    ),
    Row(
        name="drivers_on_postgresql",
        test="4 drivers on one study, PostgreSQL",
        goal="0 lost, 0 twice",
        how="The same on an empty database of a real server.",
        short=1,
        long=5,
        run=partial(together, database="postgresql"),
        slow=True,
    ),
    Row(
        name="lost_nodes",
        test="a lost Ray node",
        goal="0 lost, 0 twice",
        how=(
            f"`nas.search` with four workers on a cluster of three nodes on this machine, {CANDIDATES_ON_RAY} candidates; all "
            "processes of one of the two nodes that work are killed while it has candidates. What was under way there is begun "
            "again elsewhere, and nothing else is."
        ),
        short=1,
        long=5,
        run=lost_node,
        slow=True,
    ),
)
