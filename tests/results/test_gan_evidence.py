"""The page on generators beside a DCGAN says what its file of seeds says, and both were trained the same way."""

import random
import runpy
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_ind

from benchmarks.fashion_mnist_generation import BENCHMARK
from nas.models import Part, plan, steps
from nas.models.layers.adversarial import Adversary, Discriminator
from nas.models.layers.generation import ImageHead, ProjectToImage, UpSample
from nas.models.layers.kind import LayerKind
from search_spaces.image_gan import SPACE

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
        sides = {side: [one for one in trained if (one.pair, one.network) == (pair, side)] for side in code["NAMES"]}
        searched, rivals = sides.pop("searched"), {side: those for side, those in sides.items() if those}
        assert "dcgan" in rivals
        assert len(searched) >= 5
        for side, rival in rivals.items():
            assert {one.seed for one in searched} == {one.seed for one in rival}
            (recipe, budget), (its_recipe, its_budget) = (one_of({one.way for one in several}) for several in (searched, rival))
            assert its_recipe == recipe
            if side == "longer":  # of which its cost is alike, and not its epochs
                epochs, its_epochs = (int(words.split()[0]) for words in (budget, its_budget))
                assert its_epochs > epochs
                assert its_budget == budget.replace(str(epochs), str(its_epochs), 1)
            else:
                assert its_budget == budget
            assert searched[0].flops == pytest.approx(rival[0].flops, rel=0.15)
            assert searched[0].discriminator_macs == pytest.approx(rival[0].discriminator_macs, rel=0.15)


def one_of(ways: set[tuple[str, str]]) -> tuple[str, str]:
    (way,) = ways
    return way


def test_the_rival_generator_is_a_dcgans_against_what_the_winner_was_trained_against(code: dict[str, Any]) -> None:
    chosen = SPACE.sample(random.Random(3))
    whole, alone = (code["dcgan"](BENCHMARK, 650_000, 870_000, against) for against in (None, chosen))
    of_whole, of_alone, of_chosen = (
        plan(space, architecture, BENCHMARK.signature)
        for space, architecture in ((whole, whole.architecture({})), (alone, alone.architecture({})), (SPACE, chosen))
    )
    for kind in (Discriminator, Adversary):
        (here,), (there,) = (layers(parts, kind) for parts in (of_alone, of_chosen))
        assert here == there
    assert layers(of_whole, Adversary) == [Adversary()]
    assert layers(of_whole, Discriminator) == [Discriminator(width=18, kernel=5, norm="batch")]
    for kind in (ProjectToImage, UpSample, ImageHead):
        assert layers(of_whole, kind) == layers(of_alone, kind)
    assert layers(of_whole, UpSample) == [UpSample(features=10, kernel=5)]


def layers(parts: tuple[Part, ...], kind: type[LayerKind]) -> list[LayerKind]:
    return [step.placed.kind for step in steps(parts) if isinstance(step.placed.kind, kind)]


def test_the_difference_is_what_welchs_test_says(code: dict[str, Any]) -> None:
    one, other = [1.0, 2.0, 3.0], [2.0, 4.0, 6.0, 8.0]
    apart, half = code["difference"](one, other)
    assert (apart - half, apart + half) == pytest.approx(tuple(ttest_ind(one, other, equal_var=False).confidence_interval()))
