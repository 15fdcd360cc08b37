"""A study of ours → a table that a search can be on: what was trained is known, and the rest is absent."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.benchmark import Budget, Objective
from nas.errors import TableError
from nas.records import LOOKED_UP, SCORES, Epoch, Ledger, Record, StudyEntry, Trial, figure_kind
from nas.space import Architecture
from nas.tables.columns import SECONDS
from nas.tables.table import Table
from nas.tables.writing import write_table


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training of an architecture, at the study's budget."""

    seed: int
    figures: Mapping[str, float]
    """At its end."""
    curve: tuple[Epoch, ...]
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Written:
    """A study as a table."""

    path: Path
    table: Table
    left_out: Mapping[str, int]
    """How trials ended that are in no row, and how many: pruned, failed, infeasible, or final, at another budget."""


def write_study(ledger: Ledger, study: str, path: Path) -> Written:
    """Write the complete trainings of `study` at its budget to `path`, and what they are of beside it.

    Each metric after each epoch is a column FIGURE@EPOCHS, and where an architecture was trained from several seeds, in the order
    of the seeds, FIGURE@EPOCHS#RUN. What a machine was measured for names it: latency_ms:MACHINE-DEVICE. A training that was
    pruned has no end, and finalists that were trained longer are of another budget: they are left out.

    Raises:
        NasError: there is no such study, it has no complete training, or the file cannot be written.
    """
    entry = ledger.study(study)
    budget = Budget(**entry.definition["budget"])
    rows: dict[str, tuple[Architecture, list[Record]]] = {}
    left_out: Counter[str] = Counter()
    for trial in _each_once(ledger.trials(entry)):
        record = trial.record
        if record is None or record.outcome != "complete":
            left_out[trial.state] += 1
        elif record.budget != budget:
            left_out["final"] += 1
        else:
            rows.setdefault(trial.architecture.id, (trial.architecture, []))[1].append(record)
    objective = _objective(entry, [record for _, records in rows.values() for record in records])
    trained = {name: _trainings(records) for name, (_, records) in rows.items()}
    several = any(len(trainings) > 1 for trainings in trained.values())
    told = any(training.curve for trainings in trained.values() for training in trainings)
    benchmark = entry.definition["benchmark"]
    table = write_table(
        path,
        space=entry.space,
        objective=objective,
        rows=(
            (architecture, {**_known(records), **dict(_results(trained[name], budget.epochs if told else None, several=several))})
            for name, (architecture, records) in rows.items()
        ),
        summary=f"{len(rows):,} architectures of {entry.space.name} on {benchmark['name']} v{benchmark['version']}",
        source=f"the study {entry.name}, strategy {entry.definition['strategy']}; data: {benchmark['source']}",
        licence=benchmark["licence"],
    )
    return Written(path=path, table=table, left_out=dict(left_out))


def _each_once(trials: Sequence[Trial]) -> Iterator[Trial]:
    """Trials that have ended, without those that repeat what the same architecture had before."""
    seen: set[tuple[str, str]] = set()
    for trial in trials:
        work = (trial.architecture.id, trial.evaluation)
        if trial.state != "running" and work not in seen:
            seen.add(work)
            yield trial


def _objective(entry: StudyEntry, records: Sequence[Record]) -> Objective:
    """The first metric that the study steers by, or else its benchmark, and that every training has.

    Raises:
        TableError: there is none.
    """
    goals = [Objective(**goal) for goal in (*entry.definition["objectives"], *entry.definition["benchmark"]["objectives"])]
    for goal in goals:
        if figure_kind(goal.figure) is None and records and all(goal.figure in record.figures for record in records):
            return goal
    raise TableError(f"The study {entry.name!r} has no complete training with an objective, of which a table is made.")


def _trainings(records: Sequence[Record]) -> list[Training]:
    """Of one architecture, in the order of their seeds; what was looked up twice is one."""
    found: dict[int, Training] = {}
    for record in records:
        if record.device == LOOKED_UP and any(_same(record.figures, one.figures) for one in found.values()):
            continue
        for one in record.replicates:
            seconds = one.curve[-1].seconds if one.curve else None
            found.setdefault(one.seed, Training(seed=one.seed, figures=one.figures, curve=one.curve, seconds=seconds))
        if not record.replicates:
            seconds = record.figures.get(SECONDS)
            found.setdefault(record.seed, Training(seed=record.seed, figures=record.figures, curve=record.curve, seconds=seconds))
    return [found[seed] for seed in sorted(found)]


def _same(some: Mapping[str, float], others: Mapping[str, float]) -> bool:
    """Whether two trainings ended alike, as far as both tell: test figures are told of finalists only."""
    return all(some[name] == others[name] for name in some.keys() & others.keys())


def _known(records: Sequence[Record]) -> dict[str, float]:
    """What was known before training: what a machine was measured for by its name, unless a table told it; scores as proxies."""
    found: dict[str, float] = {}
    for record in records:
        for name, value in record.figures.items():
            kind = figure_kind(name)
            if name in SCORES:
                found.setdefault(f"proxy:{name}", value)
            elif kind is not None and kind.known == "measured" and ":" not in name and record.device != LOOKED_UP:
                found.setdefault(f"{name}:{record.machine.id}-{record.device.replace(':', '')}", value)
            elif kind is not None and kind.known != "trained":
                found.setdefault(name, value)
    return found


def _results(trainings: Sequence[Training], epochs: int | None, *, several: bool) -> Iterator[tuple[str, float]]:
    """Columns and values of what came of training; `epochs` is of a whole training, None where nobody tells."""
    by_epoch: defaultdict[int | None, dict[str, float]]
    for run, training in enumerate(trainings):
        by_epoch = defaultdict(dict)
        for point in training.curve:
            by_epoch[point.epoch] |= point.told
            if point.seconds is not None:
                by_epoch[point.epoch][SECONDS] = point.seconds
        ends = {name: value for name, value in training.figures.items() if figure_kind(name) is None and name not in SCORES}
        by_epoch[epochs] |= ends | ({SECONDS: training.seconds} if training.seconds is not None else {})
        for epoch, figures in by_epoch.items():
            at = f"@{epoch}" if epoch is not None else ""
            for name, value in figures.items():
                yield f"{name}{at}{f'#{run}' if several else ''}", value
