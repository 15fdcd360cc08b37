"""How all pictures look: ink, colours that the colour-blind tell apart, axes without a box, equal files for equal input."""

import io
import re
from collections.abc import Iterable
from typing import Any

import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, NullFormatter

from nas.reports.figures import face

INK, DIM, GREY = "#3d444d", "#868e98", "#b4bac2"

COLOURS: list[tuple[float, float, float]] = sns.color_palette("colorblind")
BLUE, ORANGE = COLOURS[0], COLOURS[1]

SCALE = "cividis"
"""Of colours that stand for a number; even for the colour-blind, and in grey."""

DPI = 200

FONTS: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.labelsize": 9.0,
    "legend.fontsize": 8.0,
    "svg.hashsalt": "nas",
}
"""In points, for a picture as wide as a paper's column or its page."""


class Picture(Figure):
    """A figure of Matplotlib's that a notebook shows as it is; `savefig` writes it, its axes can be changed."""

    def _repr_png_(self) -> bytes:
        return to_png(self)


def wide(width: float = 7.0, height: float = 3.2) -> Picture:
    """An empty picture, so many inches wide and high."""
    picture = Picture(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(picture)
    return picture


def label(figure: str) -> str:
    """What an axis calls a figure, with its unit; a font has no sign for everything."""
    return plain(face(figure).label)


def plain(text: str, most: int = 60) -> str:
    """`text` in signs that every font has, and not too long for a picture."""
    line = "".join(sign if (sign.isascii() and sign.isprintable()) or sign in "–±×≤≥" else "?" for sign in text)
    return line if len(line) <= most else f"{line[: most - 3]}..."


def dress(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Name the axes, and leave out what is no data; a stray $ is no mathematics."""
    sns.despine(ax=axes)
    axes.set_xlabel(x, color=INK, parse_math=False)
    axes.set_ylabel(y, color=INK, parse_math=False)
    if title:
        axes.set_title(title, color=INK, loc="left", parse_math=False)
    axes.tick_params(colors=INK, which="both")
    for spine in axes.spines.values():
        spine.set_color(INK)


def read_whole(axes: Axes, figure: str) -> None:
    """Write the ticks of the x axis as people say them: 50k parameters, and 0.1 on a logarithmic axis."""
    if figure == "params":
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    elif axes.get_xscale() == "log":
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


def head(picture: Figure, title: str) -> None:
    """Give the whole picture its title."""
    text = picture.suptitle(plain(title), x=0.01, ha="left", color=INK, fontsize=10)
    text.set_parse_math(False)


def legend(picture: Picture, panels: Iterable[Axes]) -> None:
    """The names of what is drawn, each once, below all panels; nothing where there is one thing alone."""
    named = {name: handle for axes in panels for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    if len(named) > 1:
        shown = picture.legend(
            [*named.values()],
            [*named],
            loc="outside lower left",
            ncols=len(named),
            frameon=False,
            labelcolor=INK,
            borderpad=0,
            columnspacing=1.2,
        )
        for text in shown.get_texts():
            text.set_parse_math(False)


def to_svg(figure: Figure) -> bytes:
    """The figure as a small SVG: without prolog, comments and metadata, one decimal, names that do not change."""
    stream = io.StringIO()
    with rc_context({"svg.hashsalt": "nas"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d)\d+", r"\1", path[0]), text)
    for number, name in enumerate(dict.fromkeys(re.findall(r'id="([pm][0-9a-f]{10})"', text))):
        text = text.replace(name, f"n{number}")
    return " ".join(text.split()).encode()


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG on white, without metadata."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return stream.getvalue()
