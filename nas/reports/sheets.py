"""A leaderboard, or a study's trials, as a table for a paper: headings with units, cells of text, the best of each figure marked.

Markdown, LaTeX and a notebook show the same sheet, each in its own signs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nas.benchmark import Objective
from nas.errors import printable
from nas.ranking import Row, Summary, Table
from nas.records import StudyEntry, Trial, figure_kind, usual_direction
from nas.reports.certainty import certainty_words, first_text, rank_text, uncertain
from nas.reports.figures import face
from nas.reports.ordering import apart_words, broken_words, order_notes, score_words
from nas.reports.tables import NOT_MEASURED, cost_known, headline, number, shown_figures, volume_words
from nas.reports.trials import TOLD, objectives_of, remarks, standing


@dataclass(frozen=True, kw_only=True)
class Heading:
    """What stands over a column."""

    text: str
    right: bool = False
    """Whether its cells are numbers, which line up on the right."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell."""

    text: str
    spread: str = ""
    """What follows ± after a number; empty where there is none."""
    best: bool = False
    """Whether no other row has a better figure."""
    code: bool = False
    """Whether it is a name to be copied, such as an architecture's id."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One table of a paper."""

    name: str
    """Of letters, digits, dots and dashes, such as the study's."""
    caption: str
    headings: tuple[Heading, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...]
    """Sentences that say what the signs mean."""


ON_FRONT, KNEE = "◆", "◈"
"""Beside the rank of a row on the Pareto front, and of its knee."""


def leaderboard_sheets(tables: Sequence[Table], *, top: int | None = None, only: Sequence[str] = ()) -> list[Sheet]:
    """`tables` for a paper: the `top` rows of each, or all; the best of each figure is that of all rows within the limits.

    `only` are the figures that are shown beside what decides, if not the usual.
    """
    numbered = any(_apart(table, tables) for table in tables)
    return [_Leaderboard(table, top, only).sheet(tables, n if numbered else None) for n, table in enumerate(tables, start=1)]


class _Leaderboard:
    """One leaderboard."""

    def __init__(self, table: Table, top: int | None, only: Sequence[str]) -> None:
        self.table = table
        self.rows = table.rows[:top]
        self.aims = {objective.figure: objective for objective in table.objectives}
        self.names = shown_figures(table, only)
        self.doubtful = uncertain(table)
        self.judged = any(row.certainty for row in table.rows)
        self.several = len({row.study for row in table.rows}) > 1
        self.search = table.stage == "search"
        self.best = {name: self.best_of(name) for name in self.names}

    def sheet(self, tables: Sequence[Table], number: int | None) -> Sheet:
        """As a sheet, the `number`-th of those that are written together."""
        study = "studies" if self.several else self.table.rows[0].study
        rows = tuple(tuple(self.cells(row)) for row in self.rows)
        return Sheet(
            name=f"{study}-{self.table.stage}",
            caption=headline(self.table) if number is None else f"{number}. {headline(self.table)}",
            headings=tuple(self.headings()),
            rows=rows,
            notes=tuple(self.notes(rows, tables)),
        )

    def headings(self) -> Iterator[Heading]:
        yield Heading(text="#", right=True)
        yield Heading(text="architecture")
        if self.table.scale:
            yield Heading(text="score", right=True)
        for name in self.names:
            yield Heading(text=face(name).label, right=True)
        if self.judged:
            yield Heading(text="P(best)" if len(self.aims) == 1 else "P(on front)", right=True)
        yield Heading(text="trial" if self.search else "seeds", right=True)
        if self.several:
            yield Heading(text="study")
        if any(row.broken for row in self.rows):
            yield Heading(text="outside")

    def cells(self, row: Row) -> Iterator[Cell]:
        sign = f" {KNEE if row.knee else ON_FRONT}" if row.knee or row.on_front else ""
        yield Cell(text=f"{rank_text(row)}{sign}")
        yield Cell(text=row.architecture.id, code=True)
        if self.table.scale:
            yield Cell(text=score_words(row) or NOT_MEASURED)
        for name in self.names:
            yield self.figure(row, name)
        if self.judged:
            yield Cell(text=first_text(row) or NOT_MEASURED)
        yield Cell(text=str(row.number if self.search else len(row.trials)))
        if self.several:
            yield Cell(text=row.study)
        if any(other.broken for other in self.rows):
            yield Cell(text=broken_words(row))

    def figure(self, row: Row, name: str) -> Cell:
        found = row.figures.get(name)
        if found is None:
            return Cell(text=NOT_MEASURED)
        text = _shown(name, found.mean)
        best = row.rank == 1 if self.shares(name) else text == self.best[name]
        return Cell(text=text, spread=self.spread(row, name, found), best=best and not row.broken)

    def shares(self, name: str) -> bool:
        """Whether the first rank is shared by all whose figure cannot be told from the best."""
        return self.judged and len(self.aims) == 1 and name in self.doubtful

    def spread(self, row: Row, name: str, found: Summary) -> str:
        """Half of the interval of an objective, on its longer side, or the deviation of another figure."""
        if name in self.doubtful:
            ends = row.certainty.intervals[name] if row.certainty else None
            return _shown(name, max(found.mean - ends.low, ends.high - found.mean)) if ends else ""
        varies = found.deviation is not None and (found.deviation > 0 or figure_kind(name) is None)
        return _shown(name, found.deviation or 0.0) if varies else ""  # that seeds agree is worth telling

    def best_of(self, name: str) -> str:
        """The best mean as it is shown; empty where it tells nothing, because all rows show it."""
        goal = self.aims.get(name) or Objective(name, usual_direction(name))
        values = [row.figures[name].mean for row in self.table.rows if name in row.figures and not row.broken]
        shown = {_shown(name, value) for value in values}
        return _shown(name, min(values, key=goal.cost)) if len(shown) > 1 else ""

    def notes(self, rows: Sequence[Sequence[Cell]], tables: Sequence[Table]) -> Iterator[str]:
        """What the signs mean, and what should be known of the order."""
        weighed = " and ".join(face(name).words for name in dict.fromkeys([*self.aims, *cost_known(self.table)]))
        yield f"{ON_FRONT} on the Pareto front of {weighed}."
        if self.table.knee:
            yield f"{KNEE} its knee."
        shared = any(self.shares(name) for name in self.names)
        yield "Bold: the best of all rows, or what cannot be told from it." if shared else "Bold: the best of all rows."
        intervals = " and ".join(face(name).words for name in self.doubtful)
        if any(cell.spread for row in rows for cell in row):
            rest = "one standard deviation over the trainings"
            yield f"± of {intervals}: 95 % interval of the mean over all seeds; else {rest}." if intervals else f"± {rest}."
        if sure := certainty_words(self.table):
            yield sure
        yield from order_notes(self.table)
        if self.table.hypervolume:
            yield volume_words(self.table)
        if rest_of := len(self.table.rows) - len(self.rows):
            yield f"{rest_of:,} more row{'s are' if rest_of > 1 else ' is'} left out."
        if apart := _apart(self.table, tables):
            yield apart


def _apart(table: Table, tables: Sequence[Table]) -> str:
    """Why its rows are not ranked with another's; empty where that is not among `tables`."""
    return apart_words(table, tables) if table.apart and table.apart.table < len(tables) else ""


def _shown(name: str, value: float) -> str:
    told = face(name)
    return number(value / told.scale, told.digits)


def trials_sheet(trials: Sequence[Trial], entry: StudyEntry) -> Sheet:
    """The trials of a study for a paper, in the order that they are given in."""
    aims = [objective.figure for objective in objectives_of(entry)]
    known = {name for trial in trials if trial.record for name in trial.record.figures}
    names = [name for name in dict.fromkeys((*aims, *TOLD)) if name in known]
    several = len({trial.stage for trial in trials}) > 1
    words = remarks(trials)
    headings = [
        *([Heading(text="stage")] if several else []),
        Heading(text="#", right=True),
        Heading(text="state"),
        Heading(text="architecture"),
        *(Heading(text=face(name).label, right=True) for name in names),
        *([Heading(text="remark")] if any(words) else []),
    ]
    rows = [
        (
            *([Cell(text=trial.stage)] if several else []),
            Cell(text=str(trial.number)),
            Cell(text=standing(trial)),
            Cell(text=trial.architecture.id, code=True),
            *(_figure(trial, name) for name in names),
            *([Cell(text=printable(words[n]))] if any(words) else []),
        )
        for n, trial in enumerate(trials)
    ]
    benchmark = entry.definition["benchmark"]
    caption = f"Trials of {entry.name}: {entry.definition['space']['name']} on {benchmark['name']} v{benchmark['version']}"
    return Sheet(name=f"{entry.name}-trials", caption=caption, headings=tuple(headings), rows=tuple(rows), notes=())


def _figure(trial: Trial, name: str) -> Cell:
    figures = trial.record.figures if trial.record else {}
    return Cell(text=_shown(name, figures[name]) if name in figures else NOT_MEASURED)
