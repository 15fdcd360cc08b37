import random
import re
from pathlib import Path

import pytest
import torch

from benchmarks.digits_generation import BENCHMARK as DIGITS
from benchmarks.digits_generation import BY_CLASS
from benchmarks.fashion_mnist_generation import BENCHMARK as FASHION
from nas.benchmark import Benchmark
from nas.models import build, cost, count, plan, steps
from nas.models.layers.adversarial import Discriminator
from nas.space import Architecture, size
from search_spaces.image_gan import SPACE

README = Path(__file__).parents[2] / "search_spaces" / "image_gan" / "README.md"


def dcgan(width: int = 16) -> Architecture:
    """Radford et al. 2016, sec. 3, small: 4 → 8 pixels of digits, 7 → 14 → 28 of clothes."""
    answers = {
        "project_to_image.features": 2 * width,
        "project_to_image.halvings": 2,
        "stage.times": 1,
        "stage.0.up_sample.features": width,
        "stage.0.up_sample.kernel": 5,
        "image_head.kernel": 5,
        "discriminator.width": width,
        "discriminator.norm": "batch",
        "discriminator.kernel": 5,
        "discriminator.depth": 2,
        "adversary.rate_ratio": 1,
    }
    return SPACE.walk(lambda name, domain: answers.get(name, next(iter(domain))))


def test_the_readme_states_the_exact_size() -> None:
    assert f"{size(SPACE):,} architectures" in README.read_text(encoding="utf-8")


def test_parameters_stay_within_what_the_readme_says() -> None:
    low, high = (
        int(number.replace(",", ""))
        for number in re.search(r"([\d,]+) to ([\d,]+) parameters", README.read_text(encoding="utf-8")).groups()
    )
    for benchmark in (DIGITS, FASHION):
        rng = random.Random(0)
        params = [cost(SPACE, SPACE.sample(rng), benchmark.signature).params for _ in range(500)]
        assert low <= min(params) <= max(params) <= high


@pytest.mark.parametrize("asked", [DIGITS, BY_CLASS, FASHION], ids=lambda asked: asked.name)
def test_random_generators_give_a_picture_a_row_and_pass_gradients_back(asked: Benchmark) -> None:
    rng, rows = random.Random(0), torch.randn(3, *asked.signature.input.axes)
    for n in range(12):
        architecture = SPACE.sample(rng)
        generator = build(SPACE, architecture, asked.signature, seed=n)
        images = generator(rows)
        assert images.shape == (3, *asked.signature.output.axes)
        assert images.abs().max() <= 1
        images.square().sum().backward()
        missing = [name for name, weight in generator.named_parameters() if weight.grad is None]
        assert not missing, architecture.choices
        assert count(lambda one=architecture: build(SPACE, one, asked.signature), asked.signature.input) == cost(
            SPACE, architecture, asked.signature
        )


def test_a_dcgan_is_one_of_its_networks_and_costs_what_a_count_by_hand_gives() -> None:
    signature = FASHION.signature
    project = 32 * 32 * 7 * 7
    double, end = 25 * 32 * 16, 25 * 16
    found = cost(SPACE, dcgan(), signature)
    assert found.macs == project + double * 7 * 7 + end * 14 * 14
    assert found.params == project + double + end + 2 * 32 + 2 * 16 + 1
    layers = [str(type(module).__name__) for module in build(SPACE, dcgan(), signature).modules()]
    assert layers.count("ConvTranspose2d") == layers.count("BatchNorm2d") == 2
    assert layers[-1] == "Tanh"


@pytest.mark.parametrize("width", [8, 12, 14, 16, 20, 24, 32])
def test_a_dcgan_of_any_of_these_widths_is_in_the_space(width: int) -> None:
    signature = FASHION.signature
    found = cost(SPACE, dcgan(width), signature)
    assert found.macs == 32 * 2 * width * 49 + 25 * 2 * width * width * 49 + 25 * width * 196
    discriminator = next(
        step for step in steps(plan(SPACE, dcgan(width), signature)) if isinstance(step.placed.kind, Discriminator)
    )
    convolutions = 25 * width * 196 + 25 * width * 2 * width * 49
    assert discriminator.placed.kind.network_cost(FASHION.signature.output).macs == convolutions + 2 * width * 49
