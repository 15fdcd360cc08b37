"""Learning curves for a page: which figure they show, and each in few enough points."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from nas.benchmark import Objective
from nas.records import Epoch, Trial

WIDTH, HEIGHT = 160, 40
"""Of a sparkline, in its own units."""

POINTS = 30
"""The most points of a sparkline."""

VALUES = 12
"""The most values that are written out."""


Point = TypeVar("Point")


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One training, epoch by epoch."""

    label: str
    path: str
    """Points of a polyline within WIDTH × HEIGHT."""
    values: str
    """Epoch and figure, the first and the last among them."""


def curve_objective(definition: Mapping[str, Any], trials: Iterable[Trial]) -> Objective | None:
    """The first objective, of the study or else of its benchmark, that learning curves know; None where no trial has one."""
    known = {name for trial in trials if trial.record for epoch in trial.record.curve[:1] for name in epoch.figures}
    candidates = [*definition["objectives"], *definition["benchmark"]["objectives"]]
    return next((Objective(**candidate) for candidate in candidates if candidate["figure"] in known), None)


def figure_span(trials: Iterable[Trial], figure: str) -> tuple[float, float]:
    """The least and the largest value of `figure` on the curves of `trials`; (0, 1) without any."""
    values = [value for trial in trials for _, value in points_of(trial, figure)]
    return (min(values), max(values)) if values else (0.0, 1.0)


def points_of(trial: Trial, figure: str) -> list[tuple[int, float]]:
    """Epoch and figure along the curve of `trial`."""
    curve: Sequence[Epoch] = trial.record.curve if trial.record else ()
    return [(epoch.epoch, epoch.figures[figure]) for epoch in curve if figure in epoch.figures]


def sparkline(trial: Trial, figure: str, span: tuple[float, float], label: str) -> Curve | None:
    """The curve of `trial`, drawn within `span`; None where it has none."""
    points = points_of(trial, figure)
    if not points:
        return None
    low, high = span
    last = max(points[-1][0], 2)
    path = " ".join(
        f"{(epoch - 1) / (last - 1) * WIDTH:.0f},{HEIGHT - (value - low) / ((high - low) or 1) * HEIGHT:.0f}"
        for epoch, value in thin(points, POINTS)
    )
    values = ", ".join(f"{epoch}:\N{NO-BREAK SPACE}{value:.3g}" for epoch, value in thin(points, VALUES))
    return Curve(label=label, path=path, values=values)


def thin(points: Sequence[Point], most: int) -> list[Point]:
    """At most `most` of `points`, evenly apart, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(n * (len(points) - 1) / (most - 1))] for n in range(most)]
