"""The columns that the page's scripts read."""

import json
from typing import Any

import pytest
from books import Book, MakeBook, curve, latency, record

from nas.benchmark import Objective
from nas.ranking import rank
from nas.records import Failure
from nas.reports.rows import ABSENT, LETTERS, POINTS, STATES, rows_data


def data(book: Book) -> dict[str, Any]:
    trials = book.trials()
    tables = rank((book.entry, trial) for trial in trials)
    found = rows_data(book.entry, tables, trials, Objective("validation_accuracy", "maximize"))
    return json.loads(json.dumps(found, allow_nan=False))  # type: ignore[no-any-return]


def test_every_trial_has_a_row_and_a_finalist_one_for_all_its_seeds(full: Book) -> None:
    found = data(full)["rows"]
    assert len(full.trials()) == 19
    assert [len(column) for column in (found["id"], found["state"], found["rank"], found["took"])] == [17] * 4
    states = [STATES[LETTERS.index(letter)] for letter in found["state"]]
    assert {state: states.count(state) for state in STATES} == {
        "complete": 12, "pruned": 1, "failed": 1, "infeasible": 1, "running": 1, "repeated": 1,
    }  # fmt: skip
    assert found["count"][:2] == [2, 2]
    assert found["deviations"]["test_accuracy"] == [[0, 0.00707107], [1, 0.00707107]]


def test_figures_are_in_the_units_of_their_titles_and_none_is_never_0(book: Book) -> None:
    book.add(record(figures={"params": 1_234_567, "flops": 1_234_567, "latency_ms": None}))
    found = data(book)
    assert found["rows"]["figures"]["params"] == [1_234_567]
    assert found["rows"]["figures"]["flops"] == [1.23457]
    assert {figure["name"]: figure["title"] for figure in found["figures"]}["flops"] == "MFLOPs"
    assert "latency_ms" not in found["rows"]["figures"]


def test_a_large_figure_keeps_the_digits_that_are_shown(book: Book) -> None:
    book.add(record(figures={"validation_frechet_distance": 223.016349, "train_seconds": 12345.678}))
    figures = data(book)["rows"]["figures"]
    assert figures["validation_frechet_distance"] == [223.0163]
    assert figures["train_seconds"] == [12345.68]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_json_cannot_say_is_none(book: Book, value: float) -> None:
    trial = book.add(record())
    assert trial.record is not None
    found = rows_data(book.entry, (), [trial], None)
    trial.record.figures["odd"] = value  # type: ignore[index]  # a ledger refuses it
    found = rows_data(book.entry, (), [trial], None)
    assert found["rows"]["figures"]["odd"] == [None]


def test_a_choice_takes_a_letter_a_row_and_none_where_it_does_not_apply(book: Book) -> None:
    for choices in ({"a": 8, "b": "x"}, {"a": 16}, {"a": 8, "b": None}, {"a": True}):
        book.add(record(), choices=choices)
    found = {choice["name"]: choice for choice in data(book)["choices"]}
    assert found["b"]["values"] == ["null", "x"]
    assert found["b"]["codes"] == f"1{ABSENT}0{ABSENT}"
    assert (found["a"]["values"], found["a"]["numeric"]) == ([8, 16, "true"], False)


def test_more_values_than_letters_are_places(book: Book) -> None:
    for n in range(len(LETTERS) + 1):
        book.add(record(), choices={"rate": n / 7})
    (choice,) = data(book)["choices"]
    assert choice["codes"] == list(range(len(LETTERS) + 1))
    assert choice["numeric"] is True


def test_limits_are_lines_in_the_figures_units_and_what_is_none_is_left_out(make_book: MakeBook) -> None:
    book = make_book(limits=["flops <= 2e6", "params < 10", "whatever"])
    assert [(limit["figure"], limit["bound"]) for limit in data(book)["limits"]] == [("flops", 2), ("params", 10)]


def test_texts_are_kept_once(book: Book) -> None:
    for _ in range(3):
        book.add(record("failed", accuracy=None, error=Failure(kind="out_of_memory", message="no room"), notes=("a note",)))
    told = data(book)["rows"]["told"]
    assert told == {"texts": ["out of memory: no room", "a note"], "rows": [[0, 0, 1], [1, 0, 1], [2, 0, 1]]}


def test_a_long_curve_has_few_points_and_its_ends(book: Book) -> None:
    book.add(record(curve=curve(0.9, 300), latency=latency(0.5)))
    ((epochs, values),) = data(book)["curves"]["rows"]["0"]
    assert len(epochs) == len(values) == POINTS
    assert (epochs[0], epochs[-1], values[-1]) == (1, 300, 0.9)
    assert data(book)["rows"]["ends"]["latency_ms"] == [[0, 0.45, 0.55]]
