"""How sure a leaderboard is, as people and scripts read it."""

from dataclasses import replace
from typing import Any

import pytest
from test_tables import body, columns, printed, row, summary, table

from nas.benchmark import Objective
from nas.ranking import Certainty, Interval, Row, Table
from nas.reports.certainty import certainty_words
from nas.reports.tables import tables_data


def sure(rank: int, first: float, shared_by: int, *, like_first: bool = False, **rest: Any) -> Row:
    intervals = {"validation_accuracy": Interval(0.81, 0.95), "flops": Interval(5, 5)}
    known = Certainty(
        intervals=intervals, first=first, rank=rank, shared_by=shared_by, places=(rank, 3), like_first=like_first or rank == 1
    )
    return row(rank, figures={"validation_accuracy": summary(0.9, 0.01, 3)}, certainty=known, **rest)


def three(first: float, shared_by: int) -> Table:
    """Of which the first `shared_by` cannot be told apart."""
    chances = (first, 0.2, 0.004)
    rows = (sure(1 if n < shared_by else n + 1, chance, shared_by if n < shared_by else 1) for n, chance in enumerate(chances))
    return table(*rows, stage="final")


@pytest.mark.parametrize(
    ("first", "like", "words"),
    [
        (
            0.714,
            {2, 3},
            "The first is really the first with a probability of 0.71; it cannot be told from the second and third (",
        ),
        (0.714, {2}, "it cannot be told from the second ("),
        (0.714, {2, 3, 4, 5}, "it cannot be told from the second to fifth ("),
        (0.714, {*range(2, 13)}, "it cannot be told from the second to row 12 ("),
        (0.714, {3}, "it cannot be told from the third ("),  # which had fewer seeds than the second
        (0.714, {2, 4, 6, 7, 8, 12}, "it cannot be told from the second, fourth, sixth to eighth and row 12 ("),
        (0.9999, set(), "with a probability above 0.99; it can be told from every other ("),
        (0.001, {2}, "with a probability below 0.01; "),
    ],
)
def test_a_sentence_says_whether_the_first_is_the_first(first: float, like: set[int], words: str) -> None:
    others = (sure(place, 0.1, 1, like_first=place in like) for place in range(2, 14))
    text = certainty_words(table(sure(1, first, 1), *others, stage="final"))
    assert words in text
    assert text.endswith("(t test of all pairs by seed, corrected by step-down max-t, 5 %).")


def test_with_several_objectives_the_sentence_is_about_the_front() -> None:
    several = table(
        sure(1, 0.8, 1),
        sure(2, 0.5, 1),
        objectives=(Objective("validation_accuracy", "maximize"), Objective("flops", "minimize")),
    )
    assert [line[0] for line in body(printed(several))][:2] == ["1", "2"]
    assert certainty_words(several) == "The first is on the true front of its objectives with a probability of 0.80."


def test_of_more_rows_than_are_tested_it_is_said_why_nothing_is_known() -> None:
    several = [replace(row(n), trials=row(n).trials * 2) for n in range(1, 1202)]
    words = certainty_words(table(*several, stage="final"))
    assert words == "How sure this order is was not reckoned: that is done for 200 rows at most, and these are 1,201."
    assert certainty_words(table(*several[:200], stage="final")) == ""
    assert certainty_words(table(*(row(n) for n in range(1, 300)))) == ""  # a search


def test_where_nothing_is_known_or_there_is_no_other_nothing_is_said() -> None:
    assert certainty_words(table()) == certainty_words(table(row(), row(2))) == certainty_words(table(sure(1, 1.0, 1))) == ""
    assert "probability" not in printed(table(row(), row(2)))
    assert "best" not in columns(printed(table(row(), row(2))))


def test_people_see_the_interval_the_shared_rank_and_how_probably_each_is_the_best() -> None:
    text = printed(three(0.714, 3))
    assert columns(text) == ["#", "architecture", "validation accuracy", "95 % interval", "best", "seeds"]
    cells = [" ".join(line) for line in body(text) if "validation" not in line][:3]
    assert [cell.split()[0] for cell in cells] == ["1="] * 3
    assert [cell.partition(" ± 0.0100 ")[2] for cell in cells] == [
        "0.8100–0.9500 71 % 1",
        "0.8100–0.9500 20 % 1",
        "0.8100–0.9500 <1 % 1",
    ]
    assert "The first is really the first with a probability of 0.71;" in text


def test_rows_that_scripts_do_not_ask_for_count_in_the_sentence_all_the_same() -> None:
    (data,) = tables_data([three(0.714, 2)], top=1)
    assert len(data["rows"]) == 1
    assert "it cannot be told from the second" in data["certainty"]


def test_scripts_get_the_sentence_and_every_figure() -> None:
    (data,) = tables_data([three(0.714, 2)])
    assert data["certainty"] == certainty_words(three(0.714, 2))
    assert data["rows"][0]["certainty"] == {
        "intervals": {"validation_accuracy": {"low": 0.81, "high": 0.95}, "flops": {"low": 5, "high": 5}},
        "first": 0.714,
        "rank": 1,
        "shared_by": 2,
        "places": [1, 3],
        "like_first": True,
    }
