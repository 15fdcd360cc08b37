import json
from pathlib import Path

import pytest
import torch
from little import RECIPE, TASK, examples, network, trained

from nas.benchmark import Budget
from nas.errors import SearchError
from nas.training import Method, train
from nas.training.tracing import TRACED, Tracing


def steps_in(path: Path) -> set[str]:
    """The steps that a trace names."""
    events = json.loads(path.read_text())["traceEvents"]
    return {event["name"] for event in events if event["name"].startswith("ProfilerStep")}


def test_a_trace_is_of_some_steps_after_the_caches_are_filled(tmp_path: Path) -> None:
    tracing = Tracing(tmp_path / "trace.json")
    trained(network(), budget=Budget(epochs=10), on_step=tracing)
    assert steps_in(tmp_path / "trace.json") == {f"ProfilerStep#{n}" for n in range(11, 11 + TRACED)}


def test_a_short_training_is_traced_as_far_as_it_goes(tmp_path: Path) -> None:
    tracing = Tracing(tmp_path / "trace.json")
    trained(network(), budget=Budget(epochs=1), on_step=tracing)  # of 3 steps one goes by, and one warms the profiler
    tracing.close()
    assert len(steps_in(tmp_path / "trace.json")) == 1


def test_operators_come_dearest_first_with_their_calls_and_shares(tmp_path: Path) -> None:
    tracing = Tracing(tmp_path / "trace.json")
    trained(network(), budget=Budget(epochs=10), on_step=tracing)
    times = [operator.milliseconds for operator in tracing.operators]
    assert times == sorted(times, reverse=True)
    assert sum(operator.share for operator in tracing.operators) == pytest.approx(1)
    calls = {operator.name: operator.calls for operator in tracing.operators}
    assert calls["aten::convolution_backward"] == TRACED


def test_what_was_traced_before_a_training_ended_early_is_written(tmp_path: Path) -> None:
    tracing = Tracing(tmp_path / "trace.json")
    trained(network(), budget=Budget(epochs=10), on_step=tracing, report=lambda epoch: epoch.epoch == 5)  # step 15 of 30
    tracing.close()
    assert len(steps_in(tmp_path / "trace.json")) < TRACED
    assert tracing.operators


def test_a_traced_training_gives_the_same_weights(tmp_path: Path) -> None:
    plain, traced = network(), network()
    trained(plain)
    trained(traced, on_step=Tracing(tmp_path / "trace.json"))
    assert all(torch.equal(*pair) for pair in zip(plain.state_dict().values(), traced.state_dict().values(), strict=True))


def test_a_training_too_short_to_be_traced_is_refused(tmp_path: Path) -> None:
    message = "A trace needs a training of 3 steps at least, this one has 2; allow more with --steps."
    with pytest.raises(SearchError, match=message):
        trained(network(), budget=Budget(epochs=1, steps=2), on_step=Tracing(tmp_path / "trace.json"))


def test_a_folder_that_is_not_there_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="does not exist; make it first"):
        Tracing(tmp_path / "none" / "trace.json")


@pytest.mark.gpu
def test_on_a_gpu_the_trace_has_its_kernels_and_operators_are_ranked_by_their_time_there(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    device = torch.device("cuda")
    tracing = Tracing(tmp_path / "trace.json")
    data, budget = examples().to(device), Budget(epochs=10)
    train(network().to(device), Method(TASK, RECIPE), data, data, budget=budget, seed=0, on_step=tracing)
    assert any(event.get("cat") == "kernel" for event in json.loads((tmp_path / "trace.json").read_text())["traceEvents"])
    assert "aten::convolution_backward" in {operator.name for operator in tracing.operators}
