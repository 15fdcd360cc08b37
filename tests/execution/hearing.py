"""What executors are tested with: jobs of the toy space, and a listener that remembers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toys import TOY

from nas.benchmark import Budget
from nas.execution import Job
from nas.records import Epoch
from nas.space import Architecture


def toy(width: int = 8) -> Architecture:
    """One architecture of the toy space."""
    return TOY.architecture({"width": width, "stem.kernel": 3, "block.times": 0})


def job(number: int = 1, **given: Any) -> Job:
    """A job of the toy space, of two epochs."""
    return Job(**{"id": number, "architecture": toy(), "budget": Budget(epochs=2), "seed": 3, **given})


class Heard:
    """A listener: all it was told, in order, and what it answers."""

    def __init__(self, *, stop: bool = False) -> None:
        self.stop = stop
        self.told: list[tuple[Any, ...]] = []

    def on_begun(self, job: Job, where: str) -> None:
        self.told.append(("begun", job.id, where))

    def on_known(self, job: Job, figures: Mapping[str, float]) -> bool:
        self.told.append(("known", job.id, dict(figures)))
        return self.stop

    def on_epoch(self, job: Job, epoch: Epoch) -> bool:
        self.told.append(("epoch", job.id, epoch.epoch))
        return self.stop

    def on_replicate(self, job: Job, number: int, figures: Mapping[str, float]) -> bool:
        self.told.append(("replicate", job.id, number, dict(figures)))
        return self.stop

    def of(self, job_id: int, what: str = "epoch") -> list[Any]:
        """The third words of what was told of a job."""
        return [told[2] for told in self.told if told[:2] == (what, job_id)]


def folder(path: Path) -> list[str]:
    """The names of checkpoints in it."""
    return sorted(one.name for one in path.glob("*.json"))
