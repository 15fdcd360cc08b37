"""What is made of networks that were pre-trained and fine-tuned: quantised, pruned, cut, taught, trained anew, and asked."""

from pathlib import Path
from typing import Any

import pytest
from toy_texts import SPACE, ToyTexts, benchmark, space

from nas.benchmark import Budget
from nas.evaluation import Evaluator
from nas.profiling import interleaving, latency
from nas.protocols.pretraining import FineTune
from nas.records import Descent, Parent, Record
from nas.training import derivation_of

WIDTHS = space(SPACE.replace("features: 8", "features: [4, 8]"))
WIDE, NARROW = (WIDTHS.walk(lambda name, domain: n if "features" in name else next(iter(domain))) for n in (8, 4))  # noqa: B023
ALONE = "It was trained with labels alone, all of it at one rate; nothing was pre-trained for it."


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr(interleaving, "SECONDS_A_NETWORK", 0.0)
    monkeypatch.setattr("nas.evaluation.candidate.load_task", lambda *_: ToyTexts())


def child(folder: Path, method: str, architecture: Any = WIDE, **options: Any) -> tuple[Record, Record]:
    """A finalist, and what was made of it."""
    evaluator = Evaluator(WIDTHS, benchmark(), device="cpu", measures=["ece", "drop-3"])
    asked: dict[str, Any] = {"budget": Budget(epochs=2), "seed": 0, "final": True}
    finalist = evaluator(WIDE, weights=folder / "parent.safetensors", **asked)
    parent = Parent(evaluation="0" * 16, choices=WIDE.choices, seed=0, weights=folder / "parent.safetensors")
    derivation = derivation_of(method, options)
    assert derivation.child(WIDTHS, WIDE, benchmark().signature) == architecture
    descent = Descent(method=method, options=derivation.model_dump(mode="json"), parents=(parent,))
    made = evaluator(architecture, weights=folder / "child.safetensors", descent=descent, **asked)
    return finalist, made


def test_its_weights_in_eight_bits_answer_nearly_as_they_did(tmp_path: Path) -> None:
    finalist, made = child(tmp_path, "int8-weights")
    assert made.outcome == "complete", made.error
    assert made.notes == ()
    assert made.curve == ()
    for name in ("test_accuracy", "validation_accuracy:drop-3"):
        assert made.figures[name] == pytest.approx(finalist.figures[name], abs=0.05)
    assert made.figures["size_bytes"] < 0.6 * finalist.figures["size_bytes"]


@pytest.mark.parametrize(
    ("method", "architecture", "options"),
    [("magnitude", WIDE, {"epochs": 1}), ("structured", NARROW, {"epochs": 1}), ("distil", NARROW, {"share": 0.6})],
)
def test_what_learns_on_learns_with_labels_alone(tmp_path: Path, method: str, architecture: Any, options: dict[str, Any]) -> None:
    finalist, made = child(tmp_path, method, architecture, **options)
    assert made.outcome == "complete", made.error
    assert ALONE in made.notes
    assert "pretrain_seconds" in finalist.figures
    assert "pretrain_seconds" not in made.figures
    assert len(made.curve) == 2


def test_what_is_trained_anew_goes_through_both_stages(tmp_path: Path) -> None:
    _, made = child(tmp_path, "retrain", changes={"learning_rate": 0.02})
    assert made.figures["pretrain_seconds"] > 0
    assert ALONE not in made.notes


def test_a_protocol_that_ends_otherwise_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FineTune, "ends_plain", False)
    _, made = child(tmp_path, "int8-weights")
    assert made.error is not None
    assert made.error.kind == "unsupported"
    assert made.error.message.startswith(
        "Nothing is made of networks that the protocol 'pretrain_then_fine_tune' trains: it knows"
    )
