"""A leaderboard as the page shows it: columns, cells of text, and what opens under a row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nas.benchmark import Objective
from nas.measures import is_detail
from nas.ranking import Row, Summary, Table, figure_names
from nas.records import Latency, Trial, figure_kind, usual_direction
from nas.reports.certainty import certainty_words, first_text, interval_text, rank_text, uncertain
from nas.reports.curves import Curve, figure_span, sparkline
from nas.reports.ordering import apart_words, broken_words, order_notes
from nas.reports.outcome import words
from nas.reports.tables import cost_known, headline, show, title, volume_words
from nas.space import Value

SHOWN = 100
"""Rows of a board that stand in the page as a table; page.js has them all."""

DETAILED = 20
"""Of these, rows that open."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One figure."""

    figure: str
    title: str
    descending: bool
    """Whether people want the largest first."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One figure of one row."""

    text: str
    interval: str = ""
    """The 95 % interval of a latency, or of an objective over seeds."""


@dataclass(frozen=True, kw_only=True)
class Details:
    """What opens under a row."""

    choices: str
    """`name: value`, one a line."""
    curves: tuple[Curve, ...]
    trainings: tuple[tuple[str, tuple[Cell, ...]], ...]
    """Seed and figures of each training, where there are several."""
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row."""

    rank: str
    """With = where others cannot be told apart from it."""
    sign: str
    """◆ on the front, ◈ at its knee."""
    id: str
    cells: tuple[Cell, ...]
    first: str
    """How probable it is that the row is the best; empty where nothing tells."""
    last: str
    """The trial's number, or how many trainings stand behind the row."""
    details: Details | None


@dataclass(frozen=True, kw_only=True)
class Board:
    """One table of rows that can be compared."""

    key: str
    headline: str
    stage: str
    columns: tuple[Column, ...]
    last: str
    """Title of the last column."""
    front: str
    """The figures that decide who is on the front."""
    knee: bool
    """Whether the front has one."""
    judged: bool
    """Whether its rows tell how probable it is that they are the best."""
    sure: str
    """How sure the order is, in a sentence; empty where nothing tells."""
    notes: tuple[str, ...]
    """What a reader should know of the order, a sentence each."""
    lines: tuple[Line, ...]
    left_out: int
    """How many rows there are beyond these lines."""


def board(tables: Sequence[Table], place: int, curve: Objective | None) -> Board:
    """The table in that place for the page; `curve` is the objective that learning curves show."""
    table = tables[place]
    shown = [name for name in figure_names(table) if not _aside(name, table)]
    columns = tuple(Column(figure=name, title=title(name), descending=_larger_first(name, table)) for name in shown)
    writer = _Writer(table, shown, curve)
    search = table.stage == "search"
    decides = dict.fromkeys([*(goal.figure for goal in table.objectives), *cost_known(table)])
    return Board(
        key=f"b{place}",
        headline=headline(table),
        stage=table.stage,
        columns=columns,
        last="trial" if search else "seeds",
        front=" and ".join(words(name) for name in decides),
        knee=table.knee is not None,
        judged=any(row.certainty for row in table.rows),
        sure=certainty_words(table),
        notes=tuple(note for note in (*order_notes(table), volume_words(table), apart_words(table, tables)) if note),
        lines=tuple(
            Line(
                rank=rank_text(row),
                sign="◈" if row.knee else "◆" if row.on_front else "",
                id=row.architecture.id,
                cells=writer.cells(row),
                first=first_text(row),
                last=str(row.number if search else len(row.trials)),
                details=writer.details(row) if n < DETAILED else None,
            )
            for n, row in enumerate(table.rows[:SHOWN])
        ),
        left_out=max(0, len(table.rows) - SHOWN),
    )


def choices_text(choices: Mapping[str, Value]) -> str:
    """One choice a line, as in YAML."""
    return "\n".join(f"{name}: {_plain(value)}" for name, value in choices.items())


class _Writer:
    """Writes the rows of one table."""

    def __init__(self, table: Table, shown: Sequence[str], curve: Objective | None) -> None:
        self.shown = shown
        self.doubtful = uncertain(table)
        self.single = len(table.objectives) == 1
        self.aside = [name for name in figure_names(table) if name not in shown]
        self.curve = curve
        self.span = figure_span((trial for row in table.rows for trial in row.trials), curve.figure) if curve else (0.0, 1.0)

    def cells(self, row: Row) -> tuple[Cell, ...]:
        """The figures of `row`; a single training's latency with its interval, and an objective with that over seeds."""
        record = row.trials[0].record if len(row.trials) == 1 else None
        cells = (_cell(name, row.figures.get(name), record.latency if record else None) for name in self.shown)
        return tuple(
            replace(cell, interval=interval_text(row, name)) if name in self.doubtful else cell
            for name, cell in zip(self.shown, cells, strict=True)
        )

    def details(self, row: Row) -> Details:
        return Details(
            choices=choices_text(row.architecture.choices),
            curves=tuple(self.curves(row)),
            trainings=tuple(self.training(trial) for trial in row.trials) if len(row.trials) > 1 else (),
            facts=tuple(self.facts(row)),
        )

    def curves(self, row: Row) -> Iterator[Curve]:
        if self.curve is None:
            return
        for trial in row.trials:
            seed = f", seed {trial.record.seed}" if trial.record and len(row.trials) > 1 else ""
            found = sparkline(trial, self.curve.figure, self.span, words(self.curve.figure) + seed)
            if found:
                yield found

    def training(self, trial: Trial) -> tuple[str, tuple[Cell, ...]]:
        assert trial.record is not None  # noqa: S101 - only complete trials are ranked
        figures = {name: Summary(mean=value, deviation=None, count=1) for name, value in trial.record.figures.items()}
        return str(trial.record.seed), tuple(_cell(name, figures.get(name), trial.record.latency) for name in self.shown)

    def facts(self, row: Row) -> Iterator[tuple[str, str]]:
        """What is known beside choices and columns."""
        records = [trial.record for trial in row.trials if trial.record is not None]
        if row.certainty is not None and self.single:
            best, worst = row.certainty.places
            yield "true place", f"{best} to {worst}, with 95 % for all rows together" if best < worst else f"{best}"
        if row.broken:
            yield "outside", broken_words(row)
        for name in self.aside:
            yield title(name), show(name, row.figures.get(name))
        uncounted = {name: count for record in records for name, count in (record.uncounted or {}).items()}
        if uncounted:
            yield "operators without a FLOP count", ", ".join(f"{name} ×{count}" for name, count in uncounted.items())
        for note in dict.fromkeys(note for record in records for note in record.notes):
            yield "note", note


def _cell(name: str, summary: Summary | None, latency: Latency | None) -> Cell:
    interval = f"{latency.low_ms:.3f}–{latency.high_ms:.3f}" if name == "latency_ms" and latency and summary else ""
    agree = figure_kind(name) is None and summary and summary.deviation == 0
    agreed = " ± 0" if agree else ""  # worth telling of seeds
    return Cell(text=show(name, summary) + agreed, interval=interval)


def _aside(name: str, table: Table) -> bool:
    """Whether the figure stands under the row: it says again, or less plainly, what a column or another table says."""
    again = name in {"macs", "size_bytes", "activation_bytes"} or name.endswith("_loss") or is_detail(name)
    return again and all(objective.figure != name for objective in table.objectives)


def _larger_first(name: str, table: Table) -> bool:
    directions = {objective.figure: objective.direction for objective in table.objectives}
    return directions.get(name, usual_direction(name)) == "maximize"


def _plain(value: Value) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return value if isinstance(value, str) and value.isprintable() else repr(value)
