import random
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nas.benchmark import Features, Shape, Signature
from nas.models import build, check_layers, cost
from nas.space import Architecture, size
from search_spaces.tabular_mlp import SPACE

ROWS = Signature(Features(30), Features(2))
README = (Path(__file__).parents[2] / "search_spaces" / "tabular_mlp" / "README.md").read_text(encoding="utf-8")


def architecture(**answers: Any) -> Architecture:
    """The answers, by the ends of names; the largest that there is where they go beyond it, the first where they say nothing."""

    def choose(name: str, domain: Any) -> Any:
        values = list(domain)
        answer = answers.get(name.rpartition(".")[2], values[0])
        return answer if answer in values else max(values)

    return SPACE.walk(choose)


def test_the_size_is_what_the_readme_says() -> None:
    ways_in, inside = 1 + 3 * 3 * 3, sum(5**blocks for blocks in range(5))
    assert size(SPACE) == ways_in * 5 * 3 * 3 * 4 * inside
    assert f"{size(SPACE):,} architectures" in README


def test_the_smallest_and_the_largest_are_what_the_readme_says() -> None:
    large = architecture(numbers="waves", features=256, times=4, width=256, norm="layer", frequencies=32)
    found = [cost(SPACE, one, ROWS).params for one in (architecture(), large)]
    low, high = (int(number.replace(",", "")) for number in re.search(r"([\d,]+) to ([\d,]+) parameters", README).groups())
    assert found == [low, high]


def test_a_network_by_hand() -> None:
    """Three numbers of 16 by 8 waves, a stem to 16, one block of 16 inside, layer normalisation twice, two classes."""
    found = architecture(numbers="waves", features=16, width=16, times=1, norm="layer")
    counted = cost(SPACE, found, Signature(Features(3), Features(2)))
    waves, stem, block, head = 16 * 16, 48 * 16, 2 * 16 * 16, 16 * 2
    assert counted.macs == 3 * waves + stem + block + head
    assert counted.params == (3 * 8 + waves + 16) + (stem + 16) + (block + 16 + 16 + 32) + 32 + (head + 2)


@pytest.mark.parametrize("wanted", [Features(2), Features(30)], ids=str)
def test_random_architectures_give_what_is_wanted_and_pass_gradients_back(wanted: Shape) -> None:
    check_layers(SPACE)
    rng = random.Random(0)
    for _ in range(20):
        found = SPACE.sample(rng)
        model = build(SPACE, found, Signature(Features(30), wanted), seed=0)
        outputs = model(torch.randn(4, 30))
        assert outputs.shape == (4, *wanted.axes)
        outputs.square().sum().backward()
        assert all(parameter.grad is not None for parameter in model.parameters()), found.choices


def test_a_block_whose_last_layer_gives_nothing_passes_on_what_it_is_given() -> None:
    model = build(SPACE, architecture(times=1), ROWS, seed=0)
    block = model[1]
    for module in list(block.modules())[::-1]:
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.weight), nn.init.zeros_(module.bias)
            break
    rows = torch.randn(3, 16)
    assert torch.equal(block(rows), rows)
