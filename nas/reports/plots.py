"""Trials → learning curves as an image, drawn by seaborn on a figure of its own: pyplot and global settings stay as they are."""

import io
import re
from collections.abc import Sequence

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nas.benchmark import Objective
from nas.errors import LedgerError
from nas.records import Trial
from nas.reports.curves import points_of, thin
from nas.reports.outcome import SHORT

BEST = 8
"""Curves that are named and coloured."""

OTHERS = 92
"""Curves beyond the best that are drawn in grey."""

BEST_POINTS, OTHER_POINTS = 60, 24
"""The most points of a curve that is named, and of one that is not."""

INK, GREY = "#3d444d", "#b4bac2"


def learning_curves(trials: Sequence[Trial], objective: Objective) -> bytes:
    """The learning curves of `trials` as an SVG image on a transparent ground: the best named, the rest grey.

    Best are the complete trials whose curve ends best; a curve with many epochs is drawn through fewer points.
    Equal trials give equal bytes.

    Raises:
        LedgerError: no trial has a curve of the objective's figure.
    """
    ranked = _ranked(trials, objective)
    if not ranked:
        raise LedgerError(f"No trial has a learning curve of {objective.figure!r}.")
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.subplots()
    best = [trial for trial in ranked if trial.state == "complete"][:BEST]
    chosen = {trial.id for trial in best}
    _draw_others(axes, [trial for trial in ranked if trial.id not in chosen][:OTHERS], objective)
    _draw_best(axes, best, objective)
    _dress(axes, objective)
    return to_svg(figure)


def _ranked(trials: Sequence[Trial], objective: Objective) -> list[Trial]:
    """The trials that have a curve, each evaluation once, best first; those that were not completed come last."""
    once = {trial.evaluation: trial for trial in reversed(trials) if points_of(trial, objective.figure)}
    return sorted(once.values(), key=lambda trial: (trial.state != "complete", _last_cost(trial, objective), trial.number))


def _last_cost(trial: Trial, objective: Objective) -> float:
    return objective.cost(points_of(trial, objective.figure)[-1][1])


def _frame(trials: Sequence[Trial], objective: Objective, most: int) -> pd.DataFrame:
    """One row a point: trial, name, epoch, value."""
    rows = [
        {"trial": trial.id, "name": _name(place, trial, objective), "epoch": epoch, "value": value}
        for place, trial in enumerate(trials, start=1)
        for epoch, value in thin(points_of(trial, objective.figure), most)
    ]
    return pd.DataFrame(rows, columns=["trial", "name", "epoch", "value"])


def _name(place: int, trial: Trial, objective: Objective) -> str:
    return f"{place}  {trial.architecture.id[:SHORT]}  {points_of(trial, objective.figure)[-1][1]:.4g}"


def _draw_others(axes: Axes, trials: Sequence[Trial], objective: Objective) -> None:
    if trials:
        frame = _frame(trials, objective, OTHER_POINTS)
        sns.lineplot(frame, x="epoch", y="value", units="trial", estimator=None, color=GREY, linewidth=0.8, legend=False, ax=axes)


def _draw_best(axes: Axes, trials: Sequence[Trial], objective: Objective) -> None:
    """Colour and dashes both tell the lines apart."""
    if not trials:
        return
    frame = _frame(trials, objective, BEST_POINTS)
    colours = sns.color_palette("colorblind")
    palette = [*(colours[n] for n in (0, 1, 2, 3, 4, 5, 9)), INK][: len(trials)]  # those that stand out from grey
    sns.lineplot(frame, x="epoch", y="value", hue="name", style="name", palette=palette, estimator=None, linewidth=1.6, ax=axes)
    sns.move_legend(
        axes, "center left", bbox_to_anchor=(1, 0.5), frameon=False, title="best, by the end", alignment="left", labelcolor=INK
    )
    axes.get_legend().get_title().set_color(INK)  # type: ignore[union-attr]


def _dress(axes: Axes, objective: Objective) -> None:
    sns.despine(ax=axes)
    axes.patch.set_alpha(0)
    axes.set_xlabel("epoch", color=INK)
    # A font has no sign for everything, and a stray $ would be read as mathematics.
    label = "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in objective.figure.replace("_", " "))
    axes.set_ylabel(label[:60], color=INK, parse_math=False)
    axes.tick_params(colors=INK, which="both")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for spine in axes.spines.values():
        spine.set_color(INK)


def to_svg(figure: Figure) -> bytes:
    """The figure as a small SVG: without prolog, comments and metadata, one decimal, names that do not change."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d)\d+", r"\1", path[0]), text)
    for number, name in enumerate(dict.fromkeys(re.findall(r'id="([pm][0-9a-f]{10})"', text))):
        text = text.replace(name, f"n{number}")
    return " ".join(text.split()).encode()
