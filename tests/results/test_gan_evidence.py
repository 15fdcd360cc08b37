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


def test_both_sides_were_trained_the_same_way_from_five_seeds_at_like_cost(code: dict[str, Any]) -> None:
    trained = code["read"]()
    assert {one.benchmark for one in trained} == {"digits_generation", "fashion_mnist_generation"}
    for pair in {one.pair for one in trained}:
        searched, dcgans = ([one for one in trained if (one.pair, one.network) == (pair, side)] for side in ("searched", "dcgan"))
        assert len(searched) >= 5
        assert {one.seed for one in searched} == {one.seed for one in dcgans}
        assert len({one.way for one in [*searched, *dcgans]}) == 1
        assert searched[0].flops == pytest.approx(dcgans[0].flops, rel=0.15)


def test_the_difference_is_what_welchs_test_says(code: dict[str, Any]) -> None:
    one, other = [1.0, 2.0, 3.0], [2.0, 4.0, 6.0, 8.0]
    apart, half = code["difference"](one, other)
    assert (apart - half, apart + half) == pytest.approx(tuple(ttest_ind(one, other, equal_var=False).confidence_interval()))
