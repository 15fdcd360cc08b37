"""Leaderboards as one flat table, for CSV, Parquet and DataFrames: what rows share stands in each of them."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nas.ranking.leaderboard import Row, Table, figure_names
from nas.records import figure_kind

if TYPE_CHECKING:
    import pandas as pd


def flat_rows(tables: Sequence[Table]) -> tuple[list[str], list[dict[str, Any]]]:
    """The columns, and each row by them: figures as they were measured, choices as `choice:NAME`; what is absent is None."""
    figures = list(dict.fromkeys(name for table in tables for name in figure_names(table)))
    choices = list(dict.fromkeys(name for table in tables for row in table.rows for name in row.architecture.choices))
    rows = [{**_shared(table), **_own(row, figures, choices)} for table in tables for row in table.rows]
    spreads = list(dict.fromkeys(name for row in rows for name in row if _is_spread(name)))
    return [*SHARED, *OWN, *map(_column, figures), *spreads, *(f"choice:{name}" for name in choices)], rows


SHARED = ("benchmark", "stage", "budget", "recipe", "machine", "device", "threads", "precision", "compile", "processes")
"""Columns of what the rows of one leaderboard have in common."""

OWN = ("rank", "on_front", "knee", "score", "broken_limits", "study", "trial", "architecture", "seeds")
"""Columns of what a row is, before its figures."""


def _column(figure: str) -> str:
    """Of a figure; one that is called as another column is says what it is."""
    return f"figure:{figure}" if figure in {*SHARED, *OWN} or _is_spread(figure) else figure


def _is_spread(name: str) -> bool:
    return name == FIRST or name.startswith(SPREADS)


SPREADS = ("sd:", "low:", "high:")
FIRST = "first"
"""Columns of rows that were trained several times: the standard deviation of a figure, the ends of the 95 % interval of an
objective's mean, and the probability that no other row is better."""


def _shared(table: Table) -> dict[str, Any]:
    use = {name: value for name, value in asdict(table.setting).items() if name != "machine"}
    told = {"benchmark": table.benchmark, "stage": table.stage, "budget": table.budget, "recipe": table.recipe}
    return {**told, "machine": str(table.setting.machine), **use}


def _own(row: Row, figures: Iterable[str], choices: Iterable[str]) -> dict[str, Any]:
    return {
        "rank": row.rank,
        "on_front": row.on_front,
        "knee": row.knee,
        "score": row.score,
        "broken_limits": "; ".join(row.broken),
        "study": row.study,
        "trial": row.number,
        "architecture": row.architecture.id,
        "seeds": len(row.trials),
        **{_column(name): row.figures[name].mean if name in row.figures else None for name in figures},
        **_spread(row),
        **{f"choice:{name}": row.architecture.choices.get(name) for name in choices},
    }


def _spread(row: Row) -> dict[str, float]:
    """How far the figures of several trainings differ, and how sure the row's place is."""
    figures = {name: one.deviation for name, one in row.figures.items() if one.deviation is not None}
    found = {f"sd:{name}": deviation for name, deviation in figures.items() if deviation or figure_kind(name) is None}
    for name, ends in (row.certainty.intervals if row.certainty else {}).items():
        found |= {f"low:{name}": ends.low, f"high:{name}": ends.high}
    return found | ({FIRST: row.certainty.first} if row.certainty else {})


def frame(tables: Sequence[Table]) -> "pd.DataFrame":
    """Leaderboards as a DataFrame; what was not measured is missing, never 0."""
    import pandas as pd  # half a second that a leaderboard does not need

    names, rows = flat_rows(tables)
    return pd.DataFrame(rows, columns=names)
