"""What matters, and whether a search can be believed, as the page shows them."""

import random

import pytest
from books import Book, MakeBook, record
from trees import parse

from nas.benchmark import Objective
from nas.ranking.agreement import Audit, Audited, Reading
from nas.reports.matters import HEIGHT, MOST_TRIALS, what_matters
from nas.reports.page import render
from nas.reports.trust import SIZE, trust
from nas.space import Architecture


def planted(book: Book, count: int = 40) -> Book:
    """Accuracy follows the features, and the kernel has no part in it."""
    rng = random.Random(0)
    for _ in range(count):
        choices = {"conv.features": (features := rng.choice([8, 16, 32])), "conv.kernel": rng.randrange(64)}
        accuracy = 0.5 + features / 100 + rng.gauss(0, 0.01)
        book.add(
            record(accuracy=accuracy, figures={"flops": 1e5 * features}),
            choices=choices,
        )
    return book


def test_the_planted_choice_comes_first_with_means_that_rise(book: Book) -> None:
    (found,) = what_matters(book.entry, planted(book).trials()).matters
    assert [bar.name for bar in found.bars] == ["conv.features", "conv.kernel"]
    assert found.bars[0].low > 0.5
    assert [bar.note for bar in found.bars] == ["", "no more than chance"]
    marginal = found.marginals[0]
    assert [mark.label for mark in marginal.marks] == ["8", "16", "32"]
    heights = [mark.y for mark in marginal.marks]
    assert heights == sorted(heights, reverse=True)  # from the top
    assert all(0 <= mark.high_y <= mark.y <= mark.low_y <= HEIGHT for mark in marginal.marks)


def test_the_ticks_of_means_are_round_and_lie_within_the_plot(book: Book) -> None:
    (found,) = what_matters(book.entry, planted(book).trials()).matters
    for marginal in found.marginals:
        assert 2 <= len(marginal.ticks) <= 6
        assert all(0 <= height <= HEIGHT and len(words) <= 4 for height, words in marginal.ticks)


def test_a_name_that_has_no_room_below_a_plot_is_cut_with_an_ellipsis(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.reports.matters.LETTER", 100)
    below = [text.text for text in planted(book).page().by_id("choices").all("text")]
    assert "32" in below
    assert any(len(text) == 3 and text.endswith("–…") for text in below)


def test_the_page_says_it_without_a_script(book: Book) -> None:
    text = planted(book).page().by_id("choices").text
    assert "Which choices matter to validation accuracy" in text
    assert "Validation accuracy for FLOPs" in text
    assert "a value that the strategy left after few trials can have a large share" in text


def test_of_few_trials_nothing_is_said_but_why(book: Book) -> None:
    found = what_matters(book.entry, planted(book, 5).trials())
    assert not found.matters
    assert found.why_not == "5 complete trials compare, and of fewer than 10 nothing is said."
    assert found.why_not in book.page().by_id("choices").text


def test_architectures_that_are_none_of_the_space_are_left_out(book: Book) -> None:
    for n in range(12):
        book.add(record(accuracy=n / 20), choices={"nowhere": n})
    assert what_matters(book.entry, book.trials()).why_not == "0 complete trials compare, and of fewer than 10 nothing is said."


def test_of_many_trials_so_many_evenly_apart_are_looked_at(make_book: MakeBook) -> None:
    book = planted(make_book(), 20)
    trials = book.trials() * (MOST_TRIALS // 10)
    assert what_matters(book.entry, trials).trials <= MOST_TRIALS


def audited(place: int, real: float, real_rank: int) -> Audited:
    return Audited(
        number=place,
        architecture=Architecture("toy", 1, {"conv.features": 8, "conv.kernel": place}),
        cheap=0.9 - place / 100,
        cheap_rank=place + 1,
        real=real,
        real_rank=real_rank,
        seeds=1,
        weight=2.0,
        curve={},
    )


def an_audit() -> Audit:
    rows = tuple(audited(n, 0.9 - n / 50, n + 1) for n in range(8))
    goal = Objective("validation_accuracy", "maximize")
    return Audit(
        study="demo", cheap=goal, real=goal, cheap_budget="3 epochs", real_budget="6 epochs", architectures=16, wanted=8,
        failed=0, elsewhere=0, pruned=(),
        rows=rows, tau=0.9, low=0.7, high=0.97, noise=None, ceiling=None, corrected=None, first=rows[0], best=rows[0],
        regret=0.0, margin=None, tops=(), readings=(Reading(epochs=3, tau=0.8),), enough=3,
    )  # fmt: skip


def test_an_audit_stands_in_the_outcome_and_in_a_section_of_its_own(full: Book) -> None:
    audit = an_audit()
    page = parse(render(full.entry, full.trials(), audit=audit))
    assert page.all("p", class_="outcome more-of-it")[-1].text == audit.sentence
    assert "The search's order agrees with full training (τ = 0.90" in page.by_id("trust").text
    assert len(page.by_id("trust").all("circle")) == 8
    assert "from 3 epochs on" in page.by_id("trust").text


def test_an_order_that_agrees_lies_on_the_line() -> None:
    found = trust(an_audit())
    assert [(dot.x, dot.y) for dot in found.dots] == [(round(n / 7 * SIZE, 1),) * 2 for n in range(8)]
    assert found.rows[0][:2] == ("1", "1")


def test_without_an_audit_there_is_no_such_section(full: Book) -> None:
    assert all(section.attributes["id"] != "trust" for section in full.page().all("section"))
