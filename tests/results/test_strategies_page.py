"""The committed comparison of strategies: its README says what its figures say."""

import csv
import re
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import pytest

HERE = Path(__file__).parents[2] / "results" / "strategies"
BUDGETS = ("50", "100", "200", "400")


def rows(page: str) -> list[dict[str, str]]:
    with (HERE / page / "comparison.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def without_noise() -> dict[str, dict[str, list[float]]]:
    """Strategy → budget → the regrets of the three public tables."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in [*(row for row in rows("whole") if row["table"] != "nas_bench_macro"), *rows("means")]:
        found[row["strategy"]][row["evaluations"]].append(float(row["regret"]))
    return found


def test_the_table_of_the_readme_is_the_mean_of_the_pages() -> None:
    found = without_noise()
    told = re.findall(r"^\| `([^`]+)`[^|]*((?:\| [\d.]+ ){4})\|$", (HERE / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for name, _ in told} == set(found)
    for name, cells in told:
        for budget, cell in zip(BUDGETS, cells.strip("| ").split(" | "), strict=True):
            assert len(found[name][budget]) == 3
            assert float(cell) == pytest.approx(fmean(found[name][budget]), abs=0.0006), (name, budget)


def test_auto_keeps_to_a_tenth_of_the_best_other_strategy() -> None:
    means = {name: {budget: fmean(values) for budget, values in by.items()} for name, by in without_noise().items()}
    others = [means[name] for name in means if name not in {"auto", "sort"}]
    for budget in ("50", "100"):
        assert means["auto"][budget] <= 0.1 * min(other[budget] for other in others)


@pytest.mark.parametrize("page", ["whole", "means", "limits"])
def test_a_page_is_of_clean_commits_and_names_no_folder(page: str) -> None:
    text = (HERE / page / "comparison.html").read_text(encoding="utf-8")
    assert re.search(r"\b[0-9a-f]{12}\b", text)
    assert "-dirty" not in text
    assert not re.search(r"/(tmp|home|root|work)/", text)
