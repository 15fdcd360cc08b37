"""The first objective against what it costs: the search and its front, limits, and the finalists with their spread."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from nas.benchmark import Objective
from nas.errors import ReportError
from nas.ranking import Row, Table, pareto_front
from nas.records import usual_direction
from nas.reports.figures import face
from nas.reports.pictures.style import BLUE, INK, ORANGE, Picture, dress, label, legend, plain, read_whole, wide
from nas.reports.pictures.view import View

MOST_PANELS = 3

MOST_INTERVALS = 200
"""Rows whose intervals are all drawn; of more, those on the front have theirs."""

LOG_FROM = 10
"""An axis is logarithmic where its largest value is at least so many times its least."""

USUAL = ("flops", "latency_ms", "params")
"""What the objective is drawn against where no other objective and no limit says it."""


def pareto(view: View) -> Picture:
    """A panel for each figure that the first objective is weighed against: other objectives, what is limited, the usual costs.

    Raises:
        ReportError: no trial is complete, or none has another figure than the objective.
    """
    board = view.board
    first = board.objectives[0]
    known = {name for row in board.rows for name in row.figures}
    limited = [limit.figure for limit in view.limits]
    wanted = dict.fromkeys([*(goal.figure for goal in board.objectives[1:]), *limited, *USUAL])
    against = [name for name in wanted if name in known and name != first.figure][:MOST_PANELS]
    if not against:
        raise ReportError("no trial has a figure beside its objective")
    picture = wide(7.2 if len(against) > 1 else 4.2, 3.0 if len(against) > 1 else 3.2)
    panels = picture.subplots(1, len(against), sharey=True, squeeze=False)[0]
    directions = {goal.figure: goal.direction for goal in board.objectives}
    for axes, name in zip(panels, against, strict=True):
        _panel(axes, view, board, Objective(name, directions.get(name, usual_direction(name))), first)
        dress(axes, label(name), label(first.figure) if axes is panels[0] else "")
    legend(picture, panels)
    return picture


def _panel(axes: Axes, view: View, board: Table, across: Objective, up: Objective) -> None:
    rows = [row for row in board.rows if across.figure in row.figures]
    points = [(_scaled(row, across.figure), _scaled(row, up.figure)) for row in rows]
    front = pareto_front([(across.cost(x), up.cost(y)) for x, y in points])
    others = [point for point, best in zip(points, front, strict=True) if not best]
    best = sorted(point for point, best in zip(points, front, strict=True) if best)
    axes.scatter(*_columns(others), s=14, color=BLUE, alpha=0.55, linewidth=0, label="search", zorder=2)
    axes.step(
        *_columns(best),
        where="post" if across.direction == "minimize" else "pre",
        color=ORANGE,
        linewidth=1.2,
        alpha=0.8,
        zorder=1,
    )
    axes.scatter(*_columns(best), s=26, marker="D", color=ORANGE, edgecolor="white", linewidth=0.5, label="front", zorder=3)
    for row, (_, y), stands in zip(rows, points, front, strict=True):
        ends = _interval(row, across.figure)
        if ends and (stands or len(rows) <= MOST_INTERVALS):
            axes.plot(ends, (y, y), color=BLUE, linewidth=0.8, alpha=0.5, zorder=1)
    finals = view.table("final")
    shown = [row for row in finals.rows if {across.figure, up.figure} <= row.figures.keys()] if finals else []
    for n, row in enumerate(shown):
        known = row.certainty.intervals.get(up.figure) if row.certainty else None
        name = f"finalists, {'95 % interval' if known else '± standard deviation'}" if n == 0 else ""
        mean, scale = row.figures[up.figure].mean, face(up.figure).scale
        height = [[(mean - known.low) / scale], [(known.high - mean) / scale]] if known else _deviation(row, up.figure)
        axes.errorbar(
            _scaled(row, across.figure),
            _scaled(row, up.figure),
            xerr=_deviation(row, across.figure),
            yerr=height,
            fmt="s",
            color=INK,
            markersize=4.5,
            elinewidth=1.0,
            capsize=2,
            label=name,
            zorder=4,
        )
    for limit in view.limits:
        if limit.figure == across.figure:
            bound = limit.bound / face(across.figure).scale
            axes.axvline(bound, color=INK, linestyle=(0, (4, 2)), linewidth=1.0, label=plain(str(limit), 30))
        if limit.figure == up.figure:
            axes.axhline(limit.bound / face(up.figure).scale, color=INK, linestyle=(0, (1, 1.5)), label=plain(str(limit), 30))
    values = [x for x, _ in points]
    if min(values) > 0 and max(values) >= LOG_FROM * min(values):
        axes.set_xscale("log")
    read_whole(axes, across.figure)


def _scaled(row: Row, figure: str) -> float:
    return row.figures[figure].mean / face(figure).scale


def _deviation(row: Row, figure: str) -> float | None:
    deviation = row.figures[figure].deviation
    return deviation / face(figure).scale if deviation else None


def _interval(row: Row, figure: str) -> tuple[float, float] | None:
    """That a single training's latency lies in."""
    record = row.trials[0].record if len(row.trials) == 1 else None
    if figure != "latency_ms" or record is None or record.latency is None:
        return None
    return record.latency.low_ms, record.latency.high_ms


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
