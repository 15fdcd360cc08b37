"""Results that the ledger could not take, kept beside it until the same command goes on: no finished training is lost.

nas.sqlite.unsent/STUDY/TRIAL.json        TRIAL as the ledger numbers it
"""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.errors import LeaseLost
from nas.files import inside, write_whole
from nas.records import Ledger, Record, StudyEntry, Trial

MOST_BYTES = 64 * 2**20
"""Of a file that is read; a Record has kilobytes."""


class Unsent:
    """The results of one study that wait for its ledger."""

    def __init__(self, ledger: Ledger, entry: StudyEntry) -> None:
        self.ledger = ledger
        self.entry = entry
        self.folder = inside(ledger.beside("unsent").absolute(), entry.name)

    def keep(self, trial: Trial, record: Record, log: str) -> bool:
        """Write down what came of `trial`; False where that cannot be done either, as on a full disk."""
        data = {"fence": trial.fence, "evaluation": trial.evaluation, "record": record.to_data(), "log": log}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(json.dumps(data).encode(), self.folder / f"{trial.id}.json")
        except OSError:
            return False
        return True

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
        with suppress(OSError):  # something else lies there
            self.folder.rmdir()
            self.folder.parent.rmdir()
        return sent


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
