import csv
import io

import pytest
from by_hand import T, U, a_run, standings

from nas.comparing import telling
from nas.comparing.standings import Standings
from nas.comparing.telling import Findings, figure, listed

CLEAR = {
    "a": [0.1 + n / 100 for n in range(12)],
    "random": [0.5 + n / 90 for n in range(12)],
    "sort": [0.9 + n / 80 for n in range(12)],
}
CLOSE = CLEAR | {"b": [0.1 + ((n * 7) % 12) / 100 for n in range(12)]}

needs_tests = pytest.mark.skipif(not telling.available(), reason="the tests of significance come with nas-harness[compare]")


@needs_tests
def test_a_clear_winner_is_named() -> None:
    findings = Findings(standings({T: CLEAR}))
    assert findings.headline == "On t, over 12 seeds: after 2 evaluations a comes first, told apart from every other."


@needs_tests
def test_those_that_cannot_be_told_apart_are_named_together() -> None:
    findings = Findings(standings({T: CLOSE, U: CLOSE}))
    head = findings.told(None)
    assert head in {f"after 2 evaluations {one} and {other} lead and cannot be told apart" for one, other in ("ab", "ba")}
    assert findings.headline.startswith("Over 2 questions and 12 seeds: ")


@needs_tests
def test_budgets_with_the_same_winner_are_told_together() -> None:
    runs = [
        a_run(T, name, seed, [level + seed / 100] * 150)
        for name, level in (("a", 0.0), ("random", 0.5), ("sort", 1.0))
        for seed in range(12)
    ]
    expected = {T: standings({T: CLEAR}).expected[T].repeat(75)}
    found = Findings(Standings(runs, evaluations=150, strategies=["a", "random", "sort"], expected=expected))
    assert found.told(None) == "after 50, 100 and 150 evaluations a comes first, told apart from every other"


def test_without_the_packages_all_but_significance_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "available", lambda: False)
    findings = Findings(standings({T: CLEAR}))
    assert findings.headline == (
        "On t, over 12 seeds: after 2 evaluations a ranks first. Whether that is more than chance is not tested; "
        "pip install 'nas-harness[compare]' brings the tests."
    )
    assert findings.data()["tests"] == []
    assert len(findings.rows()) == 3


def test_one_seed_says_that_it_cannot_tell() -> None:
    findings = Findings(standings({T: {name: values[:1] for name, values in CLEAR.items()}}))
    assert findings.headline.endswith("a ranks first. One seed cannot tell whether that is more than chance.")


def test_equal_strategies_are_called_equal() -> None:
    findings = Findings(standings({T: {"a": [1.0] * 6, "random": [1.0] * 6, "sort": [1.0] * 6}}))
    assert findings.told(T) == "after 2 evaluations all are equal"


def test_the_csv_has_a_row_for_each_question_strategy_and_budget() -> None:
    rows = list(csv.DictReader(io.StringIO(Findings(standings({T: CLEAR, U: CLEAR})).csv())))
    assert [(row["table"], row["strategy"]) for row in rows] == [(q, s) for q in "tu" for s in ("a", "random", "sort")]
    assert float(rows[0]["regret"]) == pytest.approx(sum(CLEAR["a"]) / 12, rel=1e-5)
    assert float(rows[0]["low"]) < float(rows[0]["regret"]) < float(rows[0]["high"])


def test_the_table_for_people_has_the_best_first_and_the_expectation_last() -> None:
    grid = Findings(standings({T: CLEAR})).grid(T)
    assert [row["strategy"] for row in grid] == ["a", "random", "sort", "random, expected"]
    assert grid[-1]["2"] == "1.000"


def test_figures_and_names_read_well() -> None:
    assert [figure(value) for value in (0.0, 0.0012, 0.0123, 3.14159)] == ["0.000", "0.0012", "0.012", "3.142"]
    assert [listed(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


def test_random_search_is_held_against_its_formula_and_what_lies_outside_is_named() -> None:
    runs = {"random": [0.9, 1.0, 1.1, 1.0], "sort": [2.0, 2.1, 2.2, 2.3]}
    assert Findings(standings({T: runs})).agreement == (
        "Random search lies within 2 standard errors of its closed form at 1 of 1 points."
    )
    other = Findings(standings({T: runs}, expected=3.0))
    assert other.agreement.endswith(
        "0 of 1 points (with few seeds more than one in twenty lie outside by chance); "
        "outside: t after 2: 1.000 ± 0.041 against 3.000."
    )
    many = {name: values * 5 for name, values in runs.items()}
    assert "(one in twenty lies outside by chance)" in Findings(standings({T: many}, expected=3.0)).agreement
    other.standings.uneven = frozenset({T})
    assert other.agreement.startswith("On t choices hang on each other")


def test_overall_ranks_and_shares_stand_beside_each_other() -> None:
    first, *_, last = Findings(standings({T: CLEAR, U: CLEAR}, expected=2.0)).overall()
    assert first == {"strategy": "a", "rank at 2": "1.00", "share at 2": "0.077"}
    assert last["strategy"] == "sort"


def test_what_tables_say_of_training_stands_beside_asking() -> None:
    found = standings({T: CLEAR, U: CLEAR})
    assert Findings(found).cost == "The tables do not tell how long a training takes."
    assert Findings(found, training_seconds={T: 61.234, U: None}).cost == "One training takes, as the tables tell: t 61.2 s."
    assert Findings(found).effort()[0]["ms to ask"] == "0.000"


@needs_tests
def test_the_data_have_every_pair_of_every_question() -> None:
    tests = Findings(standings({T: CLEAR, U: CLEAR})).data()["tests"]
    assert [one["table"] for one in tests] == [None, "t", "u"]
    assert tests[0]["pairs"]["a"].keys() == {"random", "sort"}
    assert tests[1]["pairs"]["a"]["random"] == pytest.approx(3 * 2 / 2**12)
