"""Plots as plain data: page.js draws them, so that a thousand points cost little and each can be asked what it is."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas.benchmark import Objective
from nas.ranking import Row, Table, pareto_front
from nas.records import Trial
from nas.reports.board import row_key
from nas.reports.figures import face
from nas.reports.outcome import evaluated, words
from nas.reports.tables import title

PLAIN, FRONT, PRUNED = range(3)
"""How a point is marked, as page.js knows it."""

LOG_FROM = 10
"""An axis is logarithmic where its largest value is at least so many times its least."""


@dataclass(frozen=True)
class Point:
    """One architecture."""

    x: float
    y: float
    kind: int
    row: str
    """Names the row of a table within the page that tells more."""
    ends: tuple[float, ...] = ()
    """Of the interval that x lies in, where it is known."""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One plot, in the units of the figures' titles."""

    key: str
    title: str
    caption: str
    x: str
    y: str
    """What the axes show."""
    log: bool = False
    """Whether the x axis is logarithmic."""
    whole: bool = False
    """Whether x counts something."""
    up_to_next: bool = True
    """Whether a point of the front attains its height from its place to the next, or back to the one before."""
    points: tuple[Point, ...]

    def data(self) -> dict[str, Any]:
        """What page.js reads; few letters a point, since there may be thousands."""
        return {
            "x": {"title": self.x, "log": self.log, "whole": self.whole},
            "y": {"title": self.y},
            "points": [[_short(p.x), _short(p.y), p.kind, p.row, *map(_short, p.ends)] for p in self.points],
            "upToNext": self.up_to_next,
        }


def table_plots(table: Table, key: str) -> Iterator[Plot]:
    """The first objective against the second, FLOPs and latency, where they are known; `key` names the table."""
    first = table.objectives[0]
    others = [*table.objectives[1:2], Objective("flops", "minimize"), Objective("latency_ms", "minimize")]
    drawn = {first.figure}
    for other in others:
        if other.figure not in drawn and any(other.figure in row.figures for row in table.rows):
            drawn.add(other.figure)
            yield _trade_off(table, key, f"{key}p{len(drawn)}", other, first)


def progress_plot(trials: Sequence[Trial], tables: Sequence[tuple[str, Table]], key: str) -> Plot | None:
    """The first objective along the search, with the best so far; None where no trial is complete."""
    if not tables:
        return None
    objective = tables[0][1].objectives[0]
    keys = {trial.id: row_key(name, n) for name, table in tables for n, row in enumerate(table.rows) for trial in row.trials}
    points = _along(trials, objective, keys)
    if all(point.kind != FRONT for point in points):
        return None
    pruned = " × was stopped by the pruner." if any(point.kind == PRUNED for point in points) else ""
    return Plot(
        key=key,
        title=f"Progress of {words(objective.figure)}",
        caption=f"Each point is an architecture, in search order; ◆ was the best so far.{pruned}",
        x="evaluated architectures",
        y=title(objective.figure),
        whole=True,
        points=tuple(points),
    )


def _along(trials: Sequence[Trial], objective: Objective, keys: Mapping[int, str]) -> list[Point]:
    """A point for each evaluated trial that has the objective's figure, in the order of the search."""
    points: list[Point] = []
    least = math.inf
    for number, trial in enumerate(evaluated(trials), start=1):
        value = trial.record.figures.get(objective.figure) if trial.record else None
        if value is None or trial.state == "failed":
            continue
        better = trial.state == "complete" and objective.cost(value) < least
        least = objective.cost(value) if better else least
        kind = PRUNED if trial.state == "pruned" else FRONT if better else PLAIN
        points.append(Point(number, _scaled(objective.figure, value), kind, keys.get(trial.id, trial_key(trial))))
    return points


def trial_key(trial: Trial) -> str:
    """Names a trial that has no row on a leaderboard within the page."""
    return f"t{trial.number}"


def _trade_off(table: Table, table_key: str, key: str, across: Objective, up: Objective) -> Plot:
    rows = [(n, row) for n, row in enumerate(table.rows) if across.figure in row.figures]
    places = [
        (_scaled(across.figure, row.figures[across.figure].mean), _scaled(up.figure, row.figures[up.figure].mean))
        for _, row in rows
    ]
    front = pareto_front([(across.cost(x), up.cost(y)) for x, y in places])
    points = tuple(
        Point(x, y, FRONT if best else PLAIN, row_key(table_key, n), _ends(row, across))
        for (n, row), (x, y), best in zip(rows, places, front, strict=True)
    )
    bars = " Bars are 95 % intervals of the median." if any(point.ends for point in points) else ""
    return Plot(
        key=key,
        title=_sentence(f"{words(up.figure)} against {words(across.figure)}"),
        caption=f"◆ on the front of these two figures.{bars}",
        x=title(across.figure),
        y=title(up.figure),
        log=_is_wide([x for x, _ in places], always=across.figure == "flops"),
        points=points,
        up_to_next=across.direction == "minimize",
    )


def _is_wide(values: Sequence[float], *, always: bool) -> bool:
    """Whether `values` want a logarithmic axis; never with 0 among them."""
    least, most = min(values), max(values)
    return least > 0 and (always or most >= LOG_FROM * least)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _ends(row: Row, across: Objective) -> tuple[float, ...]:
    """The interval of a single training's latency."""
    record = row.trials[0].record if len(row.trials) == 1 else None
    if across.figure != "latency_ms" or record is None or record.latency is None:
        return ()
    return (record.latency.low_ms, record.latency.high_ms)


def _scaled(figure: str, value: float) -> float:
    """`value` in the unit of `title(figure)`."""
    return value / face(figure).scale


def _short(value: float) -> float:
    """Five digits, which is more than a plot can show."""
    short = float(f"{value:.5g}")
    return int(short) if short.is_integer() else short
