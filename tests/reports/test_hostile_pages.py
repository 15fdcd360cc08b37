"""Hostile texts in every field of a study, in a real browser: no dialog, no request, no complaint."""

import pytest
from books import MakeBook
from chromium import Browser
from hostile import HOSTILE, hostile_book

OPEN = """{
  for (const details of document.querySelectorAll('details')) details.open = true;
  const select = document.querySelector('#state');
  select.value = 'all';
  select.dispatchEvent(new Event('change'));
  for (const button of document.querySelectorAll('#board .opens')) button.click();
  for (const canvas of document.querySelectorAll('.canvas')) {
    canvas.focus();
    canvas.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight' }));
    canvas.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' }));
  }
}"""


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_hostile_text_does_nothing_in_a_browser(browser: Browser, make_book: MakeBook, number: int) -> None:
    page = hostile_book(make_book, "demo", HOSTILE[number]).write()
    browser.open(page)
    browser.run(OPEN)
    browser.settle()
    assert browser.run("document.querySelectorAll('#board tr.line').length") == 4
    assert browser.dialogs() == []
    assert browser.requests() == [page.as_uri()]
    assert browser.complaints() == []
