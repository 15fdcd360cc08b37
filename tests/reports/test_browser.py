"""The page in a real browser: what the script does, and that nothing complains."""

from pathlib import Path

import pytest
from books import Book
from chromium import Browser

CELLS = "Array.from(document.querySelectorAll('#search .board > tbody'), (b) => b.rows[0].cells[%d].textContent.trim())"
HEADER = "Array.from(document.querySelectorAll('#search .board th')).find((th) => th.textContent.startsWith('%s'))"
SETTLE = "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))"


@pytest.fixture
def shown(browser: Browser, full_path: Path) -> Browser:
    browser.open(full_path)
    return browser


def test_the_console_stays_empty_and_nothing_is_fetched(shown: Browser, full_path: Path) -> None:
    shown.run(SETTLE)
    assert shown.complaints() == []
    assert shown.requests() == [full_path.as_uri()]


def test_a_column_sorts_by_its_button_both_ways(shown: Browser) -> None:
    assert shown.run(HEADER % "rank" + ".getAttribute('aria-sort')") == "ascending"
    shown.run(HEADER % "params" + ".querySelector('button').click()")
    assert shown.run(HEADER % "params" + ".getAttribute('aria-sort')") == "ascending"
    assert shown.run(HEADER % "rank" + ".getAttribute('aria-sort')") is None
    assert shown.run(CELLS % 4) == [f"{n},000" for n in range(1, 11)]
    shown.run(HEADER % "params" + ".querySelector('button').click()")
    assert shown.run(CELLS % 4) == [f"{n},000" for n in range(10, 0, -1)]


def test_the_keyboard_sorts_too(shown: Browser) -> None:
    shown.run(HEADER % "validation" + ".querySelector('button').focus()")
    for kind in ("keyDown", "keyUp"):
        shown.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    assert shown.run(HEADER % "validation" + ".getAttribute('aria-sort')") == "descending"


def test_every_point_is_drawn_and_can_be_asked_what_it_is(shown: Browser) -> None:
    assert shown.run("Array.from(document.querySelectorAll('.plot'), (p) => p.querySelectorAll('.point').length)") == [11, 10, 10]
    assert shown.run("document.querySelectorAll('#progress .point[tabindex=\"0\"]').length") == 1
    assert "validation accuracy 0.8000" in shown.run("document.querySelector('#progress .point[tabindex=\"0\"]').ariaLabel")
    assert shown.run("document.querySelectorAll('.point.pruned').length") == 1
    assert shown.run("document.querySelectorAll('.interval').length") == 10


def test_arrow_keys_walk_the_points_and_enter_shows_the_row(shown: Browser) -> None:
    shown.run("document.querySelector('#progress .point[tabindex=\"0\"]').focus()")
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        shown.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key)
    assert shown.run("document.querySelector('.marked td:last-child').textContent.trim()") == "2"
    assert shown.run("document.activeElement.tagName") == "SUMMARY"


def test_the_filter_hides_rows_without_the_words(shown: Browser) -> None:
    shown.run("document.querySelector('#search input').value = 'kernel: 9'")
    shown.run("document.querySelector('#search input').dispatchEvent(new Event('input'))")
    assert shown.run("document.querySelectorAll('#search .board > tbody:not([hidden])').length") == 1
    assert shown.run("document.querySelector('#search output').textContent") == "1 of 10 rows"


def test_a_row_opens_where_it_is_clicked(shown: Browser) -> None:
    visible = "getComputedStyle(document.querySelector('#search .under')).display"
    assert shown.run(visible) == "none"
    shown.run("document.querySelector('#search .board > tbody > tr > td:nth-child(4)').click()")
    assert shown.run(visible) == "table-row"


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_page_is_never_wider_than_the_window(browser: Browser, full_path: Path, width: int) -> None:
    browser.open(full_path, width=width)
    browser.run("for (const details of document.querySelectorAll('details')) details.open = true")
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_without_a_script_the_tables_stand_and_say_so(browser: Browser, full_path: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(full_path)
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
        assert "need JavaScript" in browser.run("document.querySelector('noscript').innerText")
        assert browser.run("document.querySelectorAll('.board > tbody').length") == 12
        assert browser.run("document.querySelectorAll('.plot:not([hidden]), .tools:not([hidden]), th button').length") == 0
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_an_empty_study_is_no_trouble(browser: Browser, book: Book) -> None:
    browser.open(book.write())
    browser.run(SETTLE)
    assert browser.complaints() == []
