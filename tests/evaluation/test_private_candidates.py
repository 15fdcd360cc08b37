"""Candidates that are trained in private: figures and notes of their Records, and who cannot be."""

import random
from dataclasses import asdict, replace
from typing import Any

import pytest
from toys import TOY

from benchmarks.digits import BENCHMARK as DIGITS
from nas.benchmark import YOUNG, Budget, Recipe
from nas.errors import BenchmarkError, SearchError
from nas.evaluation import Evaluator
from nas.space import parse_space

pytest.importorskip("opacus")

GROUPED = parse_space(
    """
name: grouped
version: 1
accepts: image
choices:
  width: [4, 8]
layers:
  - conv: {features: $width, kernel: 3, stride: 2, norm: none, activation: none}
  - norm: {kind: group, groups: 2}
  - activation: {kind: tanh}
  - head
"""
)
BRIEF = Budget(epochs=1, fraction=0.1)


def evaluator(space: Any = GROUPED, recipe: dict[str, Any] | None = None, **options: Any) -> Evaluator:
    private = replace(DIGITS, recipe=replace(DIGITS.recipe, **(recipe or {"privacy_noise": 1.0, "privacy_delta": 1e-3})))
    return Evaluator(space, private, **options)


def test_a_record_tells_epsilon_delta_and_how() -> None:
    architecture = GROUPED.sample(random.Random(0))
    record = evaluator()(architecture, budget=BRIEF, seed=0)
    assert record.outcome == "complete", record.error
    assert 0 < record.figures["privacy_epsilon"] < 50
    assert record.figures["privacy_delta"] == 1e-3
    assert any(note.startswith("In private: ε ") and "gradients by opacus' rules" in note for note in record.notes)
    assert record.figures["peak_memory_bytes"] > 0


def test_replicates_are_each_as_private() -> None:
    architecture = GROUPED.sample(random.Random(0))
    one = evaluator()(architecture, budget=BRIEF, seed=0)
    both = evaluator(replicates=2, together="always")(architecture, budget=BRIEF, seed=0)
    assert both.outcome == "complete", both.error
    assert both.figures["privacy_epsilon"] == one.figures["privacy_epsilon"]
    assert both.replicates[0].weights_sha256 == one.weights_sha256
    assert "Trained one after another: gradients of each example are taken by themselves." in both.notes


def test_who_cannot_be_trained_in_private_is_a_record_that_says_why() -> None:
    record = evaluator(TOY)(TOY.sample(random.Random(0)), budget=BRIEF, seed=0)
    assert record.outcome == "failed"
    assert record.error is not None
    assert record.error.kind == "unsupported"
    assert record.error.message.startswith("Batches are normalised by stem")
    assert record.error.message.endswith("give --recipe batch_norm=group, or choices without batch normalisation.")
    assert record.curve == ()


def test_with_the_way_out_that_is_told_it_is_trained_in_private() -> None:
    recipe = {"privacy_noise": 1.0, "privacy_delta": 1e-3, "batch_norm": "group"}
    architecture = TOY.sample(random.Random(0))
    record = evaluator(TOY, recipe)(architecture, budget=BRIEF, seed=0)
    plain = Evaluator(TOY, DIGITS)(architecture, budget=BRIEF, seed=0)
    assert record.outcome == "complete", record.error
    assert any("gradients by opacus' rules" in note for note in record.notes)
    assert [record.figures[name] for name in ("params", "flops")] == [plain.figures[name] for name in ("params", "flops")]
    assert record.figures["size_bytes"] < plain.figures["size_bytes"]  # without running means and variances


def test_what_is_compiled_is_not_private() -> None:
    with pytest.raises(SearchError, match="Private training is not compiled, got compile 'always'"):
        evaluator(compile="always")(GROUPED.sample(random.Random(0)), budget=BRIEF, seed=0)


def test_other_protocols_are_refused() -> None:
    with pytest.raises(BenchmarkError, match="in private networks learn by supervision alone, got the protocol 'adversarial'"):
        replace(DIGITS, protocol="adversarial", recipe=replace(DIGITS.recipe, privacy_noise=1.0))


def test_normalisation_is_replaced_where_networks_learn_by_supervision_alone() -> None:
    with pytest.raises(BenchmarkError, match="supervision alone, got the protocol 'fine_tune'; leave batch_norm out"):
        replace(DIGITS, protocol="fine_tune", recipe=replace(DIGITS.recipe, batch_norm="group"))
    with pytest.raises(BenchmarkError, match=r"A recipe's batch_norm is batch or group, got 'layer'\."):
        replace(DIGITS.recipe, batch_norm="layer")  # type: ignore[arg-type]


def test_a_recipe_without_privacy_means_what_it_meant_before() -> None:
    plain = DIGITS.to_data()["recipe"]
    assert not {name for name in plain if name.startswith("privacy")}
    assert Recipe(**plain) == DIGITS.recipe
    private = replace(DIGITS, recipe=replace(DIGITS.recipe, privacy_epsilon=2.0)).to_data()["recipe"]
    assert private == {**plain, "privacy_epsilon": 2.0}
    assert {name for name in asdict(DIGITS.recipe) if name.startswith(("privacy", "batch_norm"))} <= set(YOUNG)
