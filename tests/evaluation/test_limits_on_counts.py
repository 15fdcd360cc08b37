"""Figures that a pass on the meta device gives, and limits on them, which hold before a weight exists."""

import pytest

from benchmarks.digits import BENCHMARK
from nas.benchmark import Budget
from nas.evaluation import Evaluator, running
from nas.records import FIGURES, Record
from nas.searching import search
from nas.space import Limit, parse_space

SPACE = parse_space(
    """
name: sizes
version: 1
accepts: image
layers:
  - conv: {features: [8, 16], kernel: 3}
  - head
"""
)

FLOAT = 4
"""Bytes."""


def size(features: int) -> int:
    """Bytes of filters, batch normalisation with its running figures, and a linear layer."""
    numbers = 9 * features + 2 * features + 2 * features + (features * 10 + 10)
    return numbers * FLOAT + 8  # and how many batches were seen


def evaluated(features: int, *limits: str) -> Record:
    evaluate = Evaluator(SPACE, BENCHMARK, limits=map(Limit.parse, limits), device="cpu")
    return evaluate(SPACE.architecture({"conv.features": features}), budget=Budget(epochs=1, fraction=0.1), seed=0)


def test_a_record_holds_size_and_activations() -> None:
    """Most is alive in the first layer: picture, what the convolution gives, the same normalised."""
    record = evaluated(8)
    assert record.figures["size_bytes"] == size(8)
    assert record.figures["activation_bytes"] == (64 + 2 * 8 * 64) * FLOAT


@pytest.mark.parametrize("limit", [f"size_bytes <= {size(8)}", "activation_bytes <= 5000"])
def test_a_limit_on_them_holds_before_a_network_is_built(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    assert evaluated(8, limit).outcome == "complete"

    def refuse(*_: object, **options: object) -> None:
        raise AssertionError("it was built")

    monkeypatch.setattr(running.Run, "build", refuse)
    record = evaluated(16, limit)
    assert (record.outcome, len(record.broken_limits)) == ("infeasible", 1)
    assert {name for name, kind in FIGURES.items() if kind.known in ("reckoned", "counted")} == set(record.figures)


def test_a_search_keeps_to_a_limit_on_them(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No formula says them beforehand, so that proposals outside are told as infeasible."""
    ledger = f"sqlite:///{tmp_path_factory.mktemp('ledger')}/nas.sqlite"
    study = search(SPACE, on="digits", ledger=ledger, trials=2, epochs=1, fraction=0.1, limits=[f"size_bytes <= {size(8)}"])
    states = study.trials.drop_duplicates("choice:conv.features").set_index("choice:conv.features").state
    assert dict(states) == {8: "complete", 16: "infeasible"}
