import random

import pytest

from nas.benchmark import Features, Image, Signature
from nas.models import Cost, cost
from nas.space import Categorical, Domain, Value, size
from search_spaces.mobile_cnn import SPACE

DIGITS = Signature(Image(1, 8, 8), Features(10))


def first(_: str, domain: Domain) -> Value:
    return domain.values[0] if isinstance(domain, Categorical) else domain.low


def last(_: str, domain: Domain) -> Value:
    return domain.values[-1] if isinstance(domain, Categorical) else domain.high


def test_the_space_is_as_large_as_its_stages_say() -> None:
    """A stage: 5 widths, 2 kernels, 4 expansions, squeeze or not, 2 activations, 1 to 4 blocks."""
    stage = 5 * 2 * 4 * 2 * 2 * 4
    assert size(SPACE) == (3 * 2) * (stage**2 + stage**3 + stage**4) * (3 * 2) == 6_049_249_689_600


def test_the_smallest_network_costs_what_it_costs_on_paper() -> None:
    """Stem of 8 channels; 8 → 16 inside → 16; 16 → 32 inside → 16; 64 wide."""
    stem, wide = 9 * 8, 16 * 64
    widen, filters, narrow = [8 * 16, 16 * 32], [9 * 16, 9 * 32], [16 * 16, 32 * 16]
    norms = 2 * (8 + (16 + 16 + 16) + (32 + 32 + 16) + 64)
    params = stem + sum(widen) + sum(filters) + sum(narrow) + wide + norms + 650
    macs = 64 * (stem + widen[0]) + 16 * (filters[0] + narrow[0] + widen[1]) + 4 * (filters[1] + narrow[1] + wide) + 640
    assert cost(SPACE, SPACE.walk(first), DIGITS) == Cost(params, macs) == Cost(3_986, 35_328)


@pytest.mark.parametrize("side", [1, 8, 28, 32])
def test_pictures_of_every_size_run_through_the_deepest_network(side: int) -> None:
    assert cost(SPACE, SPACE.walk(last), Signature(Image(3, side, side), Features(10))) is not None


def test_a_limit_of_50_000_parameters_leaves_a_tenth_of_what_a_random_search_proposes() -> None:
    rng = random.Random(0)
    found = [cost(SPACE, SPACE.sample(rng), DIGITS) for _ in range(500)]
    assert sum(one is not None and one.params <= 50e3 for one in found) >= 50
