"""Trials → learning curves: the best named and coloured, the rest grey."""

from collections.abc import Sequence

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nas.benchmark import Objective
from nas.errors import LedgerError, ReportError
from nas.records import Trial
from nas.reports.curves import curve_objective, points_of, thin
from nas.reports.outcome import SHORT
from nas.reports.pictures.style import GREY, INK, Picture, dress, label, to_svg, wide
from nas.reports.pictures.view import View

BEST = 8
"""Curves that are named and coloured."""

OTHERS = 92
"""Curves beyond the best that are drawn in grey."""

BEST_POINTS, OTHER_POINTS = 60, 24
"""The most points of a curve that is named, and of one that is not."""


def curves(view: View) -> Picture:
    """The learning curves of the search.

    Raises:
        ReportError: no trial has one.
    """
    objective = curve_objective(view.entry.definition, view.search)
    if objective is None:
        raise ReportError("no trial has a learning curve")
    picture = wide()
    _draw(picture.subplots(), _ranked(view.search, objective), objective)
    return picture


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
    axes.patch.set_alpha(0)
    _draw(axes, ranked, objective)
    return to_svg(figure)


def _draw(axes: Axes, ranked: Sequence[Trial], objective: Objective) -> None:
    best = [trial for trial in ranked if trial.state == "complete"][:BEST]
    chosen = {trial.id for trial in best}
    _draw_others(axes, [trial for trial in ranked if trial.id not in chosen][:OTHERS], objective)
    _draw_best(axes, best, objective)
    dress(axes, "epoch", label(objective.figure))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


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
