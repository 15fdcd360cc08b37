"""Findings → pictures: anytime regret with its intervals, and critical differences; on figures of their own."""

from collections.abc import Sequence

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nas.comparing.expectation import Floats
from nas.comparing.significance import Significance, draw_diagram
from nas.comparing.standings import Standings
from nas.comparing.telling import EXPECTED, figure
from nas.comparing.values import Question
from nas.reports.pictures.style import GREY, INK, to_svg

POINTS = 160
"""The most points of a curve."""

DASHES: Sequence[object] = ("solid", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
"""Colour and dashes both tell the lines apart."""


def regret_curves(standings: Standings, question: Question, objective: str = "") -> bytes:
    """Mean regret after each evaluation with its 95 % interval, as an SVG image on a transparent ground.

    Equal standings give equal bytes.
    """
    picture = Figure(figsize=(9, 4.2), layout="constrained")
    picture.patch.set_alpha(0)
    axes = picture.subplots()
    at = points(standings.evaluations)
    expected = standings.expected[question]
    axes.plot(at, expected[at - 1], color=GREY, linewidth=1.4, linestyle=(0, (2, 2)), label=EXPECTED, zorder=1)
    end = standings.evaluations - 1
    bands = {strategy: standings.bands[question, strategy] for strategy in standings.strategies}
    for strategy in sorted(bands, key=lambda name: -bands[name][0][end]):
        mean, low, high = (values[at - 1] for values in bands[strategy])
        colour, dash = style(standings.strategies, strategy)
        axes.fill_between(at, low, high, color=colour, alpha=0.13, linewidth=0)
        axes.plot(at, mean, color=colour, linestyle=dash, linewidth=1.8, label=f"{strategy}  {figure(float(mean[-1]))}")
    _scale(axes, [expected, *(mean for mean, _, _ in bands.values())])
    _dress(axes, standings.evaluations, f"regret of {objective.replace('_', ' ')}" if objective else "regret")
    return to_svg(picture)


def points(evaluations: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """The evaluations that a curve is drawn through: all, or so many evenly spread and every one of the first twenty."""
    if evaluations <= POINTS:
        return np.arange(1, evaluations + 1)
    spread = np.linspace(20, evaluations, POINTS - 20).round().astype(np.int64)
    return np.unique(np.concatenate([np.arange(1, 21), spread]))


def style(strategies: Sequence[str], strategy: str) -> tuple[tuple[float, float, float], object]:
    """The colour and the dashes of a strategy, the same in every picture of a comparison."""
    colours = sns.color_palette("colorblind")
    place = strategies.index(strategy)
    # The pale pink and yellow last, and without the grey one, which stands for what is expected.
    order = (0, 1, 2, 3, 4, 5, 9, 6, 8)
    return colours[order[place % len(order)]], DASHES[(place % len(order) + place // len(order)) % len(DASHES)]


def _scale(axes: Axes, curves: Sequence[Floats]) -> None:
    """Logarithmic down to the least mean that is above 0 (but three powers of ten at most), and linear from there to 0."""
    above = np.concatenate([curve[curve > 0] for curve in curves] or [np.array([1.0])])
    if not len(above):
        return
    top = float(above.max())
    least = max(float(above.min()), top / 1000)
    power = 10.0 ** np.floor(np.log10(least))
    axes.set_yscale("symlog", linthresh=power, linscale=0.5)
    axes.set_ylim(bottom=0, top=top * 1.15)
    ticks = [0.0, *(power * 10.0**n * step for n in range(5) for step in (1, 2, 5))]
    axes.set_yticks([tick for tick in ticks if tick <= top * 1.15])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _dress(axes: Axes, evaluations: int, label: str) -> None:
    sns.despine(ax=axes)
    axes.patch.set_alpha(0)
    axes.set_xlim(0, evaluations)
    axes.set_xlabel("architectures evaluated", color=INK)
    axes.set_ylabel(label, color=INK, parse_math=False)
    axes.tick_params(colors=INK, which="both")
    axes.grid(axis="y", color=GREY, alpha=0.25, linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for spine in axes.spines.values():
        spine.set_color(INK)
    lines, names = axes.get_legend_handles_labels()
    legend = axes.legend(
        lines[::-1],
        names[::-1],
        loc="center left",
        bbox_to_anchor=(1, 0.5),
        frameon=False,
        title="best first, and where it ends",
        alignment="left",
        labelcolor=INK,
    )
    legend.get_title().set_color(INK)
    for text in legend.get_texts():
        text.set_parse_math(False)


def differences(found: Significance) -> bytes:
    """The critical-difference diagram as an SVG image on a transparent ground."""
    picture = Figure(figsize=(9, 1.3 + 0.26 * len(found.names)), layout="constrained")
    picture.patch.set_alpha(0)
    axes = picture.subplots()
    axes.patch.set_alpha(0)
    draw_diagram(found, axes, ink=INK)
    axes.tick_params(colors=INK, which="both")
    axes.spines["top"].set_color(INK)
    return to_svg(picture)
