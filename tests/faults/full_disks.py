"""Disks that are full: `nas search` says so in a line, and the same command goes on where there is room."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from frame import NotHere, Outcome, Row, Scene
from starting import PATIENCE_SECONDS, trials

from nas.errors import LedgerError
from nas.records import Record, Trial

DISK_BYTES, PAGE_BYTES = 8 << 20, 4096
MOST_ROOM = 150
"""Pages; a new ledger takes about 30, and a trial about 15."""
WANTED = 12
PARKED = 75
TABLE = Path(__file__).parents[2] / "results" / "tables" / "digits-three_families.csv.gz"
SPACE = """
name: little
version: 1
accepts: image
layers:
  - conv: {features: {int: [2, 40]}, kernel: 3, stride: 4}
  - head
"""


@contextmanager
def _disk(folder: Path) -> Iterator[Path]:
    """A disk of a few megabytes.

    Raises:
        NotHere: none may be mounted here.
    """
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "nas", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        raise NotHere("there is no program that mounts a disk") from None
    if mounted.returncode:
        raise NotHere("a disk may be mounted by root alone")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill(disk: Path, pages: int) -> Path:
    """Leave room for so many pages; returns the file that takes the rest."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(PAGE_BYTES))
    size = ballast.stat().st_size - pages * PAGE_BYTES
    os.truncate(ballast, size)
    return ballast


def _search(folder: Path, ledger: str, *options: str) -> subprocess.CompletedProcess[str]:
    """`nas search` with these options, as a person runs it."""
    command = [sys.executable, "-m", "nas", "search", *options, "--study", "s", "--strategy", "random"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NAS_")}
    return subprocess.run(
        [*command, "--trials", str(WANTED), "--ledger", ledger],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def _ended(disk: Path, folder: Path) -> dict[int, Any]:
    """Number → Record of what the ledger holds, read on another disk; none where its tables were not written yet."""
    for name in ("nas.sqlite", "nas.sqlite-wal"):
        (folder / name).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.copy(disk / name, folder / name)
    if not (folder / "nas.sqlite").exists():
        return {}
    try:
        found = trials(f"sqlite:///{folder}/nas.sqlite", "search")
    except LedgerError as error:
        if "schema" in str(error):
            raise
        return {}
    return {trial.number: trial.record for trial in found if trial.state != "running"}


def _waiting(disk: Path) -> list[tuple[str, Record]]:
    """Evaluation key and Record of the results that wait beside the ledger."""
    found = [json.loads(path.read_bytes()) for path in disk.glob("nas.sqlite.unsent/s/*.json")]
    return [(one["evaluation"], Record.from_data(one["record"])) for one in found]


def full(scene: Scene) -> Outcome:
    """A new ledger comes to the end of its disk after a random number of pages, and then there is room."""
    disks, went_on, unsent, kept = 0, 0, 0, 0
    missed: list[str] = []
    space = scene.folder / "little.yaml"
    space.write_text(SPACE)
    ways = [("--on", str(TABLE)), (str(space), "--on", "digits", "--steps", "2", "--epochs", "1", "--workers", "1")]
    for turn in range(scene.times):
        pages = scene.rng.randrange(MOST_ROOM)
        told = f"disk {turn}, of {pages} pages"
        with _disk(scene.folder / f"disk-{turn}") as disk:
            ballast, ledger = _fill(disk, pages), f"sqlite:///{disk}/nas.sqlite"
            options = ways[turn % 2]
            disks += 1
            parked = _search(scene.folder, ledger, *options)
            first = f"nas: The disk of {disk}, where the ledger is, is full; make room, and the same command goes on."
            lines = parked.stderr.splitlines()
            wrong = parked.returncode != PARKED or lines[:1] != [first] or "Traceback" in parked.stderr
            if wrong:
                missed.append(f"{told}: status {parked.returncode}, {parked.stderr[-300:]}")
            before, waiting = _ended(disk, scene.folder), _waiting(disk)
            ballast.unlink()
            again = _search(scene.folder, ledger, *options)
            if again.returncode:
                missed.append(f"{told}, once there was room: status {again.returncode}, {again.stderr[-300:]}")
                continue
            after = trials(ledger, "search")
            lost = [number for number, record in before.items() if after[number].record != record]
            lost += [number for number, (key, record) in enumerate(waiting) if not _has(after, key, record)]
            complete = Counter(trial.evaluation for trial in after if trial.state == "complete" and trial.reused_from is None)
            if lost or complete.total() != WANTED or len(complete) != WANTED or any(trial.state == "running" for trial in after):
                missed.append(f"{told}: {len(lost)} lost, {complete.total()} complete, {len(complete)} of them different")
            else:
                went_on += not wrong
            kept, unsent = kept + len(before), unsent + len(waiting)
        scene.tell(turn + 1)
    result = f"{went_on}/{disks} said so in one line and went on, with all of the {kept} trials that had ended"
    result += f"; {unsent} more were kept beside the ledger" if unsent else ""
    counts = {"went_on": went_on, "kept": kept, "unsent": unsent}
    return Outcome(times=disks, result=result, counts=counts, missed=missed)


def _has(after: list[Trial], key: str, record: Record) -> bool:
    return any((trial.evaluation, trial.record) == (key, record) for trial in after)


ROWS = (
    Row(
        name="full_disks",
        test="the ledger's disk is full",
        goal="clear error, and the same command goes on",
        how=(
            f"`nas search` for {WANTED} trials, with room for 0 to {MOST_ROOM - 1} pages of 4 KiB by its ledger, by turns on a "
            "table and with networks that a worker trains. It must end with status 75 and one line that says why, and, with "
            "room, the same command with all trials: those that had ended as they were, and none twice."
        ),
        short=1,
        long=20,
        run=full,
    ),
)
