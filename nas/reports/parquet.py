"""Flat rows as a Parquet file: each column of one type, and the id of its schema beside them."""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nas.errors import ReportError


def to_parquet(names: Sequence[str], rows: Iterable[Mapping[str, Any]], schema: str) -> bytes:
    """`rows` in the columns `names`; a column of several kinds of answers has them as JSON.

    Raises:
        ReportError: pyarrow is not installed.
    """
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ReportError("Parquet needs pyarrow: pip install 'nas-harness[parquet]', or ask for CSV.") from error
    told = list(rows)
    columns = {name: _column([row.get(name) for row in told]) for name in names}
    kinds = {bool: arrow.bool_(), int: arrow.int64(), float: arrow.float64(), str: arrow.string()}
    table = arrow.table({name: arrow.array(values, kinds[kind]) for name, (kind, values) in columns.items()})
    stream = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata({"nas.schema": schema}), stream)
    return stream.getvalue()


def _column(values: Sequence[Any]) -> tuple[type, list[Any]]:
    """The type that all values of a column share, and they in it."""
    kinds = {type(value) for value in values if value is not None} or {str}
    if len(kinds) == 1:
        (kind,) = kinds
        return kind, list(values)
    if kinds == {int, float}:
        return float, [None if value is None else float(value) for value in values]
    return str, [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
