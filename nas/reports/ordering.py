"""How a leaderboard's rows came into their order, in words and as plain data."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from nas.benchmark import Objective
from nas.ranking import Row, Table

_BETTER = {"maximize": "↑", "minimize": "↓"}

_NORMS = {
    "weighted": "the weighted sum of distances from the best of each",
    "chebyshev": "the augmented Chebyshev distance from the best of each",
}


def order_words(table: Table) -> str:
    """What the rows are ordered by, in a sentence; empty where that is one objective."""
    if len(table.objectives) == 1 and table.order.name != "lexicographic":
        return ""
    named = [f"{objective.figure} {_BETTER[objective.direction]}" for objective in table.objectives]
    if table.order.name == "pareto":
        return f"Ordered front by front, then by {', '.join(named)}."
    if table.order.name == "lexicographic":
        return f"Ordered by {', then '.join(_turns(table))}."
    return f"Ordered by {_NORMS[table.order.name]}, in shares of the front's range: {', '.join(_weights(table, named))}."


def _turns(table: Table) -> Iterator[str]:
    objectives = {objective.figure: objective for objective in table.objectives}
    named = {priority.figure: priority.tolerance for priority in table.order.priorities}
    for figure in dict.fromkeys((*named, *objectives)):
        tolerance = f" within {named[figure]:g}" if named.get(figure) else ""
        yield f"{figure} {_BETTER[objectives[figure].direction]}{tolerance}"


def _weights(table: Table, named: Sequence[str]) -> Iterator[str]:
    for objective, words in zip(table.objectives, named, strict=True):
        best, worst = table.scale[objective.figure] if table.scale else (0.0, 0.0)
        yield f"{words} ×{table.order.weights.get(objective.figure, 1):g} ({best:.4g} to {worst:.4g})"


def order_notes(table: Table) -> list[str]:
    """What a reader should know of the order, a sentence each."""
    notes = [words] if (words := order_words(table)) else []
    if table.limits:
        outside = sum(bool(row.broken) for row in table.rows)
        some = (
            f"the {outside:,} outside of them stand"
            if outside > 1
            else "the one outside stands"
            if outside
            else "none lies outside"
        )
        below = " below, the furthest last" if outside else ""
        notes.append(f"Limits: {', '.join(map(str, table.limits))}; {some}{below}.")
    if table.left_out:
        several = table.left_out > 1
        notes.append(
            f"{table.left_out:,} complete trial{'s' * several} of the same kind ha{'ve' if several else 's'} no place: "
            "an objective was not measured."
        )
    return notes


def apart_words(table: Table, tables: Sequence[Table]) -> str:
    """Why the rows stand apart from those of the largest table of their stage; empty for that."""
    if table.apart is None or tables[table.apart.table].stage != table.stage:
        return ""
    rows = len(tables[table.apart.table].rows)
    return (
        f"Not ranked with the {rows:,} row{'s' * (rows != 1)} of table {table.apart.table + 1}: "
        f"{'; '.join(map(str, table.apart.differences))}."
    )


def broken_words(row: Row) -> str:
    """The limits that a row lies outside of."""
    return "; ".join(row.broken)


def outside_words(row: Row) -> str:
    """The figures for which a row lies outside of a limit; they stand in columns of their own, and the limits below."""
    return ", ".join(dict.fromkeys(words.partition(" ")[0] for words in row.broken))


def score_words(row: Row) -> str:
    """The score of a scalarisation."""
    return "" if row.score is None else f"{row.score:.4f}"


def order_data(table: Table) -> dict[str, Any]:
    """As plain data: what the rows are ordered by and within which limits, what has no place, and what stands apart and why."""
    return {
        "order": {
            "name": table.order.name,
            "weights": _told_weights(table.objectives, table),
            "priorities": [asdict(priority) for priority in table.order.priorities],
            "scale": {figure: list(ends) for figure, ends in table.scale.items()} if table.scale else None,
        },
        "limits": [str(limit) for limit in table.limits],
        "left_out": table.left_out,
        "apart": asdict(table.apart) if table.apart else None,
    }


def _told_weights(objectives: Sequence[Objective], table: Table) -> dict[str, float] | None:
    """All weights, also those that were not named."""
    if table.scale is None:
        return None
    return {objective.figure: float(table.order.weights.get(objective.figure, 1.0)) for objective in objectives}
