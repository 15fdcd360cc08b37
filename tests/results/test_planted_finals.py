"""The committed page on certainty says what its tables say."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "results" / "certainty"
LINES = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()


def rows(columns: int) -> list[list[str]]:
    """The cells of the table of so many columns, without its head."""
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in LINES if line.startswith("|")]
    return [cells for cells in found if len(cells) == columns][2:]


def share(text: str) -> float:
    return float(text.removesuffix("%")) / 100


def test_intervals_of_every_kind_and_number_hold_the_truth_as_often_as_they_should() -> None:
    assert {(cells[0], cells[1]) for cells in rows(9)} == {
        (kind, seeds) for kind in ("normal", "uneven", "skewed", "common", "accuracies") for seeds in ("2", "3", "5", "10")
    }
    assert all(0.92 <= share(cells[2]) <= 0.97 for cells in rows(9))
    assert sum(share(cells[4]) for cells in rows(9)) / 20 <= 0.05


def test_what_is_said_of_the_first_is_as_often_true() -> None:
    for _, _, said, true in rows(4):
        assert float(true) == pytest.approx(float(said), abs=0.08)
    assert float(rows(4)[-1][3]) >= 0.99


def test_near_ties_first_leaves_less_regret_than_equal_seeds() -> None:
    assert len(rows(7)) == 12
    for *_, even, near in rows(7):
        assert 0.6 <= float(near) / float(even) <= 0.9
