"""Drivers that the fault suite starts, kills, stops and asks to end, and what can be seen of them from outside."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from noted import HOLD, NOTES

from nas.records import Ledger, Record, Trial

HERE = Path(__file__).parent
OWN = ("crash", "lease_seconds", "stop_after", "file_bytes", "space", "note_every")
"""Words for `driven.py` itself."""

PATIENCE_SECONDS = 120.0
"""After which something that must come is missed."""


class Missed(Exception):
    """What had to come did not; says what."""


def until(answer: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """What `answer` gives, once that is something.

    Raises:
        Missed: it does not come to that.
    """
    end = time.monotonic() + seconds
    while not (found := answer()):
        if time.monotonic() > end:
            raise Missed(f"{what} did not come within {seconds:.0f} s")
        time.sleep(0.005)
    return found


class Notes:
    """What drivers and candidates note of themselves, read as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: list[dict[str, Any]] = []
        self._read = 0

    @property
    def lines(self) -> list[dict[str, Any]]:
        """All notes so far, oldest first."""
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            file.seek(self._read)
            data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read += len(whole)
            self._lines += map(json.loads, whole.splitlines())
        return self._lines

    def of(self, what: str, **like: Any) -> list[dict[str, Any]]:
        """The notes of a kind, with these words in them."""
        return [
            line for line in self.lines if line["what"] == what and all(line.get(name) == value for name, value in like.items())
        ]


class Driver:
    """A driver in a process of its own, of a search of `noted.WIDE` or another space."""

    def __init__(self, notes: Path, ledger: str, *, evaluate: str = "brief", **asked: Any) -> None:
        """Start it; `asked` is what `driven.py` reads, and options of `nas.search`."""
        own = {name: asked.pop(name) for name in OWN if name in asked}
        options = {"strategy": "random", "study": "s", "ledger": ledger, **asked}
        folders = [notes.parent, HERE, HERE.parent, HERE.parent / "execution", HERE.parents[1]]
        environment = {**os.environ, NOTES: str(notes), "PYTHONPATH": ":".join(map(str, folders))}
        command = [sys.executable, str(HERE / "driven.py"), json.dumps({"options": options, "evaluate": evaluate, **own})]
        self.notes = Notes(notes)
        self.said = notes.with_suffix(".said")
        self.begun_at = time.monotonic()
        with self.said.open("ab") as said:
            self.process = subprocess.Popen(command, stdout=said, stderr=said, env=environment, process_group=0)

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> bool:
        """Kill it dead; whether it was alive."""
        self.process.kill()
        return self.process.wait() == -signal.SIGKILL

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until it has ended well.

        Raises:
            Missed: it does not, or ends otherwise.
        """
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Missed(f"the driver did not end within {seconds:.0f} s") from None
        if status:
            raise Missed(f"the driver ended with status {status}: {self.last_words}")

    @property
    def last_words(self) -> str:
        """The last line that drivers of these notes said."""
        return (self.said.read_text().strip().splitlines() or ["nothing was said"])[-1][:300]

    def __enter__(self) -> "Driver":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.send_signal(signal.SIGCONT)
        self.process.wait()

    def ready_seconds(self) -> tuple[float, float] | None:
        """From its start, and from when it had imported what it needs, to the first candidate that it began or ended, or its
        end; None where it came to none."""
        mine = [line for line in self.notes.lines if line["pid"] == self.pid and line["at"] >= self.begun_at]
        imported = next((line["at"] for line in mine if line["what"] == "imported"), None)
        first = next((line["at"] for line in mine if line["what"] in {"trial_begun", "trial_ended", "run_ended"}), None)
        return (first - self.begun_at, first - imported) if imported is not None and first is not None else None


def trials(ledger: str, stage: Any = None) -> list[Trial]:
    """Those of the study, none where it was not begun."""
    with Ledger(ledger) as book:
        entries = [entry for entry in book.studies() if entry.name == "s"]
        return book.trials(entries[0], stage) if entries else []


def finished(ledger: str) -> dict[tuple[str, int], Record | None]:
    """Stage and number → the Record of what has ended."""
    return {(trial.stage, trial.number): trial.record for trial in trials(ledger) if trial.state != "running"}


class Watched:
    """A study that is killed again and again, and what must hold at its end."""

    def __init__(self, ledger: str, notes: Path) -> None:
        self.ledger = ledger
        self.notes = Notes(notes)
        self.kept: dict[tuple[str, int], Record | None] = {}
        """What was on the disk at some kill."""
        self.known: dict[tuple[str, int], float] = {}
        """Architecture and seed → when its Record was first seen on the disk."""

    def look(self) -> None:
        """Note what is on the disk, right after a kill."""
        for trial in trials(self.ledger):
            if trial.record is not None and trial.state != "running":
                self.kept.setdefault((trial.stage, trial.number), trial.record)
                self.known.setdefault((trial.architecture.id, trial.record.seed or 0), time.monotonic())

    def faults(self, wanted: int, drivers: int = 1) -> Mapping[str, int]:
        """What was lost, done twice or left behind, at the end of a study of so many trials.

        Of several drivers that are at the last of them each may have begun one more.
        """
        after = trials(self.ledger)
        ended = {(trial.stage, trial.number): trial.record for trial in after if trial.state != "running"}
        complete = Counter(trial.evaluation for trial in after if trial.state == "complete" and trial.reused_from is None)
        again = [
            line
            for line in self.notes.of("begun")
            if line["at"] > self.known.get((line["architecture"], line["seed"]), float("inf"))
        ]
        return {
            "lost": sum(ended.get(name) != record for name, record in self.kept.items()) + max(0, wanted - len(complete)),
            "duplicated": sum(number - 1 for number in complete.values()) + len(again),
            "too_many": max(0, len(complete) - wanted - (drivers - 1)),
            "left_running": sum(trial.state == "running" for trial in after),
        }


def alive(notes: Path) -> list[int]:
    """The processes that were begun with these notes, whoever began them and wherever they went since."""
    mark, found = f"{NOTES}={notes}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return [pid for pid in found if is_running(pid)]


def is_running(pid: int) -> bool:
    """Whether there is such a process, other than one that has ended and that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Held:
    """Candidates of these notes, none of which ends before all drivers are at one: who starts late has its part too."""

    def __init__(self, notes: Path) -> None:
        """Hold those that begin from now on."""
        self.notes = Notes(notes)
        self.mark = notes.with_name(notes.name + HOLD)
        self.mark.touch()

    def until_all(self, drivers: Sequence[Driver]) -> None:
        """Wait until each of `drivers` is at a candidate, in its own process.

        Raises:
            Missed: it does not come to that.
        """
        wanted = {driver.pid for driver in drivers}
        until(lambda: wanted <= {line["pid"] for line in self.notes.of("begun")}, "the first candidate of each driver")

    def let_go(self) -> None:
        """Let them go on, and all that begin from now on."""
        self.mark.unlink(missing_ok=True)


@contextmanager
def nobody_left(notes: Path) -> Iterator[None]:
    """Whatever comes, no process of these notes outlives the scene."""
    try:
        yield
    finally:
        for pid in alive(notes):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
