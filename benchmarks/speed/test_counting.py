"""What it costs to know parameters and FLOPs: by the layers' formulas, by counting on meta, and on a network with weights.

Every side gives the figures of the same networks, random architectures or one of timm; formulas begin with what they worked out
for layers and shapes that they have met before, and counting with what operators gave, as they do in a search.
"""

import random
import time
from collections.abc import Callable, Iterable
from functools import partial

import pytest
import timm
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from turns import Side, SideBySide

from nas import registry
from nas.benchmark import Features, Image, NextTokens, Sequence, Shape, Signature, Tokens, Waveform
from nas.models import build, cost, count, example
from nas.profiling import count_layers
from nas.searching import resolve_benchmark, resolve_space
from nas.space import Architecture, Space

pytestmark = [pytest.mark.benchmark(group="counting", timer=time.process_time), pytest.mark.timeout(900)]

DIGITS = resolve_benchmark("digits").signature
CLOTHES = resolve_benchmark("fashion_mnist").signature
MANY = 20
ROUNDS = 5

Building = tuple[Callable[[], nn.Module], Shape]
"""What makes a network, and what it is fed."""


def sample(space: Space, number: int, seed: int) -> list[Architecture]:
    rng = random.Random(seed)  # noqa: S311 - no secret
    return [space.sample(rng) for _ in range(number)]


def of_a_space(name: str, signature: Signature, seed: int) -> list[Building]:
    space = resolve_space(name)
    return [(partial(build, space, architecture, signature), signature.input) for architecture in sample(space, MANY, seed)]


def of_timm(name: str) -> list[Building]:
    return [(partial(timm.create_model, name), Image(3, 224, 224))]


def on_meta(networks: Iterable[Building]) -> None:
    for make, shape in networks:
        count(make, shape)


def layer_by_layer(networks: Iterable[Building]) -> None:
    for make, shape in networks:
        count_layers(make, shape)


def with_weights(networks: Iterable[Building]) -> None:
    for make, shape in networks:
        model = make().eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(example(shape, "cpu"))
        counter.get_total_flops()


@pytest.mark.parametrize(
    ("name", "networks", "goal"),
    [
        ("residual_cnn on digits", partial(of_a_space, "residual_cnn", DIGITS), 0.75),
        ("mobile_cnn on fashion_mnist", partial(of_a_space, "mobile_cnn", CLOTHES), 0.75),
        ("cell_cnn on fashion_mnist", partial(of_a_space, "cell_cnn", CLOTHES), 0.5),
        ("resnet18", lambda _: of_timm("resnet18"), 0.5),
        ("mobilenetv3_large_100", lambda _: of_timm("mobilenetv3_large_100"), 0.5),
        ("vit_tiny_patch16_224", lambda _: of_timm("vit_tiny_patch16_224"), 0.5),
    ],
)
@pytest.mark.parametrize("ours", [on_meta, layer_by_layer])
def test_counting_needs_no_weight(
    side_by_side: SideBySide, name: str, networks: Callable[[int], list[Building]], goal: float, ours: Side
) -> None:
    """Half of what a network has on a CPU; of a tiny one, most is to make its modules in Python, on both sides."""
    seeds = iter(range(10_000))
    ours(networks(10_001))  # a search begins like this once, and so does a process
    side_by_side(
        f"counting {ours.__name__.replace('_', ' ')} / with weights, {name}",
        ours,
        with_weights,
        goal=goal if ours is on_meta else 1.0,  # tells each layer's share and the memory too
        rounds=ROUNDS,
        prepare=lambda: (networks(next(seeds)),),
    )


def by_formula(space: Space, architectures: Iterable[Architecture]) -> None:
    for architecture in architectures:
        cost(space, architecture, DIGITS)


def by_count(space: Space, architectures: Iterable[Architecture]) -> None:
    on_meta((partial(build, space, architecture, DIGITS), DIGITS.input) for architecture in architectures)


def test_formulas_need_no_pass(side_by_side: SideBySide) -> None:
    space = resolve_space("residual_cnn")
    seeds = iter(range(10_000))
    by_formula(space, sample(space, 200, seed=-1))
    side_by_side(
        "formulas / counting on meta, residual_cnn on digits",
        by_formula,
        by_count,
        goal=0.1,
        rounds=ROUNDS,
        prepare=lambda: (space, sample(space, MANY, next(seeds))),
    )


SIGNATURES = {
    "image": DIGITS,
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
