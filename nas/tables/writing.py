"""Architectures and their figures → a file that `read_table` reads, with what it says of itself beside it."""

import csv
import gzip
import io
import json
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.benchmark import Objective
from nas.errors import NasError, TableError, quote
from nas.files import write_whole
from nas.space import Architecture, Space, space_to_yaml
from nas.tables.cells import cell_of
from nas.tables.columns import read_column
from nas.tables.files import ENDINGS, is_table_file, stem_of
from nas.tables.reading import read_table
from nas.tables.sidecar import read_sidecar, sidecar_of
from nas.tables.table import Table

Rows = Iterable[tuple[Architecture, Mapping[str, float | None]]]
"""Each architecture once, with its figures by the names of their columns: {"params": 1e4, "accuracy@16#0": 0.97, …}."""


def write_table(
    path: Path | str,
    *,
    space: Space,
    objective: Objective,
    rows: Rows,
    summary: str = "",
    source: str = "",
    licence: str = "",
) -> Table:
    """Write `rows` to `path` (.csv, .csv.gz or .parquet) and the sidecar beside it; returns the table as it reads.

    The objective's figure may name its fidelity, as in accuracy@16; else it is the highest. What is None or NaN is an empty cell.
    Equal rows give equal bytes of CSV; each file is written whole or not at all.

    Raises:
        TableError: there are no rows, one stands twice, a column, an answer or a figure cannot be written, or a file that is no
            sidecar stands where that would.
    """
    path = Path(path)
    if not is_table_file(path):
        raise TableError(f"{path}: a table is a file that ends in {', '.join(ENDINGS)}.")
    beside = sidecar_of(path, stem_of(path))
    _check_replaceable(beside)
    header, cells = _cells(path, space, rows)
    content = _parquet(header, cells, path) if path.suffix == ".parquet" else _csv(header, cells)
    if path.suffix == ".gz":
        content = gzip.compress(content, mtime=0)
    _replace(beside, _sidecar(space, objective, summary, source, licence).encode())
    _replace(path, content)
    return read_table(path)


def _check_replaceable(beside: Path) -> None:
    """Refuse to write over what may be a space or a search of the same name."""
    try:
        read_sidecar(beside)
    except NasError:
        raise TableError(f"{beside} is there and does not tell of a table; name the table otherwise.") from None


def _cells(path: Path, space: Space, rows: Rows) -> tuple[list[str], list[list[Any]]]:
    """The names of the columns, and in each row text for answers and numbers for figures; None for what is empty."""
    answers: dict[str, None] = {}
    figures: dict[str, None] = {}
    known: dict[str, tuple[Architecture, Mapping[str, float | None]]] = {}
    for architecture, values in rows:
        space.architecture(architecture.choices)  # so that what is written can be read
        if architecture.id in known:
            raise TableError(f"{path}: the architecture {architecture.id} stands twice; give each once.")
        known[architecture.id] = architecture, values
        answers |= dict.fromkeys(architecture.choices)
        figures |= dict.fromkeys(values)
    if not known:
        raise TableError(f"{path}: there are no rows to write.")
    for name in figures:
        try:
            kind = read_column(name).kind
        except ValueError as error:
            raise TableError(f"{path}: {error}.") from None
        if kind == "choice":
            raise TableError(f"{path}: {quote(name)} is an answer of the architecture, not a figure.")
    header = [*(f"choice:{name}" for name in answers), *figures]
    return header, [
        [
            *(cell_of(architecture.choices[name]) if name in architecture.choices else None for name in answers),
            *(_figure(values.get(name), path, name) for name in figures),
        ]
        for architecture, values in known.values()
    ]


def _figure(value: float | None, path: Path, name: str) -> float | int | None:
    if value is None or math.isnan(value):
        return None
    if math.isinf(value) and not name.startswith("proxy:"):
        raise TableError(f"{path}: {name} must be finite, got {value}.")
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(value)


def _csv(header: Sequence[str], cells: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(["" if cell is None else repr(cell) if isinstance(cell, float) else cell for cell in row] for row in cells)
    return text.getvalue().encode()


def _parquet(header: Sequence[str], cells: Sequence[Sequence[Any]], path: Path) -> bytes:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise TableError(f"{path}: Parquet needs pyarrow; pip install 'nas-harness[parquet]', or write CSV.") from error
    columns = {
        name: arrow.array(column, arrow.string() if name.startswith("choice:") else arrow.float64())
        for name, column in zip(header, zip(*cells, strict=True), strict=True)
    }
    stream = io.BytesIO()
    parquet.write_table(arrow.table(columns), stream)
    return stream.getvalue()


def _sidecar(space: Space, objective: Objective, summary: str, source: str, licence: str) -> str:
    """Text in JSON's quotes, which are YAML's too."""
    texts = {"summary": summary, "source": source, "licence": licence}
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in texts.items() if value]
    goal = json.dumps({"figure": objective.figure, "direction": objective.direction})
    return "\n".join([*lines, f"objective: {goal}", "space:", textwrap.indent(space_to_yaml(space), "  ")])


def _replace(path: Path, content: bytes) -> None:
    try:
        write_whole(content, path)
    except OSError as error:
        raise TableError(f"{path}: cannot be written: {error.strerror or type(error).__name__}.") from error
