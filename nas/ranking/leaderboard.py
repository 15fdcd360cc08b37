"""Records → an order: who is best, on which evidence, among rows that can be compared."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from nas.benchmark import Objective
from nas.errors import LedgerError, did_you_mean, quote
from nas.measures import in_reading_order
from nas.ranking.certainty import Certainty, certainties
from nas.ranking.conditions import Conditions, Difference, differences
from nas.ranking.knee import knee_of
from nas.ranking.order import PARETO, Order, Placing, place
from nas.ranking.pareto import pareto_front
from nas.ranking.question import Question
from nas.ranking.volume import Hypervolume, hypervolume
from nas.records import (
    FIGURES,
    LOOKED_UP,
    OF_MEMBERS,
    OF_PRIVACY,
    OF_PROTOCOLS,
    Ledger,
    Setting,
    Stage,
    StudyEntry,
    Trial,
    figure_kind,
)
from nas.records.markup import html_table
from nas.space import Architecture, Limit, broken_limits

if TYPE_CHECKING:
    import pandas as pd

COSTS = ("flops", "params", "latency_ms", "peak_memory_bytes")
"""Figures that an objective can be weighed against, of a named device too: latency_ms:raspi4."""

MOST_SHOWN = 10
"""Rows that a notebook shows of a table by itself."""

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
    """From 1; rows between which the order makes no difference share it, and so do finalists that cannot be told apart."""
    on_front: bool
    """Whether it lies within the limits, and no other such row is at least as good in all that decides, and better in one."""
    knee: bool = False
    """Whether it is the knee of that front."""
    score: float | None = None
    """What the order's scalarisation comes to, 0 at best; None for orders that have none, and outside a limit."""
    broken: tuple[str, ...] = ()
    """The limits that it lies outside of, each with what was found; such rows stand below all others, the furthest out last."""
    study: str
    number: int
    """Of the first of its trials."""
    architecture: Architecture
    figures: Mapping[str, Summary]
    trials: tuple[Trial, ...]
    """The trials of its table's stage behind the row: one in a search, one a seed elsewhere."""
    certainty: Certainty | None = None
    """How sure its place is; None where nothing tells, such as in a search, which trains each architecture once."""

    @property
    def place(self) -> str:
        """Its rank, with a sign where others cannot be told apart from it."""
        return f"{self.rank}=" if self.certainty is not None and self.certainty.shared_by > 1 else str(self.rank)


@dataclass(frozen=True, kw_only=True)
class Apart:
    """Why a table's rows are not ranked with those of another."""

    table: int
    """The other's place among the tables, from 0: the largest of the same stage, or where this is it, the largest of all."""
    differences: tuple[Difference, ...]


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
    cost: str | None
    """The figure that, with the objectives, decides who is on the front; None where these decide alone."""
    order: Order = PARETO
    limits: tuple[Limit, ...] = ()
    """Rows outside of these stand below."""
    scale: Mapping[str, tuple[float, float]] | None = None
    """Objective → its best and worst on the front, between which the order counts shares; None for orders that count none."""
    apart: Apart | None = None
    """Why its rows are not ranked with those of the largest table; None for that."""
    left_out: int = 0
    """Complete trials of the same conditions that have no place, since one of the objectives was not measured."""
    rows: tuple[Row, ...]
    hypervolume: Hypervolume | None = None
    """Of the front of the objectives alone; None for one, for more than MOST_MEASURED, and where no row is within the limits."""

    @property
    def knee(self) -> Row | None:
        """The knee of the front, or the first of equal ones; None where it has none."""
        return next((row for row in self.rows if row.knee), None)

    def _repr_html_(self) -> str:
        """What a notebook shows: the first rows with their objectives and costs, and how many more there are."""
        figures = [name for name in figure_names(self) if name in FIGURES or name in {goal.figure for goal in self.objectives}]
        goals = [goal.figure for goal in self.objectives] if any(row.certainty for row in self.rows) else []
        rows = [
            (
                row.place,
                "◈" if row.knee else "◆" if row.on_front else "",
                row.architecture.id,
                *_told_figures(row, figures),
                *_told_certainty(row, goals),
            )
            for row in self.rows[:MOST_SHOWN]
        ]
        sure = [f"95 % interval of {name}" for name in goals] + [f"P({'best' if len(goals) == 1 else 'on front'})"] * bool(goals)
        rest = len(self.rows) - len(rows)
        more = f"<p>{rest:,} more row{'s' * (rest > 1)}; to_frame() has all.</p>" if rest else ""
        caption = f"{self.benchmark} · {self.stage} · {self.budget} · {self.setting.use}"
        return html_table(("#", "", "architecture", *figures, *sure), rows, caption) + more

    def to_frame(self) -> "pd.DataFrame":
        """Its rows as a DataFrame: rank, architecture, figures as they were measured, choices as `choice:NAME`."""
        from nas.ranking.flat import frame  # which is made of tables

        return frame([self])


def leaderboard(
    ledger: Ledger,
    study: str | None = None,
    *,
    cost: str | None = None,
    objectives: Sequence[str] = (),
    order: Order = PARETO,
    limits: Sequence[Limit] = (),
) -> tuple[Table, ...]:
    """The tables of `study`, or of all studies of the ledger, as `rank` makes them; finalists first, then by benchmark, what was
    confirmed before all that was found; samples that an audit took last.

    Raises:
        LedgerError: there is no such study, or `cost` is no figure to weigh by.
        RankingError: what is asked for does not fit together, or no trial has a figure that it names.
    """
    if cost is not None and cost.partition(":")[0] not in COSTS:
        raise LedgerError(f"A front cannot be drawn against {quote(cost)}. {did_you_mean(cost, COSTS)}")
    entries = [ledger.study(study)] if study is not None else ledger.studies()
    trials = ((entry, trial) for entry in entries for trial in ledger.trials(entry))
    return rank(trials, cost=cost, objectives=objectives, order=order, limits=limits)


def rank(
    trials: Iterable[tuple[StudyEntry, Trial]],
    *,
    cost: str | None = None,
    objectives: Sequence[str] = (),
    order: Order = PARETO,
    limits: Sequence[Limit] = (),
) -> tuple[Table, ...]:
    """Put complete trials in order; rows that cannot be compared stand in tables of their own.

    In a table each architecture has one row: with several trainings (finalists, and what was confirmed), the mean decides. The
    training by which a search chose an architecture has no part in its row of what was confirmed: of many the search took the
    best, so that its figure is better than others of the same architecture would be (selection bias). A trial in which an
    objective was not measured has no place in an order and is left out, and so is one that its study has had already, if
    under another name. What was made of finalists stands beside its parents (see `nas.ranking.steps`), and in no order.

    Args:
        trials: each with its study.
        cost: the figure that the front weighs the objectives against; None for FLOPs where there is one objective, and for
            none where there are several.
        objectives: figures to rank by instead of those that the study's search steered by, each as FIGURE or as
            FIGURE=minimize or FIGURE=maximize.
        order: by what rows are put in order; an objective that it names beside these counts too.
        limits: rows outside stand below all others.

    Raises:
        RankingError: what is asked for does not fit together, or no trial has a figure that it names.
    """
    question = Question(cost=cost, objectives=tuple(objectives), order=order, limits=tuple(limits))
    groups: defaultdict[Conditions, list[Trial]] = defaultdict(list)
    left_out: Counter[Conditions] = Counter()
    sources: defaultdict[str, set[int]] = defaultdict(set)
    for entry, trial in trials:
        if trial.stage == "derived":
            continue
        repeated = trial.reused_from in sources[trial.study]
        sources[trial.study].add(trial.reused_from or trial.id)
        if trial.state == "complete" and trial.record is not None and not repeated:
            conditions = question.conditions(entry, trial.stage, trial.record)
            if all(objective.figure in trial.record.figures for objective in conditions.asked.objectives):
                groups[conditions].append(trial)
            else:
                left_out[conditions] += 1
    question.check()
    _join_untold(groups)
    ordered = sorted(groups, key=_place)
    tables = [_table(conditions, groups[conditions], question, left_out[conditions]) for conditions in ordered]
    return tuple(_set_apart(tables, ordered))


def _join_untold(groups: dict[Conditions, list[Trial]]) -> None:
    """Put trials that do not tell which data they had, as of an older version, with those that do, where these agree."""
    for untold in [conditions for conditions in groups if conditions.data is None]:
        told = [other for other in groups if other.data is not None and replace(other, data=None) == untold]
        if len(told) == 1:
            groups[told[0]][:0] = groups.pop(untold)


def _place(conditions: Conditions) -> tuple[Any, ...]:
    """Where a table stands: finalists first, then by benchmark, the confirmed before all, larger budgets first; audits last."""
    budget, setting = conditions.budget, conditions.setting
    return (
        conditions.stage == "audit",
        conditions.stage != "final",
        conditions.asked.benchmark,
        conditions.stage,
        -budget.epochs * budget.fraction,
        str(budget),
        conditions.recipe,
        setting.machine.id,
        str(setting),
    )


def _set_apart(tables: Sequence[Table], conditions: Sequence[Conditions]) -> Iterator[Table]:
    """The tables, each with what sets it apart from the largest one."""
    largest = sorted(range(len(tables)), key=lambda n: -len(tables[n].rows))
    for n, table in enumerate(tables):
        other = next(m for m in largest if tables[m].stage == table.stage)
        other = largest[0] if other == n else other
        apart = Apart(table=other, differences=differences(conditions[n], conditions[other])) if other != n else None
        yield replace(table, apart=apart)


def _table(conditions: Conditions, trials: Sequence[Trial], question: Question, left_out: int) -> Table:
    objectives, setting = conditions.asked.objectives, conditions.setting
    entries = _entries(trials)
    costs = [[objective.cost(figures[objective.figure].mean) for objective in objectives] for _, figures in entries]
    outside = [_outside(figures, question.limits) for _, figures in entries]
    within = [n for n, (broken, _) in enumerate(outside) if not broken]
    placing = place([costs[n] for n in within], objectives, question.order)
    scores = dict(zip(within, placing.scores or (), strict=False))
    cost = question.cost_beside(objectives)
    weighed = [[*costs[n], *_weight(entries[n][1], cost)] for n in within]
    front = {n for n, stands in zip(within, pareto_front(weighed), strict=True) if stands}
    knees = {n for n, stands in zip(within, knee_of(weighed), strict=True) if stands}
    keys = {n: (0, *key) for n, key in zip(within, placing.keys, strict=True)}
    keys |= {n: (1, excess, *costs[n]) for n, (broken, excess) in enumerate(outside) if broken}
    rows: list[Row] = []
    before = None
    for n in sorted(keys, key=lambda n: (keys[n], costs[n], entries[n][0][0].number)):
        found, figures = entries[n]
        row = Row(
            rank=rows[-1].rank if keys[n] == before else len(rows) + 1,
            on_front=n in front,
            knee=n in knees,
            score=scores.get(n),
            broken=outside[n][0],
            study=found[0].study,
            number=found[0].number,
            architecture=found[0].architecture,
            figures=figures,
            trials=found,
        )
        rows.append(row)
        before = keys[n]
    told = setting.device != LOOKED_UP or any(trial.record.curve for trial in trials if trial.record)
    return Table(
        benchmark=conditions.asked.benchmark,
        stage=conditions.stage,
        budget=str(conditions.budget) if told else UNTOLD,
        recipe=conditions.recipe,
        setting=setting,
        objectives=objectives,
        cost=cost,
        order=question.order,
        limits=question.limits,
        scale=_scale(placing, objectives),
        left_out=left_out,
        rows=tuple(_judged(rows, conditions.stage, objectives)),
        hypervolume=_volume([entries[n][1] for n in within], objectives),
    )


def _judged(rows: Sequence[Row], stage: Stage, objectives: Sequence[Objective]) -> list[Row]:
    """`rows` with what is known of the noise of those within the limits, which share a rank where they cannot be told apart."""
    within = [row for row in rows if not row.broken]
    if stage == "search" or not any(len(row.trials) > 1 for row in within):
        return [*rows]
    found = [[trial.record for trial in row.trials if trial.record] for row in within]
    names = [objective.figure for objective in objectives]
    runs = [{name: {record.seed: record.figures[name] for record in records} for name in names} for records in found]
    known = certainties(runs, objectives) if all(found) else None
    if known is None:
        return [*rows]
    single = len(objectives) == 1
    judged = [replace(row, certainty=own, rank=own.rank if single else row.rank) for row, own in zip(within, known, strict=True)]
    return [*judged, *rows[len(within) :]]


_Entry = tuple[tuple[Trial, ...], dict[str, Summary]]
"""The trials of one architecture, and their figures."""


def _entries(trials: Sequence[Trial]) -> list[_Entry]:
    by_architecture: defaultdict[tuple[str, str], dict[str, Trial]] = defaultdict(dict)
    for trial in trials:
        by_architecture[trial.study, trial.architecture.id].setdefault(trial.evaluation, trial)
    return [(found, _summaries(found)) for found in (tuple(trials.values()) for trials in by_architecture.values())]


def _outside(figures: Mapping[str, Summary], limits: Sequence[Limit]) -> tuple[tuple[str, ...], float]:
    """The limits that a row lies outside of, in words, and how far, in shares of the bounds; what was not measured is outside."""
    if not limits:
        return (), 0.0
    means = {limit.figure: figures[limit.figure].mean for limit in limits if limit.figure in figures}
    broken = list(broken_limits(means, limits))
    excess = sum(max(0.0, limit.excess(means[limit.figure])) for limit in limits if limit.figure in means)
    for limit in limits:
        if limit.figure not in means:
            broken.append(f"{limit}, not measured")
            excess = inf
    return tuple(broken), excess


def _weight(figures: Mapping[str, Summary], cost: str | None) -> list[float]:
    """The cost figure; a row that has none counts as the dearest."""
    if cost is None:
        return []
    return [figures[cost].mean if cost in figures else inf]


def _scale(placing: Placing, objectives: Sequence[Objective]) -> dict[str, tuple[float, float]] | None:
    """Best and worst of each objective, in its own direction."""
    if placing.scale is None:
        return None
    ends = zip(objectives, placing.scale.ideal, placing.scale.nadir, strict=True)
    return {objective.figure: (objective.cost(best), objective.cost(worst)) for objective, best, worst in ends}


def _volume(rows: Sequence[Mapping[str, Summary]], objectives: Sequence[Objective]) -> Hypervolume | None:
    if not rows or not 1 < len(objectives) <= MOST_MEASURED:
        return None
    return hypervolume([{goal.figure: row[goal.figure].mean for goal in objectives} for row in rows], objectives)


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


def _told_figures(row: Row, names: Iterable[str]) -> Iterator[str]:
    """Means, with their deviation where trainings differ."""
    for name in names:
        found = row.figures.get(name)
        mean = f"{found.mean:,.6g}" if found and abs(found.mean) < 1e6 else f"{found.mean:,.0f}" if found else ""
        yield f"{mean} ± {found.deviation:.2g}" if found and found.deviation else mean


def _told_certainty(row: Row, goals: Sequence[str]) -> Iterator[str]:
    """The interval of each objective, and how probable it is that the row is the best, or on the true front."""
    for name in goals:
        found = row.certainty.intervals.get(name) if row.certainty else None
        yield f"{found.low:,.4g}–{found.high:,.4g}" if found else ""
    if goals:
        yield row.certainty.chance if row.certainty else ""


def figure_names(table: Table) -> list[str]:
    """The figures of a table's rows, in reading order: objectives, what they are on test data, what every candidate costs, other
    metrics, what only some protocols cost, then how networks hold.
    """
    present = {name for row in table.rows for name in row.figures}
    first = [objective.figure for objective in table.objectives]
    first += [name.replace("validation_", "test_", 1) for name in first if name.startswith("validation_")]
    held = in_reading_order(present)
    metrics = sorted((name for name in present.difference(held) if figure_kind(name) is None), key=by_number)
    of_some = [name for known in (*OF_PROTOCOLS.values(), OF_PRIVACY, OF_MEMBERS) for name in known]
    names = [*first, *_costs(present, FIGURES), *metrics, *_costs(present, of_some), *held]
    return [name for name in dict.fromkeys(names) if name in present]


def _costs(present: Iterable[str], kinds: Iterable[str]) -> list[str]:
    """Those of these kinds, of a named device too, kind by kind."""
    return [name for kind in kinds for name in sorted(present) if name.partition(":")[0] == kind]


def by_number(name: str) -> list[tuple[int, str]]:
    """Orders "hits_at_3" before "hits_at_10"."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
