"""Ledgers made by hand, and a browser where there is one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from books import Book, MakeBook, books_in, fill
from chromium import CHROMIUM, Browser, browsing
from trees import Element, parse


@pytest.fixture
def make_book(tmp_path: Path) -> Iterator[MakeBook]:
    """Begins studies in one ledger; `changes` go to the definition."""
    with books_in(tmp_path) as make:
        yield make


@pytest.fixture
def book(make_book: MakeBook) -> Book:
    """An empty study."""
    return make_book()


@pytest.fixture
def full(book: Book) -> Book:
    """A study with something of everything."""
    return fill(book)


@pytest.fixture(scope="session")
def full_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study with something of everything, not to be changed."""
    with books_in(tmp_path_factory.mktemp("full")) as make:
        return fill(make()).write()


@pytest.fixture(scope="session")
def full_page(full_path: Path) -> Element:
    """That page as a tree."""
    return parse(full_path.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no {CHROMIUM}")
    with browsing() as started:
        yield started
