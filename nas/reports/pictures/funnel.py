"""From all proposals to the complete ones: how each ended."""

from nas.errors import ReportError
from nas.reports.outcome import funnel as steps_of
from nas.reports.pictures.style import BLUE, COLOURS, GREY, INK, ORANGE, Picture, dress, wide
from nas.reports.pictures.view import View


def funnel(view: View) -> Picture:
    """A bar for each way in which proposals ended, with its number.

    Raises:
        ReportError: nothing has been proposed.
    """
    steps = steps_of(view.search)
    if not view.search:
        raise ReportError("nothing has been tried yet")
    colours = {"proposed": INK, "complete": BLUE, "failed": COLOURS[3], "pruned": ORANGE}
    picture = wide(5.0, 0.7 + 0.3 * len(steps))
    axes = picture.subplots()
    names = [f"{step.label}" for step in steps]
    bars = axes.barh(names, [step.count for step in steps], color=[colours.get(name, GREY) for name in names], height=0.7)
    words = [f"{step.count:,}  ({step.meaning})" for step in steps]
    axes.bar_label(bars, labels=words, padding=4, color=INK, fontsize=8)
    axes.set_xlim(0, 1.75 * max(step.count for step in steps))
    axes.invert_yaxis()
    dress(axes, "", "")
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return picture
