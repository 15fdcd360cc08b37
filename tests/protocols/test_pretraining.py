"""A trunk learns without labels, is kept, and is trained further with labels."""

from pathlib import Path

import pytest
from toy_texts import ToyTexts, architecture, evaluator

from nas.benchmark import Budget
from nas.profiling import latency

BUDGET = Budget(epochs=2)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr("nas.evaluation.candidate.load_task", lambda *_: ToyTexts())


def test_a_trunk_is_trained_first_and_then_the_network(tmp_path: Path) -> None:
    lengths: list[int] = []
    record = evaluator()(architecture(), budget=BUDGET, seed=0, on_step=lambda loop: lengths.append(loop.steps))
    assert record.outcome == "complete", record.error
    assert lengths == [8] * 8 + [6] * 6
    assert 0 < record.figures["pretrain_validation_bits_per_token"] < 5
    assert record.figures["pretrain_seconds"] > 0
    assert "The trunk was pre-trained for this candidate, and not kept, so that it serves this candidate alone." in record.notes
