"""Leaderboards as text, CSV and JSON."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from nas.errors import RankingError, did_you_mean, printable, quote
from nas.measures import is_detail
from nas.ranking import Row, Summary, Table, figure_names, flat_rows
from nas.ranking.conditions import STAGES
from nas.records import LOOKED_UP
from nas.reports.certainty import certainty_data, certainty_words, first_text, interval_text, rank_text, uncertain
from nas.reports.figures import face
from nas.reports.fitting import Column, Leaves, fit
from nas.reports.ordering import apart_words, order_data, order_notes, outside_words, score_words
from nas.reports.schema import LEADERBOARD

LEFT_OUT = {"macs", "size_bytes", "activation_bytes", "validation_loss", "test_loss"}
"""Figures that the text table leaves to CSV and JSON, so that it fits a terminal."""


def is_left_out(figure: str) -> bool:
    """Whether a table for a terminal or a paper leaves the figure to CSV and JSON."""
    return figure in LEFT_OUT or is_detail(figure)


NOT_MEASURED = "–"

HUGE = 1e12
"""From so much on people read powers of ten."""


def headline(table: Table) -> str:
    """What the rows of `table` have in common, in one line."""
    changed = [table.recipe] if table.recipe else []
    return " · ".join(
        [table.benchmark, STAGES[table.stage], table.budget, *changed, table.setting.use, str(table.setting.machine)]
    )


def title(name: str) -> str:
    """What a column of the figure `name` is called."""
    return face(name).title


def show(name: str, summary: Summary | None) -> str:
    """The figure for people: in the unit of its column's title, with its deviation where trainings differ."""
    if summary is None:
        return NOT_MEASURED
    told = face(name)
    mean = summary.mean / told.scale
    text = number(mean, told.digits) if not _vanishes(mean, told.digits) else f"{mean:.1g}"
    return text if not summary.deviation else f"{text} ± {number(summary.deviation / told.scale, told.digits)}"


def _vanishes(value: float, digits: int) -> bool:
    """Whether it would read 0, which it is not: the MFLOPs of a network that takes products of some vectors alone."""
    return 0 < abs(value) < 0.5 * 10.0**-digits


def number(value: float, digits: int) -> str:
    """With so many digits after the point; one that has far too many before it, such as the loss of what diverged, with four."""
    return f"{value:,.{digits}f}" if abs(value) < HUGE else f"{value:.3e}"


def shown_figures(table: Table, only: Sequence[str] = ()) -> list[str]:
    """The figures that people are shown of a table: what decides, then those of `only`; without these the usual, in order."""
    aims = {objective.figure for objective in table.objectives} | {limit.figure for limit in table.limits}
    known = figure_names(table)
    if only:
        return list(dict.fromkeys([*(name for name in known if name in aims), *(name for name in only if name in known)]))
    return [name for name in known if name in aims or not is_left_out(name)]


def check_shown(tables: Sequence[Table], only: Sequence[str]) -> None:
    """Refuse a figure that no table has.

    Raises:
        RankingError: names it.
    """
    known = {name for table in tables for name in figure_names(table)}
    if unknown := next((name for name in only if name not in known), None):
        raise RankingError(f"No row has the figure {quote(unknown)}. {did_you_mean(unknown, known)}")


def print_tables(
    tables: Sequence[Table],
    console: Console,
    *,
    top: int | None = None,
    command: str = "",
    only: Sequence[str] = (),
) -> None:
    """Print leaderboards for people; `top` rows of each, or all, and the columns that there is room for.

    `command` prints what is left out, where this is not `nas rank` itself, which has options for that; `only` are the figures
    that are shown beside what decides, if not the usual.
    """
    more, every = (f"`{command}`", f"`{command} --json`") if command else ("--top", "--json")
    several = len({row.study for table in tables for row in table.rows}) > 1
    numbered = any(table.apart and apart_words(table, tables) for table in tables)
    for table in tables:
        aims = {objective.figure for objective in table.objectives} | {limit.figure for limit in table.limits}
        names = shown_figures(table, only)
        names.sort(key=lambda name: name not in aims)
        rows = table.rows[:top]
        deciding = sum(name in aims for name in names)
        columns = _columns(table, rows, names, deciding, several=several)
        grid, left_out = fit(columns, ["bold" if row.rank == 1 else "" for row in rows], console.width)
        apart = [apart_words(table, tables)] if table.apart else []
        place = f"{tables.index(table) + 1}. " if numbered else ""
        console.print(Text(printable(place + headline(table)), style="bold"))
        console.print(grid)
        rest = len(table.rows) - len(rows)
        notes = [f"{rest:,} more row{'s' * (rest != 1)}; {more} shows them."] if rest else []
        disturbed = any(map(_disturbed, rows)) and title("latency_ms") not in left_out
        notes += ["≈ measured while other work went on; see its interval."] if disturbed else []
        notes += [f"No room for {', '.join(left_out)}; a wider window or {every} has all."] if left_out else []
        weighed = " and ".join([", ".join(objective.figure for objective in table.objectives), *cost_known(table)])
        knee = ["◈ its knee."] if any(row.knee for row in rows) else []
        front = [f"◆ on the Pareto front of {weighed}.", *knee]
        volume = [volume_words(table)] if table.hypervolume else []
        if sure := certainty_words(table):
            console.print(Text(sure))
        words = [*front, *order_notes(table), *volume, *notes, *apart]
        console.print(Text(printable(" ".join(words)) + "\n", style="dim"))


def volume_words(table: Table) -> str:
    """The hypervolume in a sentence; empty where there is none."""
    if table.hypervolume is None:
        return ""
    found, names = table.hypervolume, [objective.figure for objective in table.objectives]
    reference = ", ".join(f"{name} {found.reference[name]:.4g}" for name in names)
    return f"Hypervolume of {', '.join(names)}: {found.value:.4g}, {found.share:.1%} of the box up to {reference}."


def cost_known(table: Table) -> list[str]:
    """The figure that decides with the objectives who is on the front; none where figures are looked up and nobody told it."""
    if table.cost is None or (table.setting.device == LOOKED_UP and not any(table.cost in row.figures for row in table.rows)):
        return []
    return [table.cost]


def _columns(table: Table, rows: Sequence[Row], names: Sequence[str], deciding: int, *, several: bool) -> list[Column]:
    """The columns of `rows`, of which the first is always among the figures called `names`; so many of these decide."""
    search = table.stage == "search"
    known = Leaves.LAST if search else Leaves.NEVER  # a trial of the search is named by its number too
    found = [
        Column(title="#", cells=[*map(rank_text, rows)]),
        Column(title="", cells=["◈" if row.knee else "◆" if row.on_front else " " for row in rows], right=False),
        Column(title="architecture", cells=[row.architecture.id for row in rows], right=False, leaves=known),
    ]
    if table.scale:
        found.append(Column(title="score", cells=[*map(score_words, rows)], leaves=Leaves.LAST))
    doubtful = uncertain(table)
    for place, name in enumerate(names):
        found.append(
            Column(
                title=title(name),
                cells=["≈ " * (name == "latency_ms" and _disturbed(row)) + show(name, row.figures.get(name)) for row in rows],
                interval=[interval_text(row, name) for row in rows] if name in doubtful else (),
                leaves=Leaves.NEVER if not place else Leaves.LATE if place < deciding else Leaves.FIRST,
            )
        )
    if any(row.certainty for row in table.rows):
        best = "best" if len(table.objectives) == 1 else "on front"
        found.append(Column(title=best, cells=[*map(first_text, rows)], leaves=Leaves.EARLY))
    if search:
        found.append(Column(title="trial", cells=[str(row.number) for row in rows]))
    else:
        found.append(Column(title="seeds", cells=[str(len(row.trials)) for row in rows], leaves=Leaves.EARLY))
    if several:
        found.append(Column(title="study", cells=[row.study for row in rows], right=False, wraps=True, leaves=Leaves.LAST))
    if any(row.broken for row in rows):
        outside = [outside_words(row) if row.broken else "" for row in rows]
        found.append(Column(title="outside", cells=outside, right=False, wraps=True, leaves=Leaves.LAST))
    return found


def _disturbed(row: Row) -> bool:
    """Whether other work went on as its latency was measured."""
    return any(trial.record.latency.disturbed for trial in row.trials if trial.record and trial.record.latency)


def tables_data(tables: Sequence[Table], top: int | None = None) -> list[dict[str, Any]]:
    """Leaderboards as plain data, ready for JSON; the `top` rows of each, or all. What is said of the first is said among all."""
    return [
        {
            "schema": LEADERBOARD,
            "benchmark": table.benchmark,
            "stage": table.stage,
            "budget": table.budget,
            "recipe": table.recipe,
            **asdict(table.setting),
            "machine": asdict(table.setting.machine) | {"id": table.setting.machine.id},
            "objectives": [asdict(objective) for objective in table.objectives],
            "cost": table.cost,
            **order_data(table),
            "hypervolume": asdict(table.hypervolume) if table.hypervolume else None,
            "certainty": certainty_words(table) or None,
            "rows": [_row_data(row) for row in table.rows[:top]],
        }
        for table in tables
    ]


def finite(data: Any) -> Any:
    """Plain data with None for numbers that JSON does not have: infinities, and what is no number."""
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, Mapping):
        return {key: finite(value) for key, value in data.items()}
    return [*map(finite, data)] if isinstance(data, list | tuple) else data


def to_json(data: Any) -> str:
    """`data` as JSON that every reader takes, a row on a line: so ten thousand are written at once, and can be read."""
    return _spread(data, "") + "\n"


def _spread(data: Any, margin: str) -> str:
    """Lists of objects with a line for each, and what holds such lists with a line for each field; the rest on one line."""
    inner = f"{margin} "
    if _is_list_of_objects(data):
        return "[\n" + ",\n".join(f"{inner}{_spread(item, inner)}" for item in data) + f"\n{margin}]"
    if isinstance(data, dict) and any(map(_is_list_of_objects, data.values())):
        fields = (f"{inner}{json.dumps(key)}: {_spread(value, inner)}" for key, value in data.items())
        return "{\n" + ",\n".join(fields) + f"\n{margin}}}"
    try:
        return json.dumps(data, allow_nan=False)
    except ValueError:
        return json.dumps(finite(data), allow_nan=False)


def _is_list_of_objects(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], dict)


def _row_data(row: Row) -> dict[str, Any]:
    return {
        "rank": row.rank,
        "on_front": row.on_front,
        "knee": row.knee,
        "score": row.score,
        "broken_limits": list(row.broken),
        "study": row.study,
        "trial": row.number,
        "architecture": row.architecture.id,
        "figures": {
            name: {"mean": summary.mean, "deviation": summary.deviation, "count": summary.count}  # there may be 100,000
            for name, summary in row.figures.items()
        },
        "certainty": certainty_data(row),
        "choices": dict(row.architecture.choices),
        "seeds": [trial.record.seed for trial in row.trials if trial.record is not None],
        "commits": sorted({trial.record.commit or "" for trial in row.trials if trial.record is not None}),
    }


def tables_csv(tables: Sequence[Table]) -> str:
    """Leaderboards as one CSV: a row each, figures as they were measured, choices as `choice:NAME`."""
    names, rows = flat_rows(tables)
    return to_csv(names, [{**row, "on_front": int(row["on_front"]), "knee": int(row["knee"])} for row in rows])


def to_csv(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """`rows` in the columns `names`, none of them a formula."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([neutral(name) for name in names])
    writer.writerows([neutral(row.get(name)) for name in names] for row in rows)
    return stream.getvalue()


def neutral(cell: object) -> object:
    """`cell` without carriage returns, and with an apostrophe before it where a spreadsheet would take the text for a formula."""
    if not isinstance(cell, str):
        return cell
    line = cell.replace("\r", " ")  # which csv would write outside of quotes
    return f"'{line}" if line.lstrip()[:1] in {"=", "+", "-", "@"} or line[:1] == "\t" else line
