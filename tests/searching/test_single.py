import json
from pathlib import Path
from typing import Any

import pytest
import torch
from toys import TOY

from nas.benchmark import Benchmark
from nas.errors import SearchError
from nas.models import build
from nas.searching import EpochEnded, Event, RunBegun, Trained, TrialEnded, resolve_benchmark, train_one
from nas.training import evaluate, load_task, read_weights

CHOICES = {"width": 16, "stem.kernel": 3, "block.times": 0}


@pytest.fixture(scope="module")
def digits() -> Benchmark:
    return resolve_benchmark("digits")


def trained(**options: Any) -> Trained:
    one = train_one(TOY, on="digits", **{"architecture": CHOICES, "epochs": 2, "fraction": 0.2, **options})
    assert one is not None
    return one


def test_the_weights_in_the_folder_give_the_figures_in_the_record(tmp_path: Path, digits: Benchmark) -> None:
    trained(out=tmp_path / "new" / "out")
    data = json.loads((tmp_path / "new" / "out" / "record.json").read_text())
    model = build(TOY, TOY.architecture(data["choices"]), digits.signature)
    read_weights(model, tmp_path / "new" / "out" / "weights.safetensors")
    task = load_task(digits, None)
    figures = evaluate(model, task, task.examples("validation"), "validation")
    assert figures["validation_accuracy"] == data["record"]["figures"]["validation_accuracy"]
    assert figures["validation_loss"] == pytest.approx(data["record"]["figures"]["validation_loss"], rel=1e-5)


def test_equal_seeds_give_equal_weights_and_others_do_not() -> None:
    first, again, other = (trained(seed=seed).model for seed in (0, 0, 1))
    assert first is not None
    assert again is not None
    assert other is not None
    weights = [torch.cat([value.flatten() for value in one.parameters()]) for one in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_test_data_are_read_only_where_they_are_asked_for() -> None:
    assert "test_accuracy" not in trained().record.figures
    assert "test_accuracy" in trained(test=True).record.figures


def test_the_spaces_limits_hold_nothing_back() -> None:
    assert trained(limits=["params <= 1"]).record.outcome == "complete"


def test_listeners_are_told_the_beginning_the_epochs_and_the_end() -> None:
    events: list[Event] = []
    steps: list[int] = []
    one = trained(seed=3, on_event=events.append, on_step=lambda loop: steps.append(loop.at.step))
    assert [type(event) for event in events] == [RunBegun, EpochEnded, EpochEnded, TrialEnded]
    assert isinstance(events[-1], TrialEnded)
    assert events[-1].trial.record == one.record
    assert events[-1].trial.number == 3
    assert steps == list(range(1, len(steps) + 1))


def test_a_trace_is_written_and_its_operators_are_returned(tmp_path: Path) -> None:
    one = trained(trace=tmp_path / "trace.json")
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert "aten::convolution_backward" in {operator.name for operator in one.operators}


def test_a_training_that_fails_leaves_a_record_and_no_weights(tmp_path: Path) -> None:
    one = trained(recipe={"learning_rate": 1e30}, out=tmp_path)
    assert one.model is None
    assert one.record.error is not None
    assert one.record.error.kind == "diverged"
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SearchError, match="file/out cannot be written to: Not a directory"):
        trained(out=tmp_path / "file" / "out")


def test_replicates_are_trained_and_their_mean_is_the_figure() -> None:
    one = trained(replicates=2, seed=3)
    assert [replicate.seed for replicate in one.record.replicates] == [3, 4]
    accuracies = [replicate.figures["validation_accuracy"] for replicate in one.record.replicates]
    assert one.record.figures["validation_accuracy"] == pytest.approx(sum(accuracies) / 2)


def test_a_trace_of_replicates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=r"^A trace is of one training, got 2 replicates; leave one of them out\.$"):
        trained(replicates=2, trace=tmp_path / "trace.json")
