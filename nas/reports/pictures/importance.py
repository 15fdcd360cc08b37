"""How much each choice matters to each objective, and what its values come to, with their intervals."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from nas.effects import Effect, effects_of
from nas.effects.importance import FEWEST_TRIALS
from nas.errors import ReportError
from nas.reports.figures import face
from nas.reports.pictures.style import BLUE, GREY, INK, Picture, dress, label, plain, wide
from nas.reports.pictures.view import View

MOST_CHOICES = 15

MOST_PANELS = 6
"""Choices whose values are drawn."""

COLUMNS = 3


def importance(view: View) -> Picture:
    """A bar for each choice: the share of the differences in rank that it explains, with its 95 % interval; grey where it is no
    more than chance.

    Raises:
        ReportError: there are too few trials.
    """
    figures = [goal.figure for goal in view.objectives]
    found = _effects(view)
    own = {name: [effect for effect in found if effect.figure == name][:MOST_CHOICES] for name in figures}
    most = max(map(len, own.values()))
    picture = wide(5.2 if len(figures) == 1 else 8.4, 1.4 + 0.23 * most)
    panels = picture.subplots(1, len(figures), squeeze=False)[0]
    for axes, name in zip(panels, figures, strict=True):
        _bars(axes, own[name])
        dress(axes, "share of the differences in rank\n(grey: no more than chance)", "", plain(face(name).words, 34))
        axes.tick_params(axis="y", length=0)
    return picture


def _effects(view: View) -> tuple[Effect, ...]:
    found = effects_of(view.entry, view.search) if view.table("search") else ()
    if not found:
        raise ReportError(f"fewer than {FEWEST_TRIALS} complete trials compare, or each choice has one value alone")
    return found


def _bars(axes: Axes, effects: Sequence[Effect]) -> None:
    names = [plain(effect.choice, 34) for effect in effects]
    places = range(len(effects))
    axes.barh(places, [effect.importance for effect in effects], color=[BLUE if e.seen else GREY for e in effects], height=0.7)
    for place, effect in zip(places, effects, strict=True):
        axes.plot((effect.low, effect.high), (place, place), color=INK, linewidth=1.0)
    axes.set_yticks([*places], names, fontsize=8)
    for tick in axes.get_yticklabels():
        tick.set_parse_math(False)
    axes.set_xlim(0, min(1.0, 1.05 * max(effect.high for effect in effects)) or 1.0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.invert_yaxis()


def marginals(view: View) -> Picture:
    """The mean of the first objective for each value of the choices that matter most, as if trials differed in that choice alone,
    with its 95 % interval.

    Raises:
        ReportError: there are too few trials.
    """
    first = view.objectives[0].figure
    found = [effect for effect in _effects(view) if effect.figure == first]
    shown = ([effect for effect in found if effect.seen] or found)[:MOST_PANELS]
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    picture = wide(max(4.2, 2.4 * columns), 2.0 * rows + 0.3)
    panels = picture.subplots(rows, columns, squeeze=False, sharey=True)
    for n, axes in enumerate(panels.flat):
        if n >= len(shown):
            axes.set_axis_off()
            continue
        _points(axes, shown[n])
        dress(axes, "", label(first) if n % columns == 0 else "", plain(shown[n].choice, 30))
        axes.title.set_fontsize(8.5)
    return picture


def _points(axes: Axes, effect: Effect) -> None:
    scale = face(effect.figure).scale
    places = range(len(effect.points))
    for place, point in zip(places, effect.points, strict=True):
        if point.low is not None and point.high is not None:
            axes.plot((place, place), (point.low / scale, point.high / scale), color=BLUE, linewidth=2.0, alpha=0.45)
    axes.plot(places, [point.mean / scale for point in effect.points], "o", color=BLUE, markersize=4.5)
    names = [f"{plain(point.label, 12)}\nn={point.count}" for point in effect.points]
    axes.set_xticks([*places], names, fontsize=7)
    for tick in axes.get_xticklabels():
        tick.set_parse_math(False)
    axes.set_xlim(-0.5, len(effect.points) - 0.5)
