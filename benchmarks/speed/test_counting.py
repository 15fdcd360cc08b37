"""What it costs to know parameters and FLOPs: by the layers' formulas, by torch's counter on meta, and on a network with weights.

Every side gives the figures of the same random architectures; formulas begin with what they worked out for layers and shapes that
they have met before, as they do in a search.
"""

import random
from collections.abc import Iterable

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch.utils.flop_counter import FlopCounterMode
from turns import SideBySide

from nas import registry
from nas.benchmark import Features, NextTokens, Sequence, Signature, Tokens, Waveform
from nas.models import build, cost, count, example
from nas.searching import resolve_benchmark, resolve_space
from nas.space import Architecture, Space

pytestmark = [pytest.mark.benchmark(group="counting"), pytest.mark.timeout(900)]

SIGNATURE = resolve_benchmark("digits").signature
MANY = 20
ROUNDS = 5


def sample(space: Space, number: int, seed: int) -> list[Architecture]:
    rng = random.Random(seed)  # noqa: S311 - no secret
    return [space.sample(rng) for _ in range(number)]


def by_formula(space: Space, architectures: Iterable[Architecture]) -> None:
    for architecture in architectures:
        cost(space, architecture, SIGNATURE)


def on_meta(space: Space, architectures: Iterable[Architecture]) -> None:
    for architecture in architectures:
        count(lambda a=architecture: build(space, a, SIGNATURE), SIGNATURE.input)  # type: ignore[misc]


def with_weights(space: Space, architectures: Iterable[Architecture]) -> None:
    for architecture in architectures:
        model = build(space, architecture, SIGNATURE, seed=0).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(example(SIGNATURE.input, "cpu"))
        counter.get_total_flops()


@pytest.mark.parametrize(
    ("name", "ours", "theirs", "goal"),
    [
        ("formulas / torch's counter on meta", by_formula, on_meta, 0.1),
        ("torch's counter on meta / building with weights", on_meta, with_weights, 1.0),
    ],
)
def test_counting_needs_no_weight(side_by_side: SideBySide, name: str, ours: object, theirs: object, goal: float) -> None:
    space = resolve_space("residual_cnn")
    seeds = iter(range(10_000))
    by_formula(space, sample(space, 200, seed=-1))
    side_by_side(
        f"{name}, residual_cnn",
        ours,  # type: ignore[arg-type]
        theirs,  # type: ignore[arg-type]
        goal=goal,
        rounds=ROUNDS,
        prepare=lambda: (space, sample(space, MANY, next(seeds))),
    )


SIGNATURES = {
    "image": SIGNATURE,
    "sequence": Signature(Sequence(29, 12), Features(9)),
    "tokens": Signature(Tokens(128, 66), NextTokens(128, 66)),
    "waveform": Signature(Waveform(length=8_000, channels=1, rate=8_000), Features(10)),
}


@pytest.mark.parametrize("name", registry.owners(registry.SEARCH_SPACES))
def test_formulas_take_less_than_five_milliseconds_at_the_median(benchmark: BenchmarkFixture, name: str) -> None:
    """No other side: an absolute goal, which leaves room for a busy machine many times over."""
    space = resolve_space(name)
    signature, architectures = SIGNATURES[space.accepts[0]], iter(sample(space, 300, seed=7))
    benchmark.pedantic(lambda: cost(space, next(architectures), signature), rounds=200, warmup_rounds=50)
    if not benchmark.disabled:
        assert benchmark.stats.stats.median < 0.005
