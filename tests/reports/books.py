"""Studies made by hand, trial by trial."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from trees import Element, parse

from nas.benchmark import Benchmark, Budget, Features, Image, Objective, Recipe, Signature
from nas.records import Epoch, Failure, Latency, Ledger, Machine, Record, Stage, StudyEntry, Trial
from nas.reports import write_report
from nas.space import Architecture, digest, parse_space, space_to_data

SPACE = parse_space(
    """
name: toy
version: 1
accepts: image
summary: Two layers.
layers:
  - conv: {features: [8, 16, 32], kernel: {int: [0, 63]}}
  - head
"""
)

BENCHMARK = Benchmark(
    name="shapes",
    version=2,
    summary="squares and circles",
    signature=Signature(Image(1, 8, 8), Features(2)),
    objectives=(Objective("validation_accuracy", "maximize"),),
    budget=Budget(epochs=3),
    final_budget=Budget(epochs=6),
    recipe=Recipe(batch_size=32, learning_rate=1e-3),
    task="nowhere:load",
    source="drawn by hand",
    licence="CC0",
    floor={"test_accuracy": 0.75},
)

MACHINE = Machine(system="Linux x86_64", processor="Abacus", cores=2, memory_gib=4)


def definition(**changes: Any) -> dict[str, Any]:
    """What a search would write, with `changes`."""
    benchmark = json.loads(json.dumps(BENCHMARK.to_data()))
    given: dict[str, Any] = {
        "space": {**space_to_data(SPACE), "digest": digest(SPACE)},
        "benchmark": benchmark,
        "strategy": "tpe",
        "pruner": "none",
        "objectives": benchmark["objectives"],
        "limits": ["params <= 50000"],
        "budget": benchmark["budget"],
        "seed": 7,
    }
    return given | changes


def record(outcome: str = "complete", *, accuracy: float | None = 0.9, test: float | None = None, **changes: Any) -> Record:
    """A Record as an evaluation would give it; `figures` add to its own, None takes one away."""
    scores = {"validation_accuracy": accuracy, "test_accuracy": test}
    own = {
        "params": 12_345,
        "macs": 700_000,
        "flops": 1_400_000,
        "latency_ms": 0.5,
        "peak_memory_bytes": 2**21,
        "train_seconds": 2.0,
    }
    figures = {**own, **scores, **changes.pop("figures", {})}
    values: dict[str, Any] = {
        "outcome": outcome,
        "figures": {name: value for name, value in figures.items() if value is not None},
        "curve": curve(accuracy) if accuracy is not None else (),
        "seed": 7,
        "budget": Budget(epochs=3),
        "seconds": 3.0,
        "device": "cpu",
        "threads": 1,
        "machine": MACHINE,
        "versions": {"python": "3.11.7", "torch": "2.10.0"},
        "commit": "0123456789ab",
    }
    return Record(**values | changes)


def curve(end: float, epochs: int = 3) -> tuple[Epoch, ...]:
    """A learning curve that rises to `end`."""
    return tuple(
        Epoch(epoch=n, train_loss=1 / n, figures={"validation_accuracy": end * n / epochs}, seconds=0.1 * n)
        for n in range(1, epochs + 1)
    )


def latency(median: float) -> Latency:
    """A latency with an interval of a tenth to each side."""
    return Latency(
        median_ms=median,
        low_ms=median * 0.9,
        high_ms=median * 1.1,
        p95_ms=median * 1.2,
        samples=100,
        batch_size=1,
        device="cpu",
        threads=1,
        dtype="float32",
    )


@dataclass
class Book:
    """A study in a ledger, filled trial by trial."""

    ledger: Ledger
    entry: StudyEntry
    folder: Path
    numbers: dict[str, int] = field(default_factory=dict)

    def add(
        self,
        kept: Record | None = None,
        *,
        stage: Stage = "search",
        choices: Mapping[str, Any] | None = None,
        evaluation: str = "",
        reused_from: int | None = None,
    ) -> Trial:
        """One trial; without a Record it stays `running`."""
        number = self.numbers.get(stage, 0)
        self.numbers[stage] = number + 1
        architecture = Architecture("toy", 1, choices if choices is not None else {"conv.features": 8, "conv.kernel": number})
        trial = self.ledger.begin_trial(self.entry, stage, number, architecture, evaluation or f"{stage}{number}")
        return self.ledger.end_trial(trial, kept, reused_from=reused_from) if kept else trial

    def trials(self) -> list[Trial]:
        return self.ledger.trials(self.entry)

    def write(self) -> Path:
        return write_report(self.ledger, self.entry.name, self.folder / "page.html")

    def page(self) -> Element:
        return parse(self.write().read_text(encoding="utf-8"))


MakeBook = Callable[..., Book]


@contextmanager
def books_in(folder: Path) -> Iterator[MakeBook]:
    """Begins studies in one ledger in `folder`; keywords go to the definition."""
    with Ledger(f"sqlite:///{folder}/nas.sqlite") as ledger:
        sa.event.listen(ledger.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
        ledger.engine.dispose()  # the next connection need not survive a power cut

        def make(name: str = "demo", **changes: Any) -> Book:
            return Book(ledger, ledger.begin_study(name, definition(**changes)), folder)

        yield make


def fill(book: Book) -> Book:
    """Finalists, a front, pruned, failed, infeasible, repeated and running trials."""
    for n in range(10):
        accuracy, median = 0.80 + 0.01 * n, 0.4 + 0.05 * n
        costs = {"params": 1_000 * (n + 1), "flops": 100_000 * (n + 1), "latency_ms": median}
        book.add(record(accuracy=accuracy, figures=costs, latency=latency(median), uncounted={"add": 2}, notes=("a note",)))
    book.add(record("pruned", accuracy=0.5))
    book.add(record("failed", accuracy=None, error=Failure(kind="out_of_memory", message="on cpu: no room")))
    book.add(record("infeasible", accuracy=None, broken_limits=("params <= 50000, got 60,000",)))
    book.add(record(accuracy=0.89), evaluation="search9", reused_from=10, choices={"conv.features": 8, "conv.kernel": 9})
    book.add()
    for kernel in (9, 8):
        for seed in (8, 9):
            tested = record(
                accuracy=0.9 + kernel / 1e3, test=0.8 + seed / 1e2, seed=seed, budget=Budget(epochs=6), curve=curve(0.9, 6)
            )
            book.add(tested, stage="final", choices={"conv.features": 8, "conv.kernel": kernel})
    return book
