"""A study with a trial of every kind, for the commands that look at one."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toys import TOY, toy_record

from nas.benchmark import Budget
from nas.records import Epoch, Failure, Ledger, Record, Stage, StudyEntry, Trial
from nas.searching import SearchConfig
from nas.space import Architecture

BUDGET = Budget(epochs=3)
HOSTILE = "no \x1b[2J[red]room\nat all"
LOG = (
    '{"seconds": 0.5, "stream": "stdout", "text": "hel"}\n'
    '{"seconds": 0.7, "stream": "stdout", "text": "lo\\n  \\u001b[2Jworld\\n"}\n'
    '{"seconds": 12.34, "stream": "stderr", "text": "Trace\\u2028back"}\n'
    '{"seconds": 13.0, "stream": "event", "text": "ended by SIGSEGV"}\n'
)


def architectures(count: int) -> list[Architecture]:
    """Different ones."""
    rng = random.Random(0)
    found: dict[str, Architecture] = {}
    while len(found) < count:
        one = TOY.sample(rng)
        found.setdefault(one.id, one)
    return list(found.values())


def begin_study(ledger: Ledger, name: str = "toy") -> StudyEntry:
    """A study of the toy space on digits."""
    config = SearchConfig.make(space=TOY, on="digits", trials=6, epochs=3, study=name)
    return ledger.begin_study(name, config.definition())


def curve(*scores: float) -> tuple[Epoch, ...]:
    """An epoch a score."""
    return tuple(
        Epoch(epoch=n, train_loss=1 / n, figures={"validation_accuracy": score}, seconds=0.1 * n)
        for n, score in enumerate(scores, 1)
    )


def complete(accuracy: float, **options: Any) -> Record:
    """A training that came to its end."""
    figures = {"params": 1200, "flops": 2e6, "latency_ms": 1.5, "validation_accuracy": accuracy}
    return toy_record("complete", figures, curve(0.1, accuracy / 2, accuracy), 0, BUDGET)


def failed() -> Record:
    """One that did not."""
    record = toy_record("failed", {"params": 1200}, (), 0, BUDGET)
    return Record(**{**vars(record), "error": Failure(kind="raised", message=HOSTILE)})


def infeasible() -> Record:
    """One outside a limit."""
    record = toy_record("infeasible", {"params": 9e9}, (), 0, BUDGET)
    return Record(**{**vars(record), "broken_limits": ("params <= 50e3",)})


def pruned() -> Record:
    """One that was stopped."""
    return toy_record("pruned", {"params": 1200, "validation_accuracy": 0.2}, curve(0.1, 0.2), 0, BUDGET)


class Writer:
    """Writes trials as a driver does."""

    def __init__(self, ledger: Ledger, entry: StudyEntry) -> None:
        self.ledger = ledger
        self.entry = entry
        self.fresh = iter(architectures(20))

    def begin(self, number: int, stage: Stage = "search", architecture: Architecture | None = None) -> Trial:
        """A trial under way."""
        chosen = architecture or next(self.fresh)
        return self.ledger.begin_trial(self.entry, stage, number, chosen, f"{chosen.id[:8]}{stage[0]}{number:07}")

    def end(self, number: int, record: Record, stage: Stage = "search", **options: Any) -> Trial:
        """One that has ended."""
        return self.ledger.end_trial(self.begin(number, stage, options.pop("architecture", None)), record, **options)


def fill(ledger: Ledger) -> Mapping[str, Trial]:
    """A study called toy with a trial of every kind; the running one is this ledger's."""
    writer = Writer(ledger, begin_study(ledger))
    best = writer.end(0, complete(0.9), log=LOG)
    trials = {
        "best": best,
        "second": writer.end(1, complete(0.8)),
        "failed": writer.end(2, failed()),
        "infeasible": writer.end(3, infeasible()),
        "pruned": writer.end(4, pruned()),
        "reused": writer.end(5, complete(0.9), reused_from=best.id, architecture=best.architecture),
        "running": writer.begin(6),
        "left": writer.begin(7),
        "final": writer.end(0, complete(0.95), "final", architecture=best.architecture),
    }
    ledger.renew([trials["running"]], {trials["running"].id: {"epoch": 2, "epochs": 3, "where": "worker 1"}})
    ledger.give_back([trials["left"]])
    return trials


def url_of(folder: Path) -> str:
    """A ledger in `folder`."""
    return f"sqlite:///{folder}/nas.sqlite"
