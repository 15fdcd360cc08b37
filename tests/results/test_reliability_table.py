"""The committed table of the fault suite says what its data say, of commits without changes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / "reliability.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The function that writes the page, and the rows of the suite."""
    for folder in (ROOT / "benchmarks" / "speed", *(ROOT / "tests" / name for name in ("records", "execution", "faults"))):
        monkeypatch.syspath_prepend(str(folder))
    import reliability_page
    import rows

    return reliability_page.page, rows.ROWS


def test_the_page_is_made_of_the_data(data: dict[str, Any], suite: Any) -> None:
    page, rows = suite
    assert (RESULTS / "reliability.md").read_text(encoding="utf-8") == page(data, rows)


def test_every_row_of_it_was_played_at_its_full_length_and_met(data: dict[str, Any], suite: Any) -> None:
    rows = {row.name: row for row in suite[1]}
    assert list(data["rows"]) == [name for name in rows if name in data["rows"]]
    for name, came in data["rows"].items():
        row = rows[name]
        assert came["passed"], row.name
        assert came["times"] >= row.long, row.name


def test_every_row_names_a_commit_without_changes(data: dict[str, Any]) -> None:
    assert all(re.fullmatch(r"[0-9a-f]{12}", came["commit"]) for came in data["rows"].values())
