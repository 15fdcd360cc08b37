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


def test_several_trainings_have_their_deviation_their_interval_and_the_probability_of_being_first(tmp_path: Any) -> None:
    found = study(tmp_path)
    nas.finals("toy", ledger=found.ledger, top=2, seeds=3, evaluate=toy_evaluate)
    final = found.tables[0]
    rows = final.to_frame()
    for n, row in enumerate(final.rows):
        assert row.certainty is not None
        told, interval = rows.loc[n], row.certainty.intervals["validation_accuracy"]
        assert told["sd:validation_accuracy"] == row.figures["validation_accuracy"].deviation
        assert (told["low:validation_accuracy"], told["high:validation_accuracy"]) == (interval.low, interval.high)
        assert told["first"] == row.certainty.first
    assert "sd:params" not in rows
    search = found.tables[1].to_frame()
    assert not [name for name in search if str(name).startswith(("sd:", "low:", "high:", "first"))]
