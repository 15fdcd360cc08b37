"""Files of tables → columns of text: CSV, TSV, and JSON by lines."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.errors import BenchmarkError, did_you_mean, quote

MOST_ROWS = 5_000_000


@dataclass(frozen=True)
class Grid:
    """Rows of text under the names of their columns."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    """Of the file, where each row begins or ends, for messages."""
    file: str

    def column(self, name: str) -> list[str]:
        """The cells of a column.

        Raises:
            BenchmarkError: there is none of that name.
        """
        if name not in self.names:
            raise BenchmarkError(f"{self.file} has no column {quote(name)}. {did_you_mean(name, self.names)}")
        position = self.names.index(name)
        return [row[position] for row in self.rows]


def read_grid(path: Path) -> Grid:
    """The table in the file at `path`.

    Raises:
        BenchmarkError: it cannot be read, or its rows are not alike; names file and line.
    """
    by_lines = path.suffix.lower() in {".jsonl", ".ndjson"}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            found = list(_from_json(file, path.name) if by_lines else _from_csv(file, path))
    except OSError as error:
        raise BenchmarkError(f"{quote(path.name)} cannot be read: {error.strerror or type(error).__name__}.") from error
    except UnicodeDecodeError as error:
        raise BenchmarkError(f"{quote(path.name)} is not UTF-8 text (byte {error.start}); write it as that.") from error
    except csv.Error as error:
        raise BenchmarkError(f"{quote(path.name)} is no table: {error}.") from error
    if len(found) < 2:
        raise BenchmarkError(f"{quote(path.name)} has no rows below its names of columns.")
    names = tuple(found[0][1])
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BenchmarkError(f"{quote(path.name)} has the column {quote(twice)} twice; rename one of them.")
    for line, row in found[1:]:
        if len(row) != len(names):
            raise BenchmarkError(f"{path.name}:{line}: has {len(row)} cells, there are {len(names)} columns.")
    return Grid(names, tuple(tuple(row) for _, row in found[1:]), tuple(line for line, _ in found[1:]), path.name)


def _from_csv(file: Iterable[str], path: Path) -> Iterator[tuple[int, Sequence[str]]]:
    csv.field_size_limit(10_000_000)
    lines = iter(file)
    first = next(lines, "")
    marks = "\t" if path.suffix.lower() == ".tsv" else ",;\t"
    mark = max(marks, key=first.count)
    reader = csv.reader(_again(first, lines), delimiter=mark, strict=True)
    for number, row in enumerate(reader):
        if number > MOST_ROWS:
            raise BenchmarkError(f"{path.name} has more than {MOST_ROWS:,} rows; name a smaller table.")
        if row:
            yield reader.line_num, [cell.strip() for cell in row]


def _again(first: str, rest: Iterable[str]) -> Iterator[str]:
    yield first
    yield from rest


def _from_json(file: Iterable[str], name: str) -> Iterator[tuple[int, Sequence[str]]]:
    """The names of the first line's columns, then the cells of each line."""
    names: list[str] = []
    for line, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BenchmarkError(f"{name}:{line}: is no JSON: {str(error)[:100]}.") from error
        if not isinstance(row, dict):
            raise BenchmarkError(f'{name}:{line}: must be an object such as {{"text": …, "label": …}}, got {quote(row)}.')
        if not names:
            names = list(row)
            yield line, names
        if missing := [one for one in names if one not in row]:
            raise BenchmarkError(f"{name}:{line}: has no {quote(missing[0])}. {did_you_mean(missing[0], row)}")
        yield line, [_cell(row[one], name, line) for one in names]


def _cell(value: Any, name: str, line: int) -> str:
    if isinstance(value, list | dict):
        raise BenchmarkError(f"{name}:{line}: a cell is a text or a number, got {quote(value)}.")
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
