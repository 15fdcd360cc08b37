"""A candidate that is asked to stop: soon, after a checkpoint, and without a Record."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.digits import BENCHMARK
from nas.benchmark import Budget
from nas.errors import Interrupted
from nas.evaluation import Evaluator
from nas.evaluation import running as evaluation
from nas.profiling import latency
from nas.space import Architecture, Space, parse_space
from nas.training import Loop

SPACE = parse_space(
    """
name: tiny
version: 1
accepts: image
layers:
  - conv: {features: [8], kernel: 3, stride: 2}
  - dropout: {rate: 0.2}
  - head
"""
)
BUDGET = Budget(epochs=2, fraction=0.2)


def first(of: Space) -> Architecture:
    return of.walk(lambda _, domain: next(iter(domain)))


def evaluator(space: Space = SPACE, **given: Any) -> Evaluator:
    return Evaluator(space, BENCHMARK, device="cpu", **given)


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)


def after(steps: int) -> tuple[Callable[[Loop], None], Callable[[], bool]]:
    """What is handed each step, and what wants to stop after so many."""
    taken: list[int] = []
    return (lambda loop: taken.append(loop.at.step)), (lambda: len(taken) >= steps)


@pytest.mark.parametrize("steps", [1, 7])
def test_weights_after_an_interruption_are_those_of_a_training_that_never_stopped(tmp_path: Path, steps: int) -> None:
    evaluate = evaluator()
    kept: list[dict[str, Tensor]] = []

    def keep(model: nn.Module) -> None:
        kept.append({name: value.clone() for name, value in model.state_dict().items()})

    whole = evaluate(first(SPACE), budget=BUDGET, seed=3, keep=keep)
    on_step, stopping = after(steps)
    with pytest.raises(Interrupted):
        evaluate.resuming(tmp_path, 1000.0, stopping)(first(SPACE), budget=BUDGET, seed=3, on_step=on_step)
    assert [path.name for path in tmp_path.glob("*.json")] == ["000001.json"]
    gone_on = evaluate.resuming(tmp_path, 1000.0)(first(SPACE), budget=BUDGET, seed=3, keep=keep)
    assert f"after step {steps} of" in gone_on.notes[-1]
    assert [replace(point, seconds=None) for point in gone_on.curve] == [replace(point, seconds=None) for point in whole.curve]
    assert all(torch.equal(value, kept[1][name]) for name, value in kept[0].items())


def test_without_a_folder_it_just_stops() -> None:
    on_step, stopping = after(3)
    taken: list[int] = []

    def step(loop: Loop) -> None:
        on_step(loop)
        taken.append(loop.at.step)

    with pytest.raises(Interrupted):
        evaluator().resuming(None, 60.0, stopping)(first(SPACE), budget=BUDGET, seed=3, on_step=step)
    assert taken == [1, 2, 3]


@pytest.mark.parametrize("together", ["never", "always"])
def test_replicates_stop_after_the_step_under_way(monkeypatch: pytest.MonkeyPatch, together: Any) -> None:
    asked: list[bool] = []
    before_training = 3

    def stopping() -> bool:
        asked.append(len(asked) >= before_training + 4)
        return asked[-1]

    with pytest.raises(Interrupted):
        evaluator(replicates=2, together=together).resuming(None, 60.0, stopping)(first(SPACE), budget=BUDGET, seed=3)
    assert asked == [False] * (before_training + 4) + [True]


@pytest.mark.parametrize("work", ["measure_latency", "peak_memory_bytes", "train"])
def test_it_stops_before_what_takes_long(monkeypatch: pytest.MonkeyPatch, work: str) -> None:
    begun: list[str] = []
    names = ["measure_latency", "peak_memory_bytes", "train"]

    def noting(name: str, do: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any, **given: Any) -> Any:
            begun.append(name)
            return do(*args, **given)

        return noted

    for name in names:
        monkeypatch.setattr(evaluation, name, noting(name, getattr(evaluation, name)))
    before = names[: names.index(work)]
    with pytest.raises(Interrupted):
        evaluator().resuming(None, 60.0, lambda: begun == before)(first(SPACE), budget=BUDGET, seed=3)
    assert begun == before
