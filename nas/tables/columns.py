"""What a column of a table says by its name.

choice:NAME               an answer of the architecture
FIGURE                    a figure: of a network as it is (params, flops, …), or of what training it made (accuracy, …)
FIGURE:DEVICE             the same, measured on a device: latency_ms:raspi4
FIGURE:MEASURE            what a trained network answers to an attack or a corruption: validation_accuracy:pgd-linf-0.1
FIGURE@EPOCHS             after so many epochs
FIGURE#RUN                of one of several trainings; FIGURE@EPOCHS#RUN for both
proxy:NAME                a score that needs no training
train_seconds@EPOCHS      the time that training so long took
"""

import re
from dataclasses import dataclass
from typing import Literal

from nas.errors import quote
from nas.measures import measure_of
from nas.records import FIGURES

Kind = Literal["choice", "proxy", "figure", "metric", "seconds"]

SECONDS = "train_seconds"
"""The figure that is the time of a training."""

_FIGURE = re.compile(r"(?P<name>[a-z][a-z0-9_]*)(:(?P<place>[A-Za-z0-9_.-]+))?(@(?P<epochs>[0-9]{1,9}))?(#(?P<run>[0-9]{1,9}))?")


@dataclass(frozen=True)
class Column:
    """The name of a column, read."""

    kind: Kind
    """`figure` for what is known before training, `metric` for what comes of it."""
    name: str
    """Of the choice, the proxy or the figure, its device included."""
    epochs: int | None = None
    run: int | None = None


def read_column(header: str) -> Column:
    """What the column called `header` holds.

    Raises:
        ValueError: it is called like no column of a table; says why.
    """
    kind, colon, name = header.partition(":")
    if colon and kind in {"choice", "proxy"}:
        if not name:
            raise ValueError(f"{kind}: needs a name, as in {kind}:{'width' if kind == 'choice' else 'synflow'}")
        return Column("choice" if kind == "choice" else "proxy", name)
    match = _FIGURE.fullmatch(header)
    if match is None:
        raise ValueError(
            f"{quote(header)} is none of choice:NAME, FIGURE, FIGURE@EPOCHS, FIGURE#RUN, FIGURE:DEVICE and proxy:NAME; "
            "a figure is lower-case letters, digits and _"
        )
    figure, place = match["name"], match["place"]
    epochs, run = (int(part) if part is not None else None for part in (match["epochs"], match["run"]))
    if epochs == 0:
        raise ValueError(f"{quote(header)} is after no epoch; the first is @1")
    if figure == SECONDS and place is None:
        return Column("seconds", figure, epochs, run)
    if place is None and (figure not in FIGURES or FIGURES[figure].known == "trained"):
        return Column("metric", figure, epochs, run)
    if place is not None and measure_of(f"{figure}:{place}"):
        return Column("metric", f"{figure}:{place}", epochs, run)
    if epochs is not None or run is not None:
        raise ValueError(f"{quote(header)} is known before training, so that it has neither @EPOCHS nor #RUN")
    return Column("figure", f"{figure}:{place}" if place is not None else figure)


def write_column(column: Column) -> str:
    """The name of `column`, which `read_column` reads."""
    prefix = f"{column.kind}:" if column.kind in {"choice", "proxy"} else ""
    epochs = f"@{column.epochs}" if column.epochs is not None else ""
    run = f"#{column.run}" if column.run is not None else ""
    return f"{prefix}{column.name}{epochs}{run}"
