"""Rows of a table → features: which column is wanted, what each other holds, and each row as numbers.

Axes: N rows, F features.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nas.datasets.declaration import Column, Rows
from nas.datasets.grids import Grid
from nas.errors import BenchmarkError, did_you_mean, quote

_TARGET = ("target", "label", "class", "outcome", "y")

_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "?"})

MOST_CLASSES = 20
"""Different whole numbers of a target that are taken for classes."""

MOST_VALUES = 50
"""Different texts of a column that become a feature each."""


def choose_target(grid: Grid, target: str | None) -> str:
    """The column to be told from the others: the one named, one called so, or the last.

    Raises:
        BenchmarkError: there is none of that name.
    """
    if target is not None:
        grid.column(target)
        return target
    named = {name.lower(): name for name in grid.names}
    return next((named[one] for one in _TARGET if one in named), grid.names[-1])


def is_number(cells: Sequence[str]) -> bool:
    """Whether all cells that are not missing are numbers, and there is one."""
    known = [cell for cell in cells if not is_missing(cell)]
    return bool(known) and all(_number(cell) is not None for cell in known)


def are_classes(cells: Sequence[str]) -> bool:
    """Whether a target is one of some classes: a text, or one of few whole numbers."""
    if not is_number(cells):
        return True
    values = {float(cell) for cell in cells if not is_missing(cell)}
    return all(value.is_integer() for value in values) and len(values) <= min(MOST_CLASSES, max(2, len(cells) // 10))


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is nothing in it."""
    return cell.lower() in _MISSING


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def check_cells(grid: Grid, names: Sequence[str]) -> list[int]:
    """The rows that lack a cell in one of `names`.

    Raises:
        BenchmarkError: a number is infinite.
    """
    lacking = []
    for n, row in enumerate(grid.rows):
        cells = [row[grid.names.index(name)] for name in names]
        if any(is_missing(cell) for cell in cells):
            lacking.append(n)
        for name, cell in zip(names, cells, strict=True):
            if cell.lower().lstrip("+-") in {"inf", "infinity"}:
                raise BenchmarkError(f"{grid.file}:{grid.lines[n]}: {quote(name)} is infinite; give a number, or leave it empty.")
    return lacking


def lacking_words(grid: Grid, names: Sequence[str], lacking: Sequence[int]) -> str:
    """What is missing where, in a clause."""
    row = grid.rows[lacking[0]]
    name = next(name for name in names if is_missing(row[grid.names.index(name)]))
    return f"{len(lacking):,} of {len(grid.rows):,} rows lack a value, first line {grid.lines[lacking[0]]} in {quote(name)}"


def choose_features(
    grid: Grid, train: Sequence[int], target: str, without: Sequence[str]
) -> tuple[list[Column], list[str], list[str]]:
    """What each column gives, by the rows called `train`; those that give nothing; and what is to be said of them.

    Raises:
        BenchmarkError: a column is text of too many values, or none is left.
    """
    for name in without:
        if name not in grid.names:
            raise BenchmarkError(f"{grid.file} has no column {quote(name)} to leave out. {did_you_mean(name, grid.names)}")
    columns, unused, said = [], [], []
    for name in grid.names:
        if name == target or name in without:
            continue
        cells = grid.column(name)
        trained = [cells[n] for n in train]
        if len(set(trained)) < 2:
            unused.append(name)
            said.append(f"Column {quote(name)} has one value in all training rows and is left out.")
        elif is_number(cells):
            values = np.array([float(cell) for cell in trained if not is_missing(cell)])
            columns.append(Column(name=name, mean=float(values.mean()), deviation=float(values.std()) or 1.0))
            if _is_counter(values):
                said.append(
                    f"Column {quote(name)} is another whole number in every row, as a name is; leave it out by --without?"
                )
        else:
            values_seen = sorted({cell for cell in trained if not is_missing(cell)})
            if len(values_seen) > MOST_VALUES:
                odd = next(cell for cell in cells if _number(cell) is None and not is_missing(cell))
                raise BenchmarkError(
                    f"Column {quote(name)} of {grid.file} has {len(values_seen):,} different texts, such as {quote(odd)}, and at "
                    f"most {MOST_VALUES} become features; leave it out by --without."
                )
            columns.append(Column(name=name, values=values_seen))
    if not columns:
        raise BenchmarkError(f"{grid.file} has no column beside {quote(target)} that differs between training rows.")
    return columns, unused, said


def _is_counter(values: NDArray[np.float64]) -> bool:
    return len(values) > 20 and len(np.unique(values)) == len(values) and bool((values == np.round(values)).all())


def features(grid: Grid, rows: Sequence[int], columns: Sequence[Column]) -> NDArray[np.float32]:
    """(N, F): numbers standardised; of a text a 1 at its value, and zeros where training rows had no such value."""
    parts = []
    for column in columns:
        cells = grid.column(column.name)
        if column.values is None:
            if column.mean is None or column.deviation is None:
                raise BenchmarkError(f"Column {quote(column.name)} has a mean and a deviation, or values; give both.")
            try:
                numbers = np.array([float(cells[n]) for n in rows])
            except ValueError:
                raise BenchmarkError(f"Column {quote(column.name)} of {grid.file} has a cell that is no number.") from None
            parts.append(((numbers - column.mean) / column.deviation)[:, None])
        else:
            places = {value: n for n, value in enumerate(column.values)}
            marks = np.zeros((len(rows), len(places)))
            for n, row in enumerate(rows):
                if cells[row] in places:
                    marks[n, places[cells[row]]] = 1
            parts.append(marks)
    found = np.concatenate(parts, axis=1).astype(np.float32)
    if not np.isfinite(found).all():
        raise BenchmarkError(f"{grid.file} has numbers that no float32 holds; scale them.")
    return found


def numbers(cells: Sequence[str], prepare: Rows) -> NDArray[np.float32]:
    """(N, 1): a target's numbers less the training rows' mean, over their deviation."""
    mean, deviation = prepare.mean or 0.0, prepare.deviation or 1.0
    values = np.array([float(cell) for cell in cells])
    return ((values - mean) / deviation).astype(np.float32)[:, None]


def mean_and_deviation(cells: Sequence[str]) -> tuple[float, float]:
    """Of numbers.

    Raises:
        BenchmarkError: they are all the same.
    """
    values = np.array([float(cell) for cell in cells])
    deviation = float(values.std())
    if not math.isfinite(deviation) or deviation == 0:
        raise BenchmarkError("The target is the same in all training rows; there is nothing to tell.")
    return float(values.mean()), deviation
