"""What the layers of one network cost, as an image: a bar a layer, in the order in which it holds them."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from nas.errors import SearchError, quote

COLUMNS = {"macs": "multiply-adds", "params": "parameters", "output_bytes": "bytes it gives"}

MOST = 60
"""Layers that are drawn: those that own parameters or do multiply-adds, and of more than these the costliest."""

ENDINGS = (".png", ".svg", ".pdf")


def plot_layers(layers: Sequence[Mapping[str, object]], path: Path, title: str) -> None:
    """Write the image of `layers` (each with name, kind, and COLUMNS) to `path`, in the format that its ending says.

    Raises:
        SearchError: the ending is none of ENDINGS, or the file cannot be written.
    """
    if path.suffix not in ENDINGS:
        raise SearchError(f"A plot's file ends in {', '.join(ENDINGS)}, got {quote(path.name)}.")
    frame = pd.DataFrame(layers, columns=["name", "kind", *COLUMNS])
    costs = frame[["macs", "params"]]
    shares = costs.div(costs.sum().replace(0, 1)).max(axis=1)
    shown = frame.loc[shares[shares > 0].nlargest(MOST).index.sort_values()]
    left_out = int((shares > 0).sum()) - len(shown)
    names = [f"{name}  {kind}"[-44:] for name, kind in zip(shown["name"], shown["kind"], strict=True)]
    figure = Figure(figsize=(11, 1.6 + 0.22 * len(shown)), layout="constrained")
    columns = figure.subplots(1, len(COLUMNS), sharey=True)
    for axes, (column, words), colour in zip(columns, COLUMNS.items(), sns.color_palette("colorblind"), strict=False):
        axes.barh(range(len(shown)), shown[column], color=colour)
        axes.set_title(f"{words}: {frame[column].sum():,}", fontsize=10, parse_math=False)
        axes.xaxis.set_major_formatter(_short)
        axes.margins(y=0.01)
        sns.despine(ax=axes)
    columns[0].set_yticks(range(len(shown)), names, fontsize=8, parse_math=False)
    columns[0].invert_yaxis()
    rest = f" ({left_out} layers that cost least are not drawn)" if left_out else ""
    figure.suptitle(f"{title}{rest}", fontsize=11, parse_math=False)
    stream = io.BytesIO()
    figure.savefig(stream, format=path.suffix[1:], dpi=120)
    try:
        path.write_bytes(stream.getvalue())
    except OSError as error:
        raise SearchError(f"The plot cannot be written to {quote(str(path))}: {error.strerror}.") from error


def _short(value: float, _position: int | None = None) -> str:
    for size, sign in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{sign}"
    return f"{value:g}"
