"""Candidates that are made of others, by the evaluator: what is begun with, gone on with, and told."""

from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.digits import BENCHMARK
from nas.benchmark import Budget
from nas.errors import Interrupted
from nas.evaluation import Evaluator
from nas.models import build, cost
from nas.profiling import interleaving, latency
from nas.records import Descent, Parent, Record
from nas.space import Architecture, parse_space
from nas.training import Loop, derivation_of, read_weights, restored, write_weights
from nas.training import evaluate as figures_of

SPACE = parse_space(
    """
name: tiny
version: 1
accepts: image
choices: {width: [4, 8]}
layers:
  - conv: {features: $width, kernel: 3, stride: 2}
  - residual: {features: $width}
  - head
"""
)
BUDGET = Budget(epochs=2, fraction=0.2)
WIDE, NARROW = (SPACE.architecture({"width": width}) for width in (8, 4))


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr(interleaving, "SECONDS_A_NETWORK", 0.0)


@pytest.fixture(scope="module")
def evaluate() -> Evaluator:
    return Evaluator(SPACE, BENCHMARK, device="cpu")


@pytest.fixture
def parent(tmp_path: Path) -> Parent:
    """One that was not trained, which is as good."""
    weights = tmp_path / "parent.safetensors"
    write_weights(build(SPACE, WIDE, BENCHMARK.signature, seed=5), weights)
    return Parent(evaluation="0" * 16, choices=WIDE.choices, seed=5, weights=weights)


def descent(parent: Parent, method: str, **options: Any) -> Descent:
    return Descent(method=method, options=derivation_of(method, options).model_dump(mode="json"), parents=(parent,))


CASES: list[tuple[str, dict[str, Any], Architecture]] = [
    ("magnitude", {"epochs": 2}, WIDE),
    ("qat", {"epochs": 2}, WIDE),
    ("structured", {"epochs": 2}, NARROW),
    ("distil", {"features": 1.0}, NARROW),
]


@pytest.mark.parametrize(("method", "options", "child"), CASES, ids=[case[0] for case in CASES])
def test_a_child_after_an_interruption_is_that_of_a_run_that_never_stopped(
    evaluate: Evaluator, parent: Parent, tmp_path: Path, method: str, options: dict[str, Any], child: Architecture
) -> None:
    asked: dict[str, Any] = {"budget": BUDGET, "seed": 5, "descent": descent(parent, method, **options)}
    whole = evaluate(child, **asked)
    taken: list[int] = []
    with pytest.raises(Interrupted):
        evaluate.resuming(tmp_path / "half", 1000.0, lambda: len(taken) >= 4)(
            child, on_step=lambda loop: taken.append(loop.at.step), **asked
        )
    steps: list[int] = []

    def on_step(loop: Loop) -> None:
        steps.append(loop.at.step)

    gone_on = evaluate.resuming(tmp_path / "half", 1000.0)(child, on_step=on_step, **asked)
    assert steps[0] == 5
    assert gone_on.weights_sha256 == whole.weights_sha256
    assert gone_on.figures["validation_accuracy"] == whole.figures["validation_accuracy"]


@pytest.mark.parametrize("method", ["int8-weights", "int8-static", "magnitude", "structured"])
def test_what_is_kept_answers_as_what_was_measured(evaluate: Evaluator, parent: Parent, tmp_path: Path, method: str) -> None:
    kept = tmp_path / "child.safetensors"
    options = {"epochs": 1} if method in {"magnitude", "structured"} else {}
    child = NARROW if method == "structured" else WIDE
    record: Record = evaluate(child, budget=BUDGET, seed=5, weights=kept, descent=descent(parent, method, **options))
    assert record.outcome == "complete", record.error
    derived = record.derived
    assert derived is not None
    assert (derived.file_bytes, derived.parent_file_bytes) == (
        kept.stat().st_size,
        parent.weights.stat().st_size if parent.weights else 0,
    )
    assert derived.turn_ms
    assert derived.parent_turn_ms
    fresh = build(SPACE, child, BENCHMARK.signature, seed=5)
    again = restored(derived, fresh, kept, torch.zeros(1, *BENCHMARK.signature.input.axes))
    told = figures_of(again, evaluate.task, evaluate.task.examples("validation"), "validation")
    assert told["validation_accuracy"] == pytest.approx(record.figures["validation_accuracy"], abs=0.01)
    assert told["validation_loss"] == pytest.approx(record.figures["validation_loss"], rel=1e-3)


def test_the_memory_of_a_step_is_of_what_is_trained(evaluate: Evaluator, parent: Parent) -> None:
    """Rounding keeps a rounded copy of each weight, and of what each layer is given, until the way back."""
    rounded, plain = (
        evaluate(WIDE, budget=BUDGET, seed=5, descent=descent(parent, method, epochs=1)).figures["peak_memory_bytes"]
        for method in ("qat", "magnitude")
    )
    assert rounded > 1.2 * plain


def test_what_no_gradient_passes_through_is_asked_all_but_attacks(parent: Parent, tmp_path: Path) -> None:
    pytest.importorskip("torchao")
    asked = Evaluator(SPACE, BENCHMARK, device="cpu", measures=["pgd-linf-0.1-1", "noise-1"])
    record = asked(WIDE, budget=BUDGET, seed=5, descent=descent(parent, "int8-dynamic"))
    assert record.outcome == "complete", record.error
    assert "validation_accuracy:noise-1" in record.figures
    assert "validation_accuracy:pgd-linf-0.1-1" not in record.figures
    assert "No attack is measured: gradients do not pass through int8-dynamic." in record.notes


def test_a_child_by_weights_alone_is_not_trained(evaluate: Evaluator, parent: Parent) -> None:
    record = evaluate(WIDE, budget=BUDGET, seed=5, descent=descent(parent, "int8-weights"))
    assert record.curve == ()
    assert not {"train_seconds", "peak_memory_bytes"} & record.figures.keys()
    whole = build(SPACE, WIDE, BENCHMARK.signature, seed=5)
    assert record.figures["size_bytes"] < 0.5 * sum(value.nbytes for value in whole.state_dict().values())


def test_a_parent_whose_file_is_gone_is_told(evaluate: Evaluator, parent: Parent) -> None:
    assert parent.weights is not None
    parent.weights.unlink()
    record = evaluate(WIDE, budget=BUDGET, seed=5, descent=descent(parent, "int8-weights"))
    assert record.error is not None
    assert (record.error.kind, record.error.message) == (
        "unsupported",
        "The weights of its parent cannot be read: No such file or directory.",
    )


def test_the_parents_own_file_is_as_it_was(evaluate: Evaluator, parent: Parent) -> None:
    assert parent.weights is not None
    before = parent.weights.read_bytes()
    evaluate(WIDE, budget=BUDGET, seed=5, descent=descent(parent, "magnitude", epochs=1))
    assert parent.weights.read_bytes() == before
    read_weights(build(SPACE, WIDE, BENCHMARK.signature), parent.weights)


def test_what_was_cut_to_widths_that_no_space_lists_is_counted_and_made_smaller_still(
    evaluate: Evaluator, parent: Parent, tmp_path: Path
) -> None:
    kept = tmp_path / "trimmed.safetensors"
    asked: dict[str, Any] = {"budget": BUDGET, "seed": 5}
    record = evaluate(WIDE, weights=kept, descent=descent(parent, "trim", epochs=1, share=0.6), **asked)
    assert record.outcome == "complete", record.error
    whole = cost(SPACE, WIDE, BENCHMARK.signature)
    assert record.figures["params"] <= 0.6 * whole.params
    assert record.figures["flops"] < 0.8 * whole.flops
    assert record.network_id is None  # the architecture's is of another network
    assert record.figures["peak_memory_bytes"] > 0
    cut = Parent(evaluation="1" * 16, choices=WIDE.choices, seed=5, weights=kept)
    small = evaluate(WIDE, weights=tmp_path / "small.safetensors", descent=descent(cut, "int8-weights"), **asked)
    assert small.outcome == "complete", small.error
    assert [small.figures[name] for name in ("params", "flops")] == [record.figures[name] for name in ("params", "flops")]
    assert small.figures["size_bytes"] < 0.5 * record.figures["size_bytes"]
    assert small.derived is not None
    fresh = build(SPACE, WIDE, BENCHMARK.signature, seed=5)
    again = restored(small.derived, fresh, tmp_path / "small.safetensors", torch.zeros(1, *BENCHMARK.signature.input.axes))
    told = figures_of(again, evaluate.task, evaluate.task.examples("validation"), "validation")
    assert told["validation_accuracy"] == pytest.approx(small.figures["validation_accuracy"], abs=0.01)
