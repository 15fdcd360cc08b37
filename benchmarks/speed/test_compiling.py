"""Training with `--compile auto` against the better of training eagerly and compiled, in turns, in seconds of the processor.

Which is the better is measured first, once each. What torch keeps of one compilation for the next is forgotten before each, since
the candidates of a search differ.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from turns import SideBySide

from nas.benchmark import Budget
from nas.device import place
from nas.models import build
from nas.searching import resolve_benchmark, resolve_space
from nas.training import Compile, Compiler, Loop, Method, load_task, train

pytestmark = [pytest.mark.benchmark(group="compiling", timer=time.process_time), pytest.mark.timeout(900)]

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread, no compiled code of another run, and all compiling in this process, where the processor's time is seen."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch._inductor.config.patch(compile_threads=1):
        yield
    torch.set_num_threads(threads)


def train_by(policy: Compile, model: nn.Module, steps: int) -> None:
    benchmark = resolve_benchmark("digits")
    task = load_task(benchmark, None)
    torch._dynamo.reset()
    compiler, following = Compiler(policy), []

    def begin(loop: Loop) -> None:
        following.append(compiler.follow(loop))

    training = train(
        model,
        Method(task, benchmark.recipe),
        task.examples("train"),
        task.examples("validation"),
        budget=Budget(epochs=1_000, steps=steps),
        seed=0,
        begin=begin,
        on_step=lambda loop: following[0](loop),
    )
    assert training.steps == steps


def network() -> nn.Module:
    space, benchmark = resolve_space("residual_cnn"), resolve_benchmark("digits")
    architecture = space.walk(lambda _, domain: next(iter(domain)))
    return place(build(space, architecture, benchmark.signature, seed=0), CPU)


def seconds_of(policy: Compile, steps: int) -> float:
    model = network()
    begin = time.process_time()
    train_by(policy, model, steps)
    return time.process_time() - begin


@pytest.mark.parametrize("steps", [100, 1_000])
def test_auto_is_no_slower_than_the_better_of_the_two(side_by_side: SideBySide, lines: list[str], steps: int) -> None:
    seconds: dict[Compile, float] = {"never": seconds_of("never", steps), "always": seconds_of("always", steps)}
    better = min(seconds, key=lambda policy: seconds[policy])
    lines.append(f"--compile, {steps:,} steps: never {seconds['never']:.1f} s, always {seconds['always']:.1f} s of the processor")
    side_by_side(
        f"--compile auto / {better}, {steps:,} steps",
        lambda model: train_by("auto", model, steps),
        lambda model: train_by(better, model, steps),
        goal=1.05,
        rounds=15 if better == "never" else 2,
        prepare=lambda: (network(),),
    )
