"""A file of rows and columns, read whole: CSV, CSV packed by gzip, or Parquet. Every complaint names file, row and column."""

import csv
import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nas.errors import TableError, quote

ENDINGS = (".csv", ".csv.gz", ".parquet")

MAX_BYTES = 2**30
"""Of a file once it is unpacked."""

MOST = 1e100
"""Of a figure: its square is a number still, so that none of what is reckoned from it overflows."""

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Grid:
    """Cells by column; text from CSV, values from Parquet, where an empty cell is None."""

    source: str
    """What messages call the file."""
    columns: dict[str, list[Any]]
    lines: list[int] | None
    """Of each row in the file; None where rows are no lines."""

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(next(iter(self.columns.values()), []))

    def place(self, row: int) -> str:
        """What messages call a row: its line, or its number from 1."""
        return f"line {self.lines[row]}" if self.lines is not None else f"row {row + 1}"

    def error(self, message: str, *, column: str | None = None, row: int | None = None) -> TableError:
        """`message` with the file, the row and the column before it."""
        place = f", {self.place(row)}" if row is not None else ""
        where = f", column {quote(column)}" if column is not None else ""
        return TableError(f"{self.source}{place}{where}: {message}")

    def numbers(self, column: str, *, finite: bool = True) -> Floats:
        """The column as numbers; an empty cell is NaN.

        Raises:
            TableError: a cell is no number, or is infinite or more than `MOST` where that is not allowed.
        """
        cells = ["nan" if cell is None or cell == "" else cell for cell in self.columns[column]]
        try:
            found = np.array(cells, dtype=object).astype(np.float64)
        except (ValueError, TypeError, OverflowError):
            found = np.array([self._number(cell, column, row) for row, cell in enumerate(cells)], dtype=np.float64)
        if finite and np.isinf(found).any():
            row = int(np.isinf(found).argmax())
            raise self.error(f"must be a finite number, got {quote(cells[row])}.", column=column, row=row)
        if finite and (large := np.abs(np.nan_to_num(found)) > MOST).any():
            row = int(large.argmax())
            raise self.error(f"must be within ±{MOST:g}, got {quote(cells[row])}.", column=column, row=row)
        return found

    def _number(self, cell: Any, column: str, row: int) -> float:
        try:
            return float(cell)
        except (ValueError, TypeError, OverflowError):
            raise self.error(f"must be a number or empty, got {quote(cell)}.", column=column, row=row) from None


def is_table_file(path: object) -> bool:
    """Whether `path` is named like the file of a table."""
    return isinstance(path, str | Path) and str(path).endswith(ENDINGS)


def stem_of(path: Path) -> str:
    """The file's name without its ending: `.csv.gz` is one."""
    ending = next((ending for ending in ENDINGS if path.name.endswith(ending)), "")
    return path.name.removesuffix(ending)


def read_grid(path: Path) -> Grid:
    """The cells of the file at `path`.

    Raises:
        TableError: it cannot be read, is of another format, or its rows differ in length.
    """
    if not is_table_file(path):
        raise TableError(f"{path}: a table is a file that ends in {', '.join(ENDINGS)}.")
    try:
        grid = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    except OSError as error:  # gzip.BadGzipFile is one
        raise TableError(f"{path}: cannot be read: {error.strerror or error}.") from error
    if not grid.rows:
        raise TableError(f"{path}: the table has no rows.")
    return grid


def _read_csv(path: Path) -> Grid:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (EOFError, zlib.error) as error:
        raise TableError(f"{path}: is no whole gzip file: {error}.") from error
    if len(content) > MAX_BYTES:
        raise TableError(f"{path}: a table has at most {MAX_BYTES:,} bytes once it is unpacked.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TableError(f"{path}, line {line}: is not UTF-8 text (byte {error.start}).") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    begins = 1
    try:
        for cells in reader:
            if header and cells:
                if len(cells) != len(header):
                    raise TableError(f"{path}, line {begins}: has {len(cells)} cells, the header has {len(header)}.")
                rows.append(cells)
                lines.append(begins)
            elif cells:
                header = _checked(cells, path)
                if len(header) == 1 and (mark := next((mark for mark in ";\t|" if mark in header[0]), "")):
                    raise TableError(f"{path}: must have commas between its columns, got {quote(mark)}.")
            begins = reader.line_num + 1
    except csv.Error as error:
        raise TableError(f"{path}, line {reader.line_num}: is no CSV: {error}.") from error
    if not header:
        raise TableError(f"{path}: is empty; a table begins with the names of its columns.")
    columns = dict(zip(header, map(list, zip(*rows, strict=True)), strict=True)) if rows else {name: [] for name in header}
    return Grid(str(path), columns, lines)


def _checked(header: list[str], path: Path) -> list[str]:
    seen: set[str] = set()
    for name in header:
        if name in seen:
            raise TableError(f"{path}: the column {quote(name)} stands twice; keep one of them.")
        seen.add(name)
    return header


def _read_parquet(path: Path) -> Grid:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise TableError(
            f"{path}: Parquet needs pyarrow; pip install 'nas-harness[parquet]', or give the table as CSV."
        ) from error
    try:
        found = parquet.read_table(path)
        _checked(found.column_names, path)
        return Grid(str(path), {name: found.column(name).to_pylist() for name in found.column_names}, None)
    except arrow.ArrowException as error:
        raise TableError(f"{path}: is no Parquet file: {' '.join(str(error).split())[:160].rstrip('.')}.") from error
