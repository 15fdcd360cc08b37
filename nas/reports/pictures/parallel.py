"""Parallel coordinates: every complete trial as a line through its answers, coloured by what it reached."""

from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from nas.effects import effects_of
from nas.errors import ReportError
from nas.ranking import Row
from nas.reports.figures import face
from nas.reports.pictures.style import GREY, INK, SCALE, Picture, dress, label, plain, wide
from nas.reports.pictures.view import View
from nas.space import Value

MOST_AXES = 9
"""Choices that have an axis: those that matter most to the first objective, where that is known."""

MOST_LINES = 400

ABSENT = "absent"


def parallel(view: View) -> Picture:
    """A line for each architecture of the search, the best on top.

    Raises:
        ReportError: no trial is complete, or each choice has one value alone.
    """
    board = view.board
    goal = board.objectives[0]
    names = _choices(view, board.rows)
    if not names:
        raise ReportError("each choice has one value alone")
    scale = face(goal.figure).scale
    rows = sorted(board.rows, key=lambda row: -goal.cost(row.figures[goal.figure].mean))[-MOST_LINES:]  # the best on top
    rows = sorted(rows, key=lambda row: goal.cost(row.figures[goal.figure].mean), reverse=True)
    values = [row.figures[goal.figure].mean / scale for row in rows]
    span = Normalize(*_span(values))
    levels = {name: _levels([row.architecture.choices.get(name, ABSENT) for row in rows]) for name in names}
    picture = wide(min(7.6, 3.4 + 0.7 * len(names)), 3.4)
    axes = picture.subplots()
    colours = colormaps[SCALE if goal.direction == "maximize" else f"{SCALE}_r"]
    for n, (row, value) in enumerate(zip(rows, values, strict=True)):
        heights = [_height(levels[name], row.architecture.choices.get(name, ABSENT), n) for name in names]
        axes.plot(range(len(names) + 1), [*heights, span(value)], color=colours(span(value)), linewidth=0.8, alpha=0.75)
    for place, name in enumerate(names):
        axes.axvline(place, color=GREY, linewidth=0.8, zorder=0)
        for answer in levels[name]:
            height = _height(levels[name], answer, None)
            box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}
            axes.text(
                place,
                height,
                plain(_words(answer), 14),
                fontsize=7,
                color=INK,
                ha="center",
                va="center",
                bbox=box,
                parse_math=False,
            )
    axes.axvline(len(names), color=GREY, linewidth=0.8, zorder=0)
    dress(axes, "", "")
    axes.set_xticks(range(len(names)), [_broken(plain(name, 34)) for name in names], fontsize=7.5, rotation=0)
    for tick in axes.get_xticklabels():
        tick.set_parse_math(False)
    axes.set_yticks([])
    axes.set_xlim(-0.4, len(names) + 0.02)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
    bar = picture.colorbar(ScalarMappable(span, colours), ax=axes, pad=0.005, aspect=30)
    bar.set_label(label(goal.figure), color=INK, parse_math=False)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=INK, labelsize=8)
    return picture


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _choices(view: View, rows: Sequence[Row]) -> list[str]:
    """Those that differ, the ones that matter first where that is known, at most so many; in the order of the space."""
    met: dict[str, set[Value]] = {}
    for row in rows:
        for name, value in row.architecture.choices.items():
            met.setdefault(name, set()).add(value)
    absent = {name for name in met if any(name not in row.architecture.choices for row in rows)}
    differ = [name for name, values in met.items() if len(values) > 1 or name in absent]
    goal = view.objectives[0].figure
    matter = [effect.choice for effect in effects_of(view.entry, view.search, figures=[goal])]
    usual = sorted(differ, key=lambda name: sum(name not in row.architecture.choices for row in rows))
    chosen = list(dict.fromkeys([*(name for name in matter if name in differ), *usual]))[:MOST_AXES]
    return [name for name in differ if name in chosen]


def _levels(values: Sequence[Value]) -> list[Value]:
    """Each value once: absent lowest, then numbers by size, then words."""
    met = list(dict.fromkeys(values))
    return sorted(met, key=lambda value: (value != ABSENT, isinstance(value, str), _number(value), str(value)))


def _number(value: Value) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _height(levels: Sequence[Value], value: Value, line: int | None) -> float:
    """Where a value stands, from 0 to 1; lines through one value lie a little apart."""
    step = 1 / max(1, len(levels) - 1)
    apart = 0.0 if line is None else ((line * 0.618034) % 1 - 0.5) * min(0.05, 0.3 * step)
    return levels.index(value) * step + apart if len(levels) > 1 else 0.5 + apart


def _words(value: Value) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _broken(name: str) -> str:
    """A name of several parts on several lines."""
    parts = name.split(".")
    lines: list[str] = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) < 11:
            lines[-1] += f".{part}"
        else:
            lines[-1] += "."
            lines.append(part)
    return "\n".join(lines)
