"""Made-up tables, and a browser where there is one."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_up import write_table

sys.path.append(str(Path(__file__).parents[1] / "reports"))
from chromium import CHROMIUM, Browser, browsing


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of 64 architectures whose truth is known."""
    return write_table(tmp_path / "hill.csv")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"there is no {CHROMIUM}")
    with browsing() as started:
        yield started
