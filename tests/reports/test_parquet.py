import io
import sys
from typing import Any

import pytest
from books import Book
from test_tables import row, table

from nas.errors import ReportError
from nas.ranking import flat_rows
from nas.reports.parquet import to_parquet
from nas.reports.schema import LEADERBOARD, TRIALS
from nas.reports.trials import trials_flat

parquet = pytest.importorskip("pyarrow.parquet")


def read(content: bytes) -> Any:
    return parquet.read_table(io.BytesIO(content))


def test_a_leaderboard_is_read_back_as_it_was_with_its_types() -> None:
    first = row(1, on_front=True, choices={"width": 8, "kind": "=pool", "bias": True})
    second = row(2, figures={"validation_accuracy": 0.1 + 0.2}, choices={"width": 16, "rate": 0.5, "bias": False})
    names, rows = flat_rows([table(first, second)])
    found = read(to_parquet(names, rows, LEADERBOARD))
    assert found.column_names == names
    assert found.to_pylist() == rows
    assert found.schema.metadata[b"nas.schema"] == LEADERBOARD.encode()
    types = {name: str(found.schema.field(name).type) for name in names}
    assert (types["rank"], types["on_front"], types["choice:bias"]) == ("int64", "bool", "bool")
    assert (types["validation_accuracy"], types["choice:kind"]) == ("double", "string")


def test_answers_of_several_kinds_stand_as_json() -> None:
    rows = [{"a": "x", "b": 1}, {"a": 3, "b": 0.5}, {"a": None, "b": None}]
    assert read(to_parquet(["a", "b", "c"], rows, LEADERBOARD)).to_pylist() == [
        {"a": '"x"', "b": 1.0, "c": None},
        {"a": "3", "b": 0.5, "c": None},
        {"a": None, "b": None, "c": None},
    ]


def test_trials_of_every_state_are_read_back(full: Book) -> None:
    names, rows = trials_flat(full.trials())
    found = read(to_parquet(names, rows, TRIALS))
    assert found.num_rows == len(full.trials())
    assert set(found.column("state").to_pylist()) >= {"complete", "failed", "infeasible", "pruned"}


def test_without_pyarrow_a_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ReportError, match=r"Parquet needs pyarrow: pip install 'nas-harness\[parquet\]', or ask for CSV\."):
        to_parquet(["a"], [{"a": 1}], TRIALS)
