"""A file → a Table, checked at the door."""

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas.benchmark import Objective
from nas.errors import SpaceError, TableError, quote
from nas.records import usual_direction
from nas.space import Architecture, Categorical, Domain, Layer, Ref, Space, Value, digest
from nas.tables.cells import answer_of, observed, observed_answer
from nas.tables.columns import SECONDS, Column, Kind, read_column, write_column
from nas.tables.expectation import Floats
from nas.tables.files import Grid, read_grid, stem_of
from nas.tables.sidecar import read_sidecar, sidecar_of
from nas.tables.table import Fidelity, Readings, Table, pick

Columns = Mapping[str, Column]
"""The name of a column in the file → what it holds."""


def read_table(path: Path | str, *, objective: str | None = None, space: Space | None = None) -> Table:
    """The table in the file at `path`: .csv, .csv.gz or .parquet, in the columns that `nas.tables.columns` draws.

    What stands in `STEM.yaml` beside it says what the file does not (see `nas.tables.sidecar`). Without it the space is the
    values that were observed, each choice on its own, and the objective is the accuracy with the highest fidelity. `objective`
    asks for another: FIGURE or FIGURE@EPOCHS. `space` goes before all of these.

    Raises:
        TableError: the file cannot be read or breaks a rule; names file, row and column.
        DocumentError: what stands beside it breaks a rule.
    """
    path = Path(path)
    grid = read_grid(path)
    beside = read_sidecar(sidecar_of(path, stem_of(path)))
    columns = _columns(grid)
    name = _slug(stem_of(path), "table")
    found, architectures = _architectures(grid, columns, space or beside.space, name)
    metrics = _measured(grid, columns, "metric")
    if not metrics:
        raise TableError(f"{path}: has no figure that comes of training, such as accuracy or val_accuracy@12.")
    asked = objective or beside.figure or _most_trained_accuracy(metrics, str(path))
    figure, fidelity = pick(metrics, asked, f"{path}:")
    own = beside.direction if beside.figure is not None and figure == beside.figure.partition("@")[0] else None
    numbers = {  # a score may be infinite: naswot is the logarithm of a determinant
        write_column(column): grid.numbers(header, finite=column.kind != "proxy")
        for header, column in columns.items()
        if column.kind != "choice"
    }
    table = Table(
        name=name,
        file=path.name,
        folder=str(path.parent),
        digest=_digest(found, architectures, numbers),
        space=found,
        objective=Objective(figure, own or usual_direction(figure)),
        fidelity=fidelity,
        architectures=architectures,
        metrics=metrics,
        seconds=_measured(grid, columns, "seconds").get(SECONDS, {}),
        figures={column.name: numbers[write_column(column)] for column in columns.values() if column.kind == "figure"},
        proxies={column.name: numbers[write_column(column)] for column in columns.values() if column.kind == "proxy"},
        summary=beside.summary or found.summary,
        source=beside.source,
        licence=beside.licence,
    )
    unknown = np.isnan(table.means)
    if unknown.any():
        raise grid.error(
            "must be a number, as the objective is of every architecture; got none.", column=asked, row=int(unknown.argmax())
        )
    return table


def _columns(grid: Grid) -> Columns:
    """What each column holds."""
    found: dict[str, Column] = {}
    first: dict[Column, str] = {}
    for header in grid.columns:
        try:
            column = read_column(header)
        except ValueError as error:
            raise grid.error(f"{error}.", column=header) from None
        if first.setdefault(column, header) != header:
            raise grid.error(f"says the same as the column {quote(first[column])}; keep one of them.", column=header)
        found[header] = column
    if not any(column.kind == "choice" for column in found.values()):
        raise grid.error("has no column choice:NAME, by which an architecture is known.")
    return found


def _architectures(grid: Grid, columns: Columns, declared: Space | None, name: str) -> tuple[Space, tuple[Architecture, ...]]:
    """The space, and the architecture of each row; no two are the same."""
    answers = {header: column.name for header, column in columns.items() if column.kind == "choice"}
    if declared is None:
        space, made = _flat(grid, answers, name)
    else:
        called = {_slug(answer, "choice"): header for header, answer in answers.items()}
        called |= {answer: header for header, answer in answers.items()}
        space, made = declared, [_walked(grid, called, declared, row) for row in range(grid.rows)]
    first: dict[str, int] = {}
    for row, architecture in enumerate(made):
        if (same := first.setdefault(architecture.id, row)) != row:
            raise grid.error(f"is the same architecture as {grid.place(same)}; keep one of them.", row=row)
    return space, tuple(made)


def _flat(grid: Grid, answers: Mapping[str, str], name: str) -> tuple[Space, list[Architecture]]:
    """The space of the values that were observed, each choice on its own."""
    domains: dict[str, Categorical] = {}
    columns: dict[str, list[Value]] = {}
    for header, answer in answers.items():
        cells = grid.columns[header]
        for row, cell in enumerate(cells):
            if _empty(cell):
                rule = "is empty: which choices apply can be told by a `space` in the YAML file beside the table."
                raise grid.error(rule, column=header, row=row)
        called = _slug(answer, "choice")
        if called in domains:
            raise grid.error(f"is called {called!r} in a space, as another choice is; rename one of them.", column=header)
        try:
            domains[called] = observed(cells)
            known = {cell: observed_answer(cell, domains[called]) for cell in set(cells)}
        except (SpaceError, TypeError) as error:
            raise grid.error(f"holds no answers of a choice: {error}", column=header) from None
        columns[called] = [known[cell] for cell in cells]
    layer = Layer("row" if "row" not in domains else "row_", {choice: Ref(choice) for choice in domains})
    space = Space(name=name, version=1, accepts=("image",), layers=(layer,), choices=domains)
    rows = zip(*columns.values(), strict=True)
    return space, [Architecture(name, 1, dict(zip(columns, row, strict=True))) for row in rows]


def _walked(grid: Grid, answers: Mapping[str, str], space: Space, row: int) -> Architecture:
    """The architecture of `row`, as `space` declares it; `answers` gives the column of each choice by its name."""
    filled = {name: header for name, header in answers.items() if not _empty(grid.columns[header][row])}
    asked: set[str] = set()

    def choose(name: str, domain: Domain) -> Value:
        if name not in filled:
            raise grid.error(f"the choice {name!r} applies and is not answered; it must be in {domain}.", row=row)
        header = filled[name]
        asked.add(header)
        try:
            return answer_of(grid.columns[header][row], domain)
        except SpaceError as error:
            raise grid.error(str(error), column=header, row=row) from None

    architecture = space.walk(choose)
    for header in filled.values():
        if header not in asked:
            cell = quote(grid.columns[header][row])
            raise grid.error(f"does not apply in this architecture, got {cell}; leave it empty.", column=header, row=row)
    return architecture


def _measured(grid: Grid, columns: Columns, kind: Kind) -> dict[str, dict[Fidelity, Readings]]:
    """Figure → fidelity, the lowest first and the one that is not told last → what was read."""
    headers: defaultdict[str, defaultdict[Fidelity, dict[int | None, str]]] = defaultdict(lambda: defaultdict(dict))
    runs = sorted({column.run for column in columns.values() if column.run is not None})
    for header, column in columns.items():
        if column.kind == kind:
            headers[column.name][column.epochs][column.run] = header
    return {
        name: {epochs: _readings(grid, known[epochs], runs) for epochs in sorted(known, key=lambda epochs: epochs or math.inf)}
        for name, known in headers.items()
    }


def _readings(grid: Grid, headers: Mapping[int | None, str], runs: Sequence[int]) -> Readings:
    """One figure at one fidelity; `runs` are those of all figures, so that one place is one training in each of them."""
    told = [grid.numbers(headers[run]) if run in headers else np.full(grid.rows, np.nan) for run in runs]
    return Readings(
        runs=np.stack(told, axis=1) if headers.keys() - {None} else np.empty((grid.rows, 0)),
        mean=grid.numbers(headers[None]) if None in headers else None,
    )


def _most_trained_accuracy(metrics: Mapping[str, Mapping[Fidelity, Readings]], source: str) -> str:
    """The accuracy that is known at the highest fidelity; of several there, the one on test data.

    A search for a network to use may not see test data. A table is there to compare strategies: no network is chosen for use, and
    published regrets are those of the test accuracy.
    """
    names = [name for name in metrics if "accuracy" in name and not name.startswith("train")]
    highest = {name: list(metrics[name])[-1] or math.inf for name in names}
    names = [name for name in names if highest[name] == max(highest.values())]
    names = [name for name in names if name.startswith("test")] or names
    names = names or (list(metrics) if len(metrics) == 1 else [])
    if len(names) != 1:
        why = f"{', '.join(names)} are several" if names else f"none of {', '.join(metrics)} is an accuracy"
        way_out = "name one as the objective, or in the YAML file beside the table"
        raise TableError(f"{source}: which figure to search for is not told ({why}); {way_out}.")
    return names[0]


def _digest(space: Space, architectures: Sequence[Architecture], numbers: Mapping[str, Floats]) -> str:
    """Of what the table says, however its file is packed and its columns are ordered."""
    found = hashlib.sha256(digest(space).encode())
    for architecture in architectures:
        found.update(architecture.id.encode())
    for name in sorted(numbers):
        plain = np.where(np.isnan(numbers[name]), np.nan, numbers[name] + 0.0)  # one NaN of many, and no -0.0
        found.update(f"\n{name}\n".encode() + plain.astype("<f8").tobytes())
    return found.hexdigest()[:16]


def _empty(cell: Any) -> bool:
    return cell is None or cell == "" or cell != cell  # NaN, as Parquet may have it


def _slug(text: str, noun: str) -> str:
    """`text` as a name of a space or a choice: lower-case letters, digits and _, at most 40."""
    plain = re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_")
    return (plain if plain[:1].isalpha() else f"{noun}_{plain}".rstrip("_"))[:40]
