"""What rows must share to be compared, and what sets two tables apart, in words.

Where and how figures came to be is their `Setting`; what they mean is the benchmark's. What is told of neither, but changes a
figure, stands beside them: the conditions of a latency, and how examples were loaded where time or memory of training decides.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from nas.benchmark import Budget, Objective, Recipe
from nas.errors import BenchmarkError
from nas.records import Latency, Record, Setting, Stage, StudyEntry

LOADED = frozenset({"train_seconds", "peak_memory_bytes"})
"""Figures that change with how training examples reach the device."""

STAGES: Mapping[Stage, str] = {
    "search": "search",
    "confirm": "the best, trained again from other seeds",
    "final": "finalists, trained again",
    "audit": "a sample, trained again by an audit",
    "derived": "made of finalists",
}

Pairs = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Asked:
    """What a study's definition says of its rows' meaning."""

    benchmark: str
    """Name and version."""
    declaration: Pairs
    """What the benchmark says that decides what a score means, by option: two of one version can say otherwise."""
    recipe: str
    """What was asked to be other than in the benchmark's recipe."""
    objectives: tuple[Objective, ...]


@dataclass(frozen=True)
class Conditions:
    """What rows must share to be compared."""

    asked: Asked
    stage: Stage
    budget: Budget
    replicates: int
    """Trainings whose means the figures are; 0 for a single training."""
    setting: Setting
    data: str | None
    """Digest of the examples; None where it is not told."""
    latency: str
    """What was unusual about how latency was measured; empty where nothing was, or it was not measured."""
    loading: str
    """How examples were loaded, where that matters; else empty."""

    @property
    def recipe(self) -> str:
        """What was asked to be other than in the benchmark's recipe, with the replicates."""
        several = [f"replicates={self.replicates}"] if self.replicates else []
        return ", ".join([self.asked.recipe] * bool(self.asked.recipe) + several)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that sets rows apart."""

    what: str
    """ "budget", "machine", "latency" …"""
    here: str
    there: str
    """Empty where nothing was said of it."""

    def __str__(self) -> str:
        return f"{self.what} {self.here or 'as usual'}, there {self.there or 'as usual'}"


def asked_by(study: StudyEntry, objectives: tuple[Objective, ...]) -> Asked:
    """What `study` says of the meaning of its rows, ranked by `objectives`."""
    benchmark: Mapping[str, Any] = study.definition["benchmark"]
    return Asked(
        benchmark=f"{benchmark['name']} v{benchmark['version']}",
        declaration=tuple(_declared(benchmark)),
        recipe=", ".join(f"{option}={value}" for option, value in study.definition.get("recipe", {}).items()),
        objectives=objectives,
    )


def conditions_of(asked: Asked, stage: Stage, record: Record, deciding: Collection[str]) -> Conditions:
    """The conditions of one training; `deciding` are the figures that decide about ranks or the front."""
    return Conditions(
        asked,
        stage,
        record.budget,
        len(record.replicates),
        record.setting,
        record.data_sha256,
        _unusual(record.latency, record) if record.latency else "",
        record.loading or "" if not LOADED.isdisjoint(deciding) else "",
    )


def differences(here: Conditions, there: Conditions) -> tuple[Difference, ...]:
    """What sets rows of `here` apart from those of `there`; empty for equal conditions.

    Of another benchmark, if it is no other version of one, nothing is told of what its data are and by what it steers and trains.
    """
    one, other = (side.asked.benchmark.rpartition(" v")[0] for side in (here, there))
    options = (option for side in (here, there) for option, _ in side.asked.declaration)
    entailed = () if one == other else ("objectives", "data", *(f"the benchmark's {option}" for option in options))
    ours, theirs = dict(_told(here, there)), dict(_told(there, here))
    return tuple(
        Difference(what=what, here=ours.get(what, ""), there=theirs.get(what, ""))
        for what in dict.fromkeys((*ours, *theirs))
        if what not in entailed and ours.get(what, "") != theirs.get(what, "")
    )


def _told(conditions: Conditions, other: Conditions) -> Iterator[tuple[str, str]]:
    """All of them in words, as they are told beside `other`, what people ask for first first."""
    asked, setting = conditions.asked, conditions.setting
    yield "benchmark", asked.benchmark
    yield "stage", STAGES[conditions.stage]
    yield "budget", str(conditions.budget)
    if str(conditions.budget) == str(other.budget):  # which may read alike and differ
        for one in fields(Budget):
            yield f"budget's {one.name}", str(getattr(conditions.budget, one.name))
    yield "recipe", conditions.recipe
    yield "objectives", ", ".join(f"{objective.direction} {objective.figure}" for objective in asked.objectives)
    yield "machine", f"{setting.machine} ({setting.machine.id})"
    for name in ("device", "threads", "precision", "compile", "processes"):
        yield name, str(getattr(setting, name))
    yield "data", (conditions.data or "not told")[:12]
    yield "latency", conditions.latency
    yield "loading", conditions.loading
    for option, value in asked.declaration:
        yield f"the benchmark's {option}", str(value)


def _declared(benchmark: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What decides what a score means: what a model is fed, how it is trained by default, and of a table its content."""
    for side, shape in benchmark.get("signature", {}).items():
        yield side, " ".join(str(value) for value in shape.values())
    if "recipe" in benchmark:
        yield from sorted(_whole(benchmark["recipe"]).items())
    if "table" in benchmark:
        yield "table", benchmark["table"].get("digest")


def _whole(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """`recipe` with the options that are younger than it, at their defaults, by which it was meant."""
    try:
        return vars(Recipe(**recipe))
    except (TypeError, BenchmarkError):  # of a newer version
        return dict(recipe)


@lru_cache(maxsize=256)
def _usual(batch_size: int, dtype: str, backend: str) -> str:
    """What is unusual of these, in words."""
    words = [f"batches of {batch_size}"] if batch_size != 1 else []
    return ", ".join([*words, *(word for word, usual in ((dtype, "float32"), (backend, "eager")) if word != usual)])


def _unusual(latency: Latency, record: Record) -> str:
    words = [_usual(latency.batch_size, latency.dtype, latency.backend)]
    words += [f"on {latency.device}"] if latency.device != record.device else []
    words += [f"{latency.threads} thread{'s' * (latency.threads != 1)}"] if latency.threads != record.threads else []
    return ", ".join(filter(None, words))
