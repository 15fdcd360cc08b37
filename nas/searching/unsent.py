"""Results that the ledger could not take, kept beside it until the same command goes on: no finished training is lost.

nas.sqlite.unsent/STUDY/TRIAL.json        TRIAL as the ledger numbers it
                        PID.room          a driver's, while it runs: room for results once the disk is full
"""

import json
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.errors import LeaseLost
from nas.files import inside, write_whole
from nas.records import Ledger, Record, StudyEntry, Trial

ROOM_BYTES = 128 * 2**10
"""That a driver sets aside where its ledger is a file, which fills the disk to the last byte."""

MOST_BYTES = 64 * 2**20
"""Of a file that is read; a Record has kilobytes."""


class Unsent:
    """The results of one study that wait for its ledger."""

    def __init__(self, ledger: Ledger, entry: StudyEntry) -> None:
        self.ledger = ledger
        self.entry = entry
        self.folder = inside(ledger.beside("unsent").absolute(), entry.name)
        self.room = self.folder / f"{os.getpid()}.room"

    def reserve(self) -> None:
        """Set room aside, as far as there is any; `release` it at the end of the run."""
        if self.ledger.path is None:
            return
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            for path in self.folder.glob("*.room"):
                if not _is_alive(path.stem):
                    path.unlink(missing_ok=True)
            try:
                self.room.write_bytes(bytes(ROOM_BYTES))
            except OSError:
                self.room.unlink(missing_ok=True)  # what is left is the ledger's

    def release(self) -> None:
        """Leave nothing behind but results."""
        with suppress(OSError):
            self.room.unlink(missing_ok=True)
            self._tidy()

    def keep(self, trial: Trial, record: Record, log: str) -> bool:
        """Write down what came of `trial`, without its log where that is too long; False where nothing can be written."""
        data = {"fence": trial.fence, "evaluation": trial.evaluation, "record": record.to_data(), "log": log}
        for told in (data, {**data, "log": ""}):
            with suppress(OSError):
                self.folder.mkdir(parents=True, exist_ok=True)
                self.room.unlink(missing_ok=True)
                write_whole(json.dumps(told).encode(), self.folder / f"{trial.id}.json")
                return True
        return False

    def send(self) -> int:
        """End the trials that are written down, as far as nobody took them over since; returns how many were."""
        if not self.folder.is_dir():
            return 0
        running = {trial.id: trial for trial in self.ledger.trials(self.entry) if trial.state == "running"}
        sent = 0
        for path in sorted(self.folder.glob("*.json")):
            found = _read(path)
            trial = running.get(int(path.stem)) if path.stem.isdecimal() else None
            if found is not None and trial is not None and found["fence"] == trial.fence:
                with suppress(LeaseLost):
                    trial = replace(trial, evaluation=found["evaluation"])
                    self.ledger.end_trial(trial, found["record"], log=found["log"])
                    sent += 1
            path.unlink(missing_ok=True)
        self._tidy()
        return sent

    def _tidy(self) -> None:
        with suppress(OSError):  # something else lies there
            self.folder.rmdir()
            self.folder.parent.rmdir()


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    except PermissionError:
        pass  # somebody else's
    return True


def _read(path: Path) -> dict[str, Any] | None:
    """What `keep` wrote; None where it is anything else."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        data = json.loads(path.read_bytes())
        return {
            "fence": int(data["fence"]),
            "evaluation": str(data["evaluation"]),
            "record": Record.from_data(data["record"]),
            "log": str(data["log"]),
        }
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
