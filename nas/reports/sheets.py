"""A leaderboard, or a study's trials, as a table for a paper: headings with units, cells of text, the best of each figure marked.

Markdown, LaTeX and a notebook show the same sheet, each in its own signs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nas.benchmark import Objective
from nas.errors import printable
from nas.ranking import Row, Summary, Table, figure_names
from nas.records import StudyEntry, Trial, figure_kind, usual_direction
from nas.reports.figures import face
from nas.reports.tables import LEFT_OUT, NOT_MEASURED, cost_known, headline, number, volume_words
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


ON_FRONT = "◆"
"""Beside the rank of a row on the Pareto front."""


def leaderboard_sheet(table: Table, *, top: int | None = None) -> Sheet:
    """`table` for a paper: its `top` rows, or all; the best of each figure is that of all rows."""
    several = len({row.study for row in table.rows}) > 1
    aims = {objective.figure: objective for objective in table.objectives}
    names = [name for name in figure_names(table) if name in aims or name not in LEFT_OUT]
    best = {name: _best(table, aims.get(name) or Objective(name, usual_direction(name))) for name in names}
    search = table.stage == "search"
    headings = [
        Heading(text="#", right=True),
        Heading(text="architecture"),
        *(Heading(text=face(name).label, right=True) for name in names),
        Heading(text="trial" if search else "seeds", right=True),
        *([Heading(text="study")] if several else []),
    ]
    shown = table.rows[:top]
    rows = [
        (
            Cell(text=f"{row.rank}{f' {ON_FRONT}' if row.on_front else ''}"),
            Cell(text=row.architecture.id, code=True),
            *(_cell(row, name, best[name]) for name in names),
            Cell(text=str(row.number if search else len(row.trials))),
            *([Cell(text=row.study)] if several else []),
        )
        for row in shown
    ]
    weighed = " and ".join(face(name).words for name in dict.fromkeys([*aims, *cost_known(table)]))
    rest = len(table.rows) - len(shown)
    notes = [f"{ON_FRONT} on the Pareto front of {weighed}.", "Bold: the best of all rows."]
    notes += ["± one standard deviation over the trainings."] if any(cell.spread for row in rows for cell in row) else []
    notes += [volume_words(table)] if table.hypervolume else []
    notes += [f"{rest:,} more rows are left out."] if rest else []
    study = table.rows[0].study if not several else "studies"
    return Sheet(
        name=f"{study}-{table.stage}", caption=headline(table), headings=tuple(headings), rows=tuple(rows), notes=tuple(notes)
    )


def _shown(name: str, value: float) -> str:
    told = face(name)
    return number(value / told.scale, told.digits)


def _best(table: Table, goal: Objective) -> str:
    """The best mean as it is shown; empty where it tells nothing, because all rows show it."""
    values = [row.figures[goal.figure].mean for row in table.rows if goal.figure in row.figures]
    shown = {_shown(goal.figure, value) for value in values}
    return _shown(goal.figure, min(values, key=goal.cost)) if len(shown) > 1 else ""


def _cell(row: Row, name: str, best: str) -> Cell:
    found: Summary | None = row.figures.get(name)
    if found is None:
        return Cell(text=NOT_MEASURED)
    text = _shown(name, found.mean)
    varies = found.deviation is not None and (
        found.deviation > 0 or figure_kind(name) is None
    )  # that seeds agree is worth telling
    return Cell(text=text, spread=_shown(name, found.deviation or 0.0) if varies else "", best=text == best)


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
