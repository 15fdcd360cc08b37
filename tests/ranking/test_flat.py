from typing import Any

import pandas as pd
from toys import TOY, toy_evaluate

import nas
from nas.ranking import flat_rows, frame


def study(tmp_path: Any, **options: Any) -> nas.Study:
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    return nas.search(TOY, on="digits", trials=5, evaluate=toy_evaluate, epochs=3, study="toy", ledger=url, **options)


def test_a_leaderboard_is_a_data_frame(tmp_path: Any) -> None:
    found = study(tmp_path)
    (table,) = found.tables
    rows = table.to_frame()
    assert isinstance(rows, pd.DataFrame)
    assert rows["architecture"].tolist() == [row.architecture.id for row in table.rows]
    assert rows["validation_accuracy"].tolist() == [row.figures["validation_accuracy"].mean for row in table.rows]
    assert rows["on_front"].dtype == bool
    assert set(rows["choice:width"]) <= {8, 16}
    pd.testing.assert_frame_equal(found.leaderboard, frame(found.tables))


def test_a_figure_that_is_called_as_a_column_is_keeps_both(tmp_path: Any) -> None:
    from dataclasses import replace

    (table,) = study(tmp_path).tables
    rows = tuple(replace(row, figures={**row.figures, "rank": row.figures["params"]}) for row in table.rows)
    names, flat = flat_rows([replace(table, rows=rows)])
    assert len(names) == len(set(names))
    assert [row["rank"] for row in flat] == [row.rank for row in rows]
    assert [row["figure:rank"] for row in flat] == [row.figures["params"].mean for row in rows]


def test_without_rows_the_columns_are_there() -> None:
    assert list(frame([]).columns)[:2] == ["benchmark", "stage"]
