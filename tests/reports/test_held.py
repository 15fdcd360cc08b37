"""How finalists hold: a table of its own on the page, and columns that stand behind what networks cost."""

from dataclasses import replace

from books import MakeBook, record

from nas.benchmark import Budget
from nas.measures import in_reading_order, is_detail
from nas.ranking import figure_names, rank
from nas.records import Derived
from nas.reports.robustness import held
from nas.reports.tables import tables_csv

ASKED = {
    "test_accuracy:pgd-linf-16_255": 0.4,
    "test_accuracy:pgd-linf-2_255": 0.7,
    "test_accuracy:noise-3": 0.6,
    "test_accuracy:corruptions": 0.65,
    "test_ece": 0.05,
    "test_ece_low": 0.04,
    "test_ece_high": 0.06,
}


def test_figures_are_read_by_their_kind_and_attacks_by_their_size() -> None:
    assert in_reading_order([*reversed(ASKED), "test_accuracy", "params"]) == [
        "test_accuracy:pgd-linf-2_255",
        "test_accuracy:pgd-linf-16_255",
        "test_accuracy:corruptions",
        "test_accuracy:noise-3",
        "test_ece",
        "test_ece_high",
        "test_ece_low",
    ]
    assert [name for name in ASKED if is_detail(name)] == ["test_accuracy:noise-3", "test_ece_low", "test_ece_high"]


def test_costs_come_before_them_and_a_file_has_all(make_book: MakeBook) -> None:
    book = make_book()
    book.add(record(test=0.8, figures=ASKED, budget=Budget(epochs=6)), stage="final")
    tables = rank((book.entry, trial) for trial in book.trials())
    names = figure_names(tables[0])
    assert names.index("latency_ms") < names.index("test_accuracy:pgd-linf-2_255")
    assert {*ASKED} <= {*tables_csv(tables).splitlines()[0].split(",")}


def test_the_page_has_a_table_of_them_with_intervals_over_seeds(make_book: MakeBook) -> None:
    book = make_book()
    for seed, value in ((1, 0.39), (2, 0.41)):
        figures = {**ASKED, "test_accuracy:pgd-linf-16_255": value}
        tested = record(test=0.8, seed=seed, figures=figures, budget=Budget(epochs=6))
        book.add(tested, stage="final", choices={"conv.features": 8, "conv.kernel": 1})
    found = held(book.trials())
    assert found is not None
    assert found.headers == (book.trials()[0].architecture.id,)
    assert found.seeds == (2,)
    assert dict(found.rows) == {  # an interval of no width would say that there is no luck
        "accuracy as it is": "0.8000",
        "PGD L∞ 2/255": "0.7000",
        "PGD L∞ 16/255": "0.4000 ± 0.1271",  # t of one degree of freedom, 12.7, times 0.01
        "corrupted": "0.6500",
        "noise 3": "0.6000",
        "ECE": "0.0500",
    }
    [section] = book.page().all("section", id="held")
    assert "16/255" in section.text
    assert "test noise 3" not in [head.text for head in book.page().all("th")]


def test_each_finalist_stands_before_what_was_made_of_it(make_book: MakeBook) -> None:
    book = make_book()
    for features in (8, 16):
        tested = record(test=0.8, figures=ASKED, budget=Budget(epochs=6))
        book.add(tested, stage="final", choices={"conv.features": features, "conv.kernel": 1})
    one, other = book.trials()
    for parent in (other, one):
        made = Derived(method="half", options={}, words="half", parent=parent.evaluation)
        tested = record(test=0.7, figures=ASKED, budget=Budget(epochs=6))
        book.add(replace(tested, derived=made), stage="derived", choices={"conv.features": 8, "conv.kernel": 3})
    found = held(book.trials())
    assert found is not None
    (made_id,) = {trial.architecture.id for trial in book.trials() if trial.stage == "derived"}
    assert found.headers == (one.architecture.id, f"{made_id} half", other.architecture.id, f"{made_id} half")


def test_there_is_no_such_table_where_nobody_was_asked(make_book: MakeBook) -> None:
    book = make_book()
    book.add(record(test=0.8, budget=Budget(epochs=6)), stage="final")
    assert held(book.trials()) is None
    assert not book.page().all("section", id="held")
