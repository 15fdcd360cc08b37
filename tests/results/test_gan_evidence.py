"""The page on generators beside a DCGAN says what its file of seeds says, and both were trained the same way."""

import runpy
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_ind

HERE = Path(__file__).parents[2] / "results" / "gan"


@pytest.fixture(scope="module")
def code() -> dict[str, Any]:
    return runpy.run_path(str(HERE / "compare.py"))


def test_the_table_is_that_of_the_seeds(code: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = (HERE / "README.md").read_text(encoding="utf-8")
    before, _, rest = page.partition(code["BEGIN"])
    monkeypatch.setitem(code["tell"].__globals__, "README", tmp_path / "README.md")
    (tmp_path / "README.md").write_text(before + code["BEGIN"] + code["END"] + rest.partition(code["END"])[2], encoding="utf-8")
    code["tell"](code["read"]())
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == page


def test_both_sides_were_trained_the_same_way_from_five_seeds_at_equal_cost(code: dict[str, Any]) -> None:
    for benchmark in ("digits_generation", "fashion_mnist_generation"):
        winners, dcgans = (
            [one for one in code["read"]() if (one.benchmark, one.network) == (benchmark, side)] for side in ("winner", "dcgan")
        )
        assert len(winners) >= 5
        assert {one.seed for one in winners} == {one.seed for one in dcgans}
        assert len({one.way for one in [*winners, *dcgans]}) == 1
        assert winners[0].flops == pytest.approx(dcgans[0].flops, rel=0.1)
        assert winners[0].discriminator_macs <= 1.03 * dcgans[0].discriminator_macs


def test_the_difference_is_what_welchs_test_says(code: dict[str, Any]) -> None:
    one, other = [1.0, 2.0, 3.0], [2.0, 4.0, 6.0, 8.0]
    apart, half = code["difference"](one, other)
    assert (apart - half, apart + half) == pytest.approx(tuple(ttest_ind(one, other, equal_var=False).confidence_interval()))
