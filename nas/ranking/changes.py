"""What differs between two studies: what was asked, by what means it was found out, and where."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from nas.benchmark import Budget, Objective
from nas.ranking.leaderboard import Table, rank
from nas.records import LOOKED_UP, Record, StudyEntry, Trial

Kind = Literal["question", "training", "search", "place"]
"""Of what a score means, of how candidates are trained, of how they are chosen, or of machines and versions."""

NONE = "none"
"""In words, what one of two does not have."""


@dataclass(frozen=True)
class Change:
    """Something in which two studies differ."""

    kind: Kind
    name: str
    a: str
    b: str


@dataclass(frozen=True)
class Side:
    """A study, and all of its trials that have ended."""

    entry: StudyEntry
    trials: tuple[Trial, ...]

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """Its leaderboard."""
        return rank((self.entry, trial) for trial in self.trials)

    @property
    def records(self) -> list[Record]:
        """Of trials that were trained or measured."""
        return [trial.record for trial in self.trials if trial.record is not None and trial.state != "infeasible"]

    @property
    def goals(self) -> list[Objective]:
        """What it steers by."""
        return [Objective(**goal) for goal in self.entry.definition["objectives"]]

    @property
    def benchmark(self) -> str:
        """Name and version."""
        told = self.entry.definition["benchmark"]
        return f"{told['name']} v{told['version']}"


def changes(a: Side, b: Side) -> tuple[Change, ...]:
    """What differs, that which matters most first."""
    before, after = (dict(_told(side)) for side in (a, b))
    names = dict.fromkeys([*before, *after])
    return tuple(
        Change(kind, name, before.get((kind, name), NONE), after.get((kind, name), NONE))
        for kind, name in names
        if before.get((kind, name), NONE) != after.get((kind, name), NONE)
    )


def _told(side: Side) -> Iterator[tuple[tuple[Kind, str], str]]:
    """All that may differ, in words."""
    given = side.entry.definition
    benchmark: Mapping[str, Any] = given["benchmark"]
    yield ("question", "benchmark"), side.benchmark
    if "table" in benchmark:
        yield ("question", "table"), f"{benchmark['table']['file']}, digest {benchmark['table']['digest']}"
    yield ("question", "objectives"), ", ".join(f"{goal['direction']} {goal['figure']}" for goal in given["objectives"])
    yield ("question", "limits"), ", ".join(given["limits"]) or NONE
    yield ("question", "space"), f"{given['space']['name']} v{given['space']['version']}"
    yield ("question", "declaration of the space"), given["space"]["digest"]
    yield ("training", "budget"), str(Budget(**given["budget"]))
    yield ("training", "budget of finalists"), str(Budget(**benchmark["final_budget"]))
    for option, value in {**benchmark["recipe"], **given["recipe"]}.items():
        yield ("training", option.replace("_", " ")), str(value)
    yield ("training", "replicates"), str(given.get("replicates", 1))
    for name in ("strategy", "pruner", "seed", "synchronous"):
        yield ("search", name), str(given.get(name, NONE))
    yield ("search", "begun with"), "; ".join(map(_choices, given.get("begin_with", ()))) or NONE
    yield ("search", "zero-cost scores"), ", ".join(given.get("proxies", ())) or NONE
    yield ("search", "proposals"), str(sum(trial.stage == "search" for trial in side.trials))
    yield from _place(side.records)


def _choices(choices: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in choices.items())


def _place(records: Sequence[Record]) -> Iterator[tuple[tuple[Kind, str], str]]:
    """Where and with what figures came to be."""
    if not records:
        return
    told: dict[str, list[str]] = {
        "machine": [str(record.machine) for record in records],
        "device": [record.setting.use for record in records if record.device != LOOKED_UP],
        "commit of the harness": [record.commit or NONE for record in records],
    }
    for name in dict.fromkeys(name for record in records for name in record.versions):
        told[name] = [record.versions.get(name, NONE) for record in records]
    for name, values in told.items():
        yield ("place", name), ", ".join(dict.fromkeys(values)) or NONE
