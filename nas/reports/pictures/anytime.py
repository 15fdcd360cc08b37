"""How good the best was after each evaluation, and with several objectives how much the front had come to dominate."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from nas.benchmark import Objective
from nas.errors import ReportError
from nas.ranking import hypervolume, pareto_front
from nas.records import Trial
from nas.reports.figures import face
from nas.reports.outcome import evaluated
from nas.reports.pictures.style import BLUE, DIM, INK, ORANGE, Picture, dress, label, legend, wide
from nas.reports.pictures.view import View

MOST_OBJECTIVES = 4
"""Of which the hypervolume is drawn."""

MOST_FRONTS = 60
"""Fronts along the search whose hypervolume is measured."""


def anytime(view: View) -> Picture:
    """The first objective of each evaluated architecture, in the order of the search, and the best so far.

    Raises:
        ReportError: no trial is complete.
    """
    tried = evaluated(view.search)
    first = view.objectives[0]
    points = [(place, trial, _value(trial, first)) for place, trial in enumerate(tried, start=1)]
    known = [(place, trial, value) for place, trial, value in points if value is not None and trial.state != "failed"]
    if not any(trial.state == "complete" for _, trial, _ in known):
        raise ReportError("no trial is complete yet")
    several = 1 < len(view.objectives) <= MOST_OBJECTIVES
    picture = wide(7.2 if several else 5.0, 3.0)
    panels = picture.subplots(1, 2 if several else 1, squeeze=False)[0]
    _draw(panels[0], known, first, len(tried))
    dress(panels[0], "architectures evaluated", label(first.figure))
    if several:
        _draw_volume(panels[1], tried, view.objectives)
        dress(panels[1], "architectures evaluated", "hypervolume, as a\nshare of the last")
    legend(picture, panels)
    return picture


def _value(trial: Trial, goal: Objective) -> float | None:
    return trial.record.figures.get(goal.figure) if trial.record else None


def _draw(axes: Axes, known: Sequence[tuple[int, Trial, float]], goal: Objective, count: int) -> None:
    scale = face(goal.figure).scale
    for state, name, marker, colour in (("complete", "architecture", "o", BLUE), ("pruned", "pruned", "x", DIM)):
        own = [(place, value / scale) for place, trial, value in known if trial.state == state]
        if own:
            axes.scatter(
                [x for x, _ in own], [y for _, y in own], s=12, marker=marker, color=colour, alpha=0.7, linewidth=0.8, label=name
            )
    steps: list[tuple[int, float]] = []
    for place, trial, value in known:
        if trial.state == "complete" and (not steps or goal.cost(value) < goal.cost(steps[-1][1] * scale)):
            steps.append((place, value / scale))
    steps.append((count, steps[-1][1]))
    axes.step([x for x, _ in steps], [y for _, y in steps], where="post", color=ORANGE, linewidth=1.8, label="best so far")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_volume(axes: Axes, tried: Sequence[Trial], goals: Sequence[Objective]) -> None:
    """Of the fronts along the search, up to one reference, which is that of the last front."""
    figures = [
        {goal.figure: value for goal in goals if (value := _value(trial, goal)) is not None} if trial.state == "complete" else {}
        for trial in tried
    ]
    whole = [(place, row) for place, row in enumerate(figures, start=1) if len(row) == len(goals)]
    last = hypervolume([row for _, row in whole], goals)
    count = len(whole)
    cuts = sorted({round(1 + n * (count - 1) / max(1, MOST_FRONTS - 1)) for n in range(MOST_FRONTS)} | {count}) if count else []
    shares = []
    for cut in cuts:
        rows = [row for _, row in whole[:cut]]
        costs = [[goal.cost(row[goal.figure]) for goal in goals] for row in rows]
        front = [row for row, best in zip(rows, pareto_front(costs), strict=True) if best]
        value = hypervolume(front, goals, last.reference).value
        shares.append((whole[cut - 1][0], value / last.value if last.value else 0.0))
    axes.step([x for x, _ in shares], [y for _, y in shares], where="post", color=ORANGE, linewidth=1.8)
    axes.set_ylim(0, 1.05)
    axes.axhline(1, color=INK, linewidth=0.6, linestyle=(0, (1, 2)))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
