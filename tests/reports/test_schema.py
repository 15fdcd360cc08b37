import json
from typing import Any

import jsonschema
import pytest
from books import Book
from test_tables import row, summary, table

from nas.ranking import rank
from nas.reports.schema import LEADERBOARD, TRIALS, Kind, read_schema
from nas.reports.tables import tables_data, to_json
from nas.reports.trials import trials_data


def validate(kind: Kind, data: Any) -> None:
    schema = read_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(to_json(data)))


def described(schema: dict[str, Any]) -> set[str]:
    """Every name that a schema has a word for."""
    found: set[str] = set()
    for key, value in schema.items():
        if key == "properties":
            found |= set(value)
        if isinstance(value, dict):
            found |= described(value)
        elif isinstance(value, list):
            found |= {name for item in value if isinstance(item, dict) for name in described(item)}
    return found


def test_a_real_leaderboard_is_as_its_schema_says(full: Book) -> None:
    data = tables_data(rank((full.entry, trial) for trial in full.trials()))
    assert {one["schema"] for one in data} == {LEADERBOARD} == {read_schema("leaderboard")["$id"]}
    validate("leaderboard", data)


def test_every_field_of_a_leaderboard_is_described(full: Book) -> None:
    data = tables_data(rank((full.entry, trial) for trial in full.trials()))
    names = {name for one in data for name in one} | {name for one in data for line in one["rows"] for name in line}
    names |= {name for one in data for line in one["rows"] for figure in line["figures"].values() for name in figure}
    assert names - described(read_schema("leaderboard")) == set()


def test_real_trials_are_as_their_schema_says_and_every_field_is_described(full: Book) -> None:
    data = trials_data(full.trials())
    assert {trial["state"] for trial in data} >= {"complete", "failed", "infeasible", "pruned"}
    assert {one["schema"] for one in data} == {TRIALS} == {read_schema("trials")["$id"]}
    validate("trials", data)
    assert {name for trial in data for name in trial} - described(read_schema("trials")) == set()


def test_a_leaderboard_of_several_objectives_has_its_hypervolume(full: Book) -> None:
    from nas.ranking import Hypervolume

    volume = Hypervolume(value=0.5, share=0.25, reference={"validation_accuracy": 0.1})
    validate("leaderboard", tables_data([table(row(), hypervolume=volume)]))


@pytest.mark.parametrize(
    ("place", "value"),
    [("rank", 0), ("rank", "1"), ("on_front", 1), ("architecture", "xyz"), ("figures", {"params": 3}), ("seeds", None)],
)
def test_what_breaks_the_schema_is_told(full: Book, place: str, value: Any) -> None:
    data = tables_data([table(row())])
    data[0]["rows"][0][place] = value
    with pytest.raises(jsonschema.ValidationError):
        validate("leaderboard", data)


def test_a_number_that_json_does_not_have_is_null() -> None:
    data = tables_data([table(row(figures={"validation_accuracy": summary(float("inf"), float("nan"), 2)}))])
    validate("leaderboard", data)
    figure = json.loads(to_json(data))[0]["rows"][0]["figures"]["validation_accuracy"]
    assert figure == {"mean": None, "deviation": None, "count": 2}
