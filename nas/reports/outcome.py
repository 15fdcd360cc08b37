"""What a study came to: how its proposals ended, and the outcome in plain sentences."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas.ranking import Row, Table
from nas.records import Trial
from nas.reports.figures import face
from nas.reports.tables import show

SIMPLE = "a simple model"
"""Whose a floor is in studies that are older than what says so."""

SHORT = 8
"""Digits of an architecture's id in a sentence."""


@dataclass(frozen=True)
class Step:
    """How many proposals ended in one way."""

    label: str
    count: int
    meaning: str


_UNITS = {
    "latency_ms": "ms",
    "flops": "MFLOPs",
    "macs": "MMACs",
    "params": "parameters",
    "peak_memory_bytes": "MiB",
    "train_seconds": "s",
}
"""What follows a value that says by its unit what it is."""

_MEANINGS = {
    "infeasible": "outside a limit",
    "pruned": "fell behind and were stopped",
    "failed": "ended in an error",
    "running": "under way, or interrupted",
    "complete": "trained to the end and ranked",
}


def first_of_each(trials: Sequence[Trial]) -> list[Trial]:
    """`trials` without those whose result an earlier one of them had already."""
    seen: set[str] = set()
    first = []
    for trial in trials:
        if trial.evaluation not in seen:
            first.append(trial)
        if trial.state != "running":
            seen.add(trial.evaluation)
    return first


def evaluated(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that gave a different architecture a result: complete, pruned or failed."""
    return [trial for trial in first_of_each(trials) if trial.state in {"complete", "pruned", "failed"}]


def funnel(trials: Sequence[Trial]) -> tuple[Step, ...]:
    """From all proposals to the complete ones; every proposal but the first step's is counted once."""
    first = first_of_each(trials)
    steps = [
        Step("proposed", len(trials), "asked of the strategy"),
        Step("repeated", len(trials) - len(first), "known from an earlier proposal; cost nothing"),
    ]
    for state, meaning in _MEANINGS.items():
        count = sum(trial.state == state for trial in first)
        if count or state != "running":
            steps.append(Step(state, count, meaning))
    return tuple(steps)


def taken_over(trials: Sequence[Trial]) -> int:
    """How many results come from an earlier study of the ledger."""
    own = {trial.id for trial in trials}
    return sum(trial.reused_from is not None and trial.reused_from not in own for trial in first_of_each(trials))


def outcome(tables: Sequence[Table], benchmark: Mapping[str, Any], trials: Sequence[Trial]) -> str:
    """The outcome in one sentence, or two."""
    if not tables:
        return _nothing_yet(trials)
    table, same = tables[0], [other for other in tables if other.stage == tables[0].stage]
    row = table.rows[0]
    where = f" (first of {len(same)} tables that do not compare)" if len(same) > 1 else ""
    return f"{_who(table)}{where}, reaches {_what(table, row)}{_size(row, table)}{_floor(table, row, benchmark, trials)}"


def _nothing_yet(trials: Sequence[Trial]) -> str:
    if not trials:
        return "Nothing has been tried yet."
    counts = [f"{step.count:,} {step.label}" for step in funnel(trials)[1:] if step.count]
    proposals = f"{len(trials):,} proposal{'s' if len(trials) != 1 else ''}"
    return f"No trial is complete yet: of {proposals}, {', '.join(counts)}."


def _who(table: Table) -> str:
    row, equals = table.rows[0], sum(row.rank == 1 for row in table.rows)
    name = f"{row.architecture.id[:SHORT]}…"
    shared = f", one of {equals} that share the first rank" if equals > 1 else ""
    if table.stage == "final":
        return f"The best finalist, {name}{shared}"
    if table.stage == "confirm":
        return f"The best of those that were trained again, {name}{shared}"
    count = f"{len(table.rows):,} architecture{'s' if len(table.rows) != 1 else ''}"
    if len(table.objectives) > 1:
        names = listed(words(objective.figure) for objective in table.objectives)
        return f"Of {count}, weighed by {names}, the front's best by {words(table.objectives[0].figure)}, {name}{shared}"
    return f"The best of {count}, {name}{shared}"


def _what(table: Table, row: Row) -> str:
    return listed(said(name, show(name, row.figures.get(name))) for name in _read(table, row)) + _seeds(row)


def _read(table: Table, row: Row) -> list[str]:
    """What the sentence tells: the objectives, on test data where those were read."""
    return [_tested(objective.figure, row) for objective in table.objectives]


def _tested(figure: str, row: Row) -> str:
    """The figure on test data where that was read."""
    test = figure.replace("validation_", "test_", 1)
    return test if test in row.figures else figure


def _seeds(row: Row) -> str:
    return f" ({len(row.trials)}\N{NO-BREAK SPACE}seeds)" if len(row.trials) > 1 else ""


def _size(row: Row, table: Table) -> str:
    """The number of parameters, unless it has been said as an objective."""
    if "params" not in row.figures or any(objective.figure == "params" for objective in table.objectives):
        return ""
    return f" with {said('params', show('params', row.figures['params']))}"


def _floor(table: Table, row: Row, benchmark: Mapping[str, Any], trials: Sequence[Trial]) -> str:
    """What a simple model reaches, in terms of what the sentence tells of the row."""
    floor: Mapping[str, float] = benchmark["floor"]
    if not floor:
        return "."
    model = str(benchmark.get("floor_by", SIMPLE))
    told = _read(table, row)
    if known := [name for name in told if name in floor]:
        reached = [f"{floor[name]:g}" if len(told) == 1 else said(name, f"{floor[name]:g}") for name in known]
        return f"; {model} reaches {listed(reached)}."
    reached = [said(name, f"{value:g}") for name, value in floor.items()]
    read = any(trial.stage == "final" and trial.state != "running" for trial in trials)
    if read or not all(name.startswith("test_") for name in floor):
        return f". {model[:1].upper()}{model[1:]} reaches {listed(reached)}."
    return f". Test data have not been read yet; on them {model} reaches {listed(reached)}."


def listed(items: Iterable[str]) -> str:
    """One, one and another, or one, another and a third."""
    *before, last = items
    return f"{', '.join(before)} and {last}" if before else last


def said(figure: str, value: str) -> str:
    """A figure and its value as they stand in a sentence."""
    name, _, device = figure.partition(":")
    if name not in _UNITS:
        return f"{words(figure)} {value}"
    return f"{value} {_UNITS[name]} on {device}" if device else f"{value} {_UNITS[name]}"


def words(figure: str) -> str:
    """A figure's name as it stands in a sentence."""
    return face(figure).words
