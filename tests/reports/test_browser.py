"""The page in a real browser: what the scripts do, and that nothing complains."""

from pathlib import Path

import pytest
from books import Book, MakeBook, curve, latency, record
from chromium import Browser

from nas.records import Failure

LINES = "Array.from(document.querySelectorAll('#board tr.line'))"
CELLS = LINES + ".map((line) => line.querySelector('td.%s').textContent.trim())"
FIGURE = LINES + ".map((line) => line.cells[%d].textContent.trim())"
HEADER = "Array.from(document.querySelectorAll('#board th')).find((th) => th.textContent.startsWith('%s'))"
SET = "(() => { const element = document.querySelector('%s'); element.value = '%s'; element.dispatchEvent(new Event('%s')); })()"


@pytest.fixture
def shown(browser: Browser, full_path: Path) -> Browser:
    browser.open(full_path)
    return browser


def write(browser: Browser, into: str, text: str, event: str = "change") -> None:
    browser.run(SET % (into, text, event))
    browser.settle()


def test_the_console_stays_empty_and_nothing_is_fetched(shown: Browser, full_path: Path) -> None:
    assert shown.complaints() == []
    assert shown.requests() == [full_path.as_uri()]


# ---- the leaderboard ----


def test_a_column_sorts_by_its_button_both_ways(shown: Browser) -> None:
    assert shown.run(HEADER % "rank" + ".getAttribute('aria-sort')") == "ascending"
    shown.run(HEADER % "params" + ".querySelector('button').click()")
    assert shown.run(HEADER % "params" + ".getAttribute('aria-sort')") == "ascending"
    assert shown.run(HEADER % "rank" + ".getAttribute('aria-sort')") is None
    assert shown.run(FIGURE % 5) == [f"{n},000" for n in range(1, 11)]
    shown.run(HEADER % "params" + ".querySelector('button').click()")
    assert shown.run(FIGURE % 5) == [f"{n},000" for n in range(10, 0, -1)]


def test_where_nothing_is_complete_all_that_was_tried_is_shown(browser: Browser, book: Book) -> None:
    book.add(record("failed", accuracy=None, error=Failure(kind="diverged", message="the loss was nan")))
    browser.open(book.write())
    assert browser.run("document.querySelector('#state').value") == "all"
    assert browser.run(LINES + ".length") == 1
    assert browser.complaints() == []


def test_a_figure_too_small_for_its_column_does_not_read_0(browser: Browser, book: Book) -> None:
    book.add(record(figures={"flops": 992.0}))
    browser.open(book.write())
    assert browser.run(FIGURE % 6) == ["0.001"]


def test_a_curve_of_one_epoch_is_a_point(browser: Browser, book: Book) -> None:
    book.add(record(accuracy=0.9, curve=curve(0.9, 1)))
    browser.open(book.write())
    assert browser.run("document.querySelectorAll('circle.training.named').length") == 1
    assert browser.run("document.querySelector('#legend small').textContent") == "0.9 after 1 epoch"


def test_what_a_value_is_called_has_what_is_seen_of_it(browser: Browser, book: Book) -> None:
    for kind in ("inverted_residual", "conv"):
        book.add(record(accuracy=0.9), choices={"conv.features": 8, "conv.kernel": 1, "kind": kind})
    browser.open(book.write())
    values = (
        "Array.from(document.querySelectorAll('#parallel .value'), (one) => [one.getAttribute('aria-label'), one.textContent])"
    )
    seen = dict(browser.run(values))
    assert seen["kind inverted_residual, shown as inverted_re…"] == "inverted_re…"
    assert seen["kind conv"] == "conv"
    assert browser.run("Array.from(document.querySelectorAll('details > pre'), (one) => one.tabIndex)") == [0]


def test_the_keyboard_sorts_too_and_stays_on_the_header(shown: Browser) -> None:
    shown.run(HEADER % "validation" + ".querySelector('button').focus()")
    shown.press("Enter")
    assert shown.run(HEADER % "validation" + ".getAttribute('aria-sort')") == "descending"
    assert shown.run("document.activeElement.textContent") == "validation accuracy"


@pytest.mark.parametrize(
    ("words", "found"),
    [("kernel: 9", ["9"]), ("kernel: 9, kernel: 8", []), ("a note", [str(n) for n in range(9, -1, -1)]), ("0", None)],
)
def test_words_narrow_the_rows_by_choices_notes_and_ids(shown: Browser, words: str, found: list[str] | None) -> None:
    write(shown, "#words", words, "input")
    if found is None:
        assert 0 < len(shown.run(CELLS % "trial")) <= 10
    else:
        assert shown.run(CELLS % "trial") == found
    assert ("No trial passes" in shown.run("document.querySelector('#board').textContent")) == (found == [])


def test_a_range_of_a_figure_narrows_the_rows_and_can_be_taken_away(shown: Browser) -> None:
    write(shown, "#figure", "params")
    write(shown, "#least", "3000")
    write(shown, "#most", "5000")
    assert shown.run(FIGURE % 5) == ["5,000", "4,000", "3,000"]
    assert shown.run("document.querySelector('#chips').textContent") == "params from 3000 to 5000 ×"
    shown.run("document.querySelector('#chips button').click()")
    assert len(shown.run(CELLS % "trial")) == 10


def test_states_and_stages_are_looked_at_one_at_a_time_or_all(shown: Browser) -> None:
    options = "Array.from(document.querySelector('#%s').options, (option) => option.textContent)"
    assert shown.run(options % "state") == [
        "complete (10)", "pruned (1)", "failed (1)", "infeasible (1)", "running (1)", "repeated (1)", "all (15)",
    ]  # fmt: skip
    write(shown, "#state", "failed")
    assert shown.run(CELLS % "trial") == ["11"]
    write(shown, "#state", "all")
    assert len(shown.run(CELLS % "trial")) == 15
    assert "infeasible" in shown.run(CELLS % "state")
    write(shown, "#stage", "final")
    assert shown.run(CELLS % "rank") == ["1=", "1="]


def test_a_row_opens_to_its_choices_figures_notes_and_curve(shown: Browser) -> None:
    shown.run(LINES + "[0].querySelector('.opens').focus()")
    shown.press("Enter")
    assert shown.run("document.activeElement.getAttribute('aria-expanded')") == "true"
    text = shown.run("document.querySelector('#board tr.under').textContent")
    for words in ("conv.kernel: 9", "MMACs0.70", "latency ms0.850 (0.765–0.935)", "a note", "by epoch 1: 0.2967", "add ×2"):
        assert words in text
    shown.press("Enter")
    assert shown.run("document.querySelector('#board tr.under')") is None


def test_pages_turn(browser: Browser, book: Book) -> None:
    for n in range(60):
        book.add(record(accuracy=0.5 + n / 200))
    browser.open(book.write())
    assert browser.run("document.querySelector('#count').textContent") == "1–50 of 60 rows"
    browser.run("document.querySelector('#next').click()")
    assert browser.run(CELLS % "rank") == [str(n) for n in range(51, 61)]
    assert browser.run("document.querySelector('#next').disabled")
    write(browser, "#length", "25")
    assert len(browser.run(LINES + ".length.toString()")) == 2
    assert browser.run("document.querySelector('#count').textContent") == "1–25 of 60 rows"


# ---- plots ----


def test_a_trade_off_has_all_points_a_front_intervals_and_limits(shown: Browser) -> None:
    write(shown, "#across", "latency_ms")
    assert shown.run("document.querySelector('#tradeoff svg').getAttribute('aria-label')") == (
        "validation accuracy against latency ms: 10 architectures, 10 on the front"
    )
    assert shown.run("document.querySelectorAll('#tradeoff .interval').length") == 10
    write(shown, "#across", "params")
    assert shown.run("document.querySelector('#tradeoff text.limit')") is None  # far from the points
    write(shown, "#state", "all")
    assert "11 architectures" in shown.run("document.querySelector('#tradeoff svg').getAttribute('aria-label')")
    assert shown.run("document.querySelectorAll('#tradeoff .dots.pruned').length") == 1


def test_a_limit_near_the_points_is_a_line(browser: Browser, make_book: MakeBook) -> None:
    book = make_book(limits=["params <= 14000"])
    for n in range(4):
        book.add(record(accuracy=0.5 + n / 10, figures={"params": 10_000 + 1_000 * n}, latency=latency(0.5)))
    browser.open(book.write())
    write(browser, "#across", "params")
    assert browser.run("document.querySelector('#tradeoff text.limit').textContent") == "params <= 14000"


@pytest.mark.parametrize(("axis", "best"), [("params", [1, 2, 4]), ("validation_accuracy", [4])])
def test_the_front_is_that_of_a_brute_force_twin(browser: Browser, make_book: MakeBook, axis: str, best: list[int]) -> None:
    goals = [{"figure": "validation_accuracy", "direction": "maximize"}, {"figure": "params", "direction": "minimize"}]
    book = make_book(objectives=goals)
    for accuracy, params in [(0.5, 100), (0.6, 200), (0.55, 300), (0.7, 400)]:
        book.add(record(accuracy=accuracy, figures={"params": params}))
    browser.open(book.write())
    write(browser, "#across", axis)
    table = "Array.from(document.querySelectorAll('#tradeoff .points tbody tr'), (row) => row.cells[2].textContent)"
    assert len(browser.run(table)) == len(best)


def test_arrow_keys_walk_the_points_enter_selects_and_s_shows_the_row(shown: Browser) -> None:
    shown.run("document.querySelector('#sofar .canvas').focus()")
    shown.press("ArrowRight", "ArrowRight")
    assert "validation accuracy0.8200" in shown.run("document.querySelector('#sofar .tip').textContent")
    shown.press("Enter")
    assert shown.run("document.querySelectorAll('#board tr.picked').length") == 1
    shown.press("s")
    assert shown.run("document.activeElement.closest('tr').querySelector('td.trial').textContent") == "2"
    assert shown.run("document.activeElement.getAttribute('aria-expanded')") == "true"


def test_best_so_far_counts_evaluations_work_or_the_clock(shown: Browser) -> None:
    label = "document.querySelector('#sofar svg').getAttribute('aria-label')"
    assert shown.run(label) == "Best validation accuracy so far: 10 improvements in 11 evaluations"
    for clock in ("work", "clock"):
        write(shown, "#clock", clock)
        assert shown.run(label).startswith("Best validation accuracy so far: 10 improvements")


def test_a_selected_row_is_marked_in_every_plot_and_its_curve_is_named(shown: Browser) -> None:
    shown.run(LINES + "[3].querySelector('input').click()")
    shown.settle()
    assert shown.run("document.querySelectorAll('#tradeoff .ring, #sofar .ring').length") == 2
    assert shown.run("document.querySelectorAll('#legend li').length") == 1
    assert shown.run("document.querySelectorAll('#parallel .named').length") == 1


def test_a_value_of_a_choice_narrows_rows_and_plots(shown: Browser) -> None:
    values = "Array.from(document.querySelectorAll('#parallel .value'))"
    assert "conv.kernel 9" in shown.run(values + ".map((value) => value.getAttribute('aria-label'))")
    shown.run(values + ".find((value) => value.getAttribute('aria-label') === 'conv.kernel 9').focus()")
    shown.press("Enter")
    assert shown.run(CELLS % "trial") == ["9"]
    assert shown.run("document.activeElement.getAttribute('aria-pressed')") == "true"
    assert shown.run("document.querySelector('#chips').textContent") == "conv.kernel: 9 ×"


# ---- the page ----


def test_what_is_looked_at_is_kept_over_a_reload_and_in_the_address(shown: Browser, full_path: Path) -> None:
    write(shown, "#words", "kernel: 9", "input")
    shown.run(HEADER % "params" + ".querySelector('button').click()")
    address = shown.run("location.hash")
    shown.open(full_path, keep=True)
    assert shown.run(CELLS % "trial") == ["9"]
    assert shown.run(HEADER % "params" + ".getAttribute('aria-sort')") == "ascending"
    assert shown.run("location.hash") == ""
    assert address.startswith("#view=")


@pytest.mark.parametrize(
    "kept", ["null", "[]", "{", '{"ranges":{"params":[1]},"picks":{"__proto__":[0]},"sort":7,"page":-1,"selected":[{}]}']
)
def test_an_address_that_says_nonsense_is_no_trouble(browser: Browser, full_path: Path, kept: str) -> None:
    browser.open(full_path)
    browser.run(f"sessionStorage.setItem('nas ' + document.title, {kept!r})")
    browser.open(full_path, keep=True)
    assert browser.complaints() == []
    assert len(browser.run(CELLS % "trial")) == 10


def test_the_theme_turns_and_stays(shown: Browser, full_path: Path) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    before = shown.run(paper)
    shown.run("document.querySelector('#theme').click()")
    after = shown.run(paper)
    assert before != after
    shown.open(full_path, keep=True)
    assert shown.run(paper) == after


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_page_is_never_wider_than_the_window(browser: Browser, full_path: Path, width: int) -> None:
    browser.open(full_path, width=width)
    browser.run("for (const details of document.querySelectorAll('details')) details.open = true")
    browser.run(LINES + "[0].querySelector('.opens').click()")
    browser.settle()
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_without_a_script_the_tables_stand_and_say_so(browser: Browser, full_path: Path) -> None:
    browser.open(full_path, scripts=False)
    assert "need JavaScript" in browser.run("document.querySelector('noscript').innerText")
    assert browser.run("document.querySelectorAll('.board > tbody').length") == 12
    alive = "document.querySelectorAll('.canvas svg, form:not([hidden]), th button, #pager:not([hidden])').length"
    assert browser.run(alive) == 0
    assert browser.run("document.querySelectorAll('svg.drawing').length") == 2


def test_an_empty_study_is_no_trouble(browser: Browser, book: Book) -> None:
    browser.open(book.write())
    assert browser.complaints() == []
