"""Records → an order: who is best, on which evidence, among rows that can be compared."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from nas.benchmark import Objective
from nas.errors import LedgerError, did_you_mean, quote
from nas.ranking.pareto import pareto_front, pareto_layers
from nas.ranking.volume import Hypervolume, hypervolume
from nas.records import FIGURES, LOOKED_UP, Ledger, Setting, Stage, StudyEntry, Trial, figure_kind
from nas.space import Architecture

if TYPE_CHECKING:
    import pandas as pd

COSTS = ("flops", "params", "latency_ms", "peak_memory_bytes")
"""Figures that an objective can be weighed against, of a named device too: latency_ms:raspi4."""


_Member = tuple[Trial, tuple[Objective, ...]]
"""A trial and what its study steers by."""

MOST_MEASURED = 5
"""Objectives of which a leaderboard measures the hypervolume; of more it may take seconds."""

UNTOLD = "epochs not told"
"""The budget of figures that were looked up in a table which does not say after how many epochs they were read."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A figure over several trainings of one architecture."""

    mean: float
    deviation: float | None
    """Sample standard deviation; None for a single training."""
    count: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """One architecture on a leaderboard."""

    rank: int
    """From 1; rows that are equal in every objective share it."""
    on_front: bool
    """Whether no other row is at least as good in the objectives and the cost, and better in one."""
    study: str
    number: int
    """Of the first of its trials."""
    architecture: Architecture
    figures: Mapping[str, Summary]
    trials: tuple[Trial, ...]
    """The trials behind the row: one in a search, one a seed among finalists, and where it was confirmed both."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows that can be compared: one benchmark, stage, budget, recipe and setting."""

    benchmark: str
    stage: Stage
    budget: str
    recipe: str
    """What was asked to be other than in the benchmark's recipe, "mixup=0.2", and how many replicates each figure is the mean of;
    empty where nothing was."""
    setting: Setting
    objectives: tuple[Objective, ...]
    cost: str
    """The figure that, with the objectives, decides who is on the front."""
    rows: tuple[Row, ...]
    hypervolume: Hypervolume | None = None
    """Of the front of the objectives alone; None for one objective, and for more than MOST_MEASURED."""

    def to_frame(self) -> "pd.DataFrame":
        """Its rows as a DataFrame: rank, architecture, figures as they were measured, choices as `choice:NAME`."""
        from nas.ranking.flat import frame  # which is made of tables

        return frame([self])


def leaderboard(ledger: Ledger, study: str | None = None, *, cost: str = "flops") -> tuple[Table, ...]:
    """The tables of `study`, or of all studies of the ledger; finalists first, then by benchmark, what was confirmed before all
    that was found; samples that an audit took last.

    Raises:
        LedgerError: there is no such study, or `cost` is no figure to weigh by.
    """
    if cost.partition(":")[0] not in COSTS:
        raise LedgerError(f"A front cannot be drawn against {quote(cost)}. {did_you_mean(cost, COSTS)}")
    entries = [ledger.study(study)] if study is not None else ledger.studies()
    return rank(((entry, trial) for entry in entries for trial in ledger.trials(entry)), cost=cost)


def rank(trials: Iterable[tuple[StudyEntry, Trial]], *, cost: str = "flops") -> tuple[Table, ...]:
    """Put complete trials in order; rows that cannot be compared stand in tables of their own.

    In a table each architecture has one row: with several trainings (finalists), the mean decides. A trial in which an
    objective was not measured has no place in an order and is left out, and so is one that its study has had already, if
    under another name.
    """
    groups: defaultdict[tuple[Any, ...], list[_Member]] = defaultdict(list)
    sources: defaultdict[str, set[int]] = defaultdict(set)
    for entry, trial in trials:
        repeated = trial.reused_from in sources[trial.study]
        sources[trial.study].add(trial.reused_from or trial.id)
        if trial.state == "complete" and trial.record is not None and not repeated:
            objectives = tuple(Objective(**objective) for objective in entry.definition["objectives"])
            if all(objective.figure in trial.record.figures for objective in objectives):
                groups[_group(entry, trial, objectives)].append((trial, objectives))
    for group, members in groups.items():
        if group[1] == "confirm":
            members[:0] = _searched(members, groups.get((group[0], "search", *group[2:]), []))
    ordered = sorted(groups.items(), key=lambda group: _place(group[0]))
    return tuple(_table(group, [trial for trial, _ in members], members[0][1], cost) for group, members in ordered)


def _searched(confirmed: Sequence[_Member], found: Sequence[_Member]) -> list[_Member]:
    """What the search itself found of the architectures that were confirmed."""
    again = {(trial.study, trial.architecture.id) for trial, _ in confirmed}
    return [member for member in found if (member[0].study, member[0].architecture.id) in again]


def _group(entry: StudyEntry, trial: Trial, objectives: tuple[Objective, ...]) -> tuple[Any, ...]:
    """What rows must share to be compared."""
    assert trial.record is not None  # noqa: S101 - only complete trials are ranked
    benchmark = entry.definition["benchmark"]
    name = f"{benchmark['name']} v{benchmark['version']}"
    record = trial.record
    options = [f"{option}={value}" for option, value in entry.definition.get("recipe", {}).items()]
    recipe = ", ".join(options + [f"replicates={len(record.replicates)}"] * bool(record.replicates))
    return (name, trial.stage, record.budget, recipe, record.setting, objectives)


def _place(group: tuple[Any, ...]) -> tuple[Any, ...]:
    """Where a table stands: finalists first, then by benchmark, the confirmed before all, larger budgets first; audits last."""
    name, stage, budget, recipe, setting, _ = group
    return (
        stage == "audit",
        stage != "final",
        name,
        stage,
        -budget.epochs * budget.fraction,
        str(budget),
        recipe,
        setting.machine.id,
        str(setting),
    )


def _table(group: tuple[Any, ...], trials: Sequence[Trial], objectives: tuple[Objective, ...], cost: str) -> Table:
    benchmark, stage, budget, recipe, setting, _ = group
    by_architecture: defaultdict[tuple[str, str], dict[str, Trial]] = defaultdict(dict)
    for trial in trials:
        by_architecture[trial.study, trial.architecture.id].setdefault(trial.evaluation, trial)
    entries = [(tuple(found.values()), _summaries(tuple(found.values()))) for found in by_architecture.values()]
    costs = [[objective.cost(figures[objective.figure].mean) for objective in objectives] for _, figures in entries]
    layers = pareto_layers(costs) if len(objectives) > 1 else [0] * len(costs)
    weighed = [[*own, *_weight(figures, cost)] for own, (_, figures) in zip(costs, entries, strict=True)]
    front = pareto_front(weighed)
    volume = None
    if 1 < len(objectives) <= MOST_MEASURED:
        first = [{name: one.mean for name, one in figures.items()} for n, (_, figures) in enumerate(entries) if layers[n] == 0]
        volume = hypervolume(first, objectives)
    order = sorted(range(len(entries)), key=lambda n: (layers[n], costs[n], entries[n][0][0].number))
    rows: list[Row] = []
    for place, n in enumerate(order):
        same = place > 0 and (layers[n], costs[n]) == (layers[order[place - 1]], costs[order[place - 1]])
        found, figures = entries[n]
        row = Row(
            rank=rows[-1].rank if same else place + 1,
            on_front=front[n],
            study=found[0].study,
            number=found[0].number,
            architecture=found[0].architecture,
            figures=figures,
            trials=found,
        )
        rows.append(row)
    told = setting.device != LOOKED_UP or any(trial.record.curve for trial in trials if trial.record)
    return Table(
        benchmark=benchmark,
        stage=stage,
        budget=str(budget) if told else UNTOLD,
        recipe=recipe,
        setting=setting,
        objectives=objectives,
        cost=cost,
        rows=tuple(rows),
        hypervolume=volume,
    )


def _weight(figures: Mapping[str, Summary], cost: str) -> list[float]:
    """The cost figure; a row that has none counts as the dearest."""
    return [figures[cost].mean if cost in figures else float("inf")]


def _summaries(trials: Sequence[Trial]) -> dict[str, Summary]:
    if len(trials) == 1 and trials[0].record is not None:  # every row of a search, of which there may be thousands
        return {name: Summary(mean=value, deviation=None, count=1) for name, value in trials[0].record.figures.items()}
    gathered: defaultdict[str, list[float]] = defaultdict(list)
    for trial in trials:
        assert trial.record is not None  # noqa: S101 - only complete trials are ranked
        for name, value in trial.record.figures.items():
            gathered[name].append(value)
    return {
        name: Summary(mean=fmean(values), deviation=stdev(values) if len(values) > 1 else None, count=len(values))
        for name, values in gathered.items()
    }


def figure_names(table: Table) -> list[str]:
    """The figures of a table's rows, in reading order: objectives, other metrics, then what it costs."""
    present = {name for row in table.rows for name in row.figures}
    first = [objective.figure for objective in table.objectives]
    metrics = sorted(name for name in present if figure_kind(name) is None and name not in first)
    costs = [name for kind in FIGURES for name in sorted(present) if name.partition(":")[0] == kind and name not in first]
    return [name for name in [*first, *metrics, *costs] if name in present]
