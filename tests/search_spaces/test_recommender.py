import random
import re
from pathlib import Path
from typing import Any

import torch

from benchmarks.movielens import BENCHMARK
from nas.models import build, check_layers, cost
from nas.space import Architecture, size
from search_spaces.recommender import SPACE

README = (Path(__file__).parents[2] / "search_spaces" / "recommender" / "README.md").read_text(encoding="utf-8")


def architecture(**answers: Any) -> Architecture:
    """The answers, by the ends of names, and the first value of every choice that they leave open."""
    return SPACE.walk(lambda name, domain: answers.get(name.rpartition(".")[2], next(iter(domain))))


def test_the_size_is_what_the_readme_says() -> None:
    layers = sum(4**count for count in (1, 2, 3))
    product, perceptron = 5, 4 * layers
    assert size(SPACE) == 4 * (product + 3 * (perceptron + product * perceptron))
    assert f"{size(SPACE):,} architectures" in README


def test_the_smallest_and_the_largest_are_what_the_readme_says() -> None:
    found = [
        cost(SPACE, one, BENCHMARK.signature).params
        for one in (architecture(), architecture(meeting="both", features=64, times=3))
    ]
    low, high = (int(number.replace(",", "")) for number in re.search(r"([\d,]+) to ([\d,]+) parameters", README).groups())
    assert found == [low, high]


def test_a_network_by_hand() -> None:
    """A number and 4 numbers of each of 2,626 tokens, multiplied; then 5 weights and a bias. Tables cost no multiply-adds."""
    counted = cost(SPACE, architecture(), BENCHMARK.signature)
    assert (counted.params, counted.macs, counted.flops) == (2_626 * 5 + 6, 5, 10)


def test_a_product_is_matrix_factorisation_with_biases() -> None:
    model = build(SPACE, architecture(), BENCHMARK.signature, seed=0).eval()
    bias, table, head = (parameter for name, parameter in model.named_parameters() if "weight" in name)
    with torch.no_grad():
        head.copy_(torch.tensor([[2.0, 1, 1, 1, 1]]))
        expected = bias[7, 0] + bias[1_000, 0] + table[7] @ table[1_000] + dict(model.named_parameters())["head.linear.bias"][0]
        assert torch.allclose(model(torch.tensor([[7, 1_000]]))[0, 0], expected)


def test_random_architectures_give_a_number_and_pass_gradients_back() -> None:
    check_layers(SPACE)
    rng = random.Random(0)
    for _ in range(15):
        found = SPACE.sample(rng)
        model = build(SPACE, found, BENCHMARK.signature, seed=0)
        outputs = model(torch.randint(1, 2_626, (6, 2)))
        assert outputs.shape == (6, 1)
        outputs.square().sum().backward()
        assert all(parameter.grad is not None for parameter in model.parameters()), found.choices
