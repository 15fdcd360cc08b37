"""Kernels are densities: they add up to one, and what is drawn from them comes as often as they say."""

import math
import random
from collections import Counter

import numpy as np
import pytest

from nas.space import Categorical, Domain, Integer, Real
from nas.strategies.kernels import coordinate, drawn, drawn_near, log_kernels

LISTED: list[Categorical | Integer] = [
    Categorical("a", "b", "c"),
    Integer(1, 4),
    Integer(8, 32, step=8),
    Integer(1, 64, log=True),
    Integer(3, 3),
]
REAL = [Real(-1.0, 3.0), Real(1e-4, 1.0, log=True)]
COUNTS = [1, 4, 300]


def centres(domain: Domain) -> np.ndarray:
    ends = [domain.values[0], domain.values[-1]] if isinstance(domain, Categorical) else [domain.low, domain.high]
    return np.array([*(coordinate(domain, end) for end in ends), math.nan])


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("domain", LISTED, ids=str)
def test_the_chances_of_all_members_add_up_to_one(domain: Categorical | Integer, count: int) -> None:
    members = np.array([coordinate(domain, value) for value in domain])
    chances = np.exp(log_kernels(domain, centres(domain), members, count))
    assert chances.sum(0) == pytest.approx(np.ones(3))


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("domain", REAL, ids=str)
def test_the_density_over_a_range_integrates_to_one(domain: Real, count: int) -> None:
    at = np.linspace(coordinate(domain, domain.low), coordinate(domain, domain.high), 20_001)
    density = np.exp(log_kernels(domain, centres(domain), at, count))
    assert np.trapezoid(density, at, axis=0) == pytest.approx(np.ones(3), abs=1e-3)


def test_a_kernel_of_a_list_is_counted_by_hand() -> None:
    near, off, flat = np.exp(log_kernels(Categorical("a", "b", "c"), np.array([0.0, 1.0, math.nan]), np.array([0.0]), 4))[0]
    assert (near, off, flat) == pytest.approx(((1 + 1 / 4) / (1 + 3 / 4), (1 / 4) / (1 + 3 / 4), 1 / 3))


def test_a_kernel_of_a_range_is_likeliest_at_its_centre_and_narrower_among_many() -> None:
    domain = Real(0.0, 10.0)
    at, centre = np.array([1.0, 5.0, 9.0]), np.array([5.0])
    few, many = (log_kernels(domain, centre, at, count)[:, 0] for count in (3, 30))
    assert few[1] > few[0] == pytest.approx(few[2])
    assert many[1] > few[1]
    assert many[0] < few[0]


@pytest.mark.parametrize("count", [2, 12])
@pytest.mark.parametrize("domain", LISTED, ids=str)
def test_answers_come_as_often_as_the_kernel_says(domain: Categorical | Integer, count: int) -> None:
    rng = random.Random(0)
    members = [*domain]
    at = np.array([coordinate(domain, value) for value in members])
    for answer in (members[0], members[-1]):
        found = Counter(drawn_near(domain, answer, count, rng) for _ in range(4_000))
        said = np.exp(log_kernels(domain, np.array([coordinate(domain, answer)]), at, count))[:, 0]
        assert [found[value] / 4_000 for value in members] == pytest.approx(list(said), abs=0.03)
    found = Counter(drawn(domain, rng) for _ in range(4_000))
    said = np.exp(log_kernels(domain, np.array([math.nan]), at, count))[:, 0]
    assert [found[value] / 4_000 for value in members] == pytest.approx(list(said), abs=0.03)


@pytest.mark.parametrize("domain", REAL, ids=str)
def test_real_answers_stay_in_their_range_and_come_near_the_centre(domain: Real) -> None:
    rng = random.Random(0)
    for answer in (domain.low, domain.high, (domain.low + domain.high) / 2):
        found = [coordinate(domain, drawn_near(domain, answer, 50, rng)) for _ in range(500)]
        assert coordinate(domain, domain.low) <= min(found)
        assert max(found) <= coordinate(domain, domain.high)
        width = coordinate(domain, domain.high) - coordinate(domain, domain.low)
        assert abs(float(np.median(found)) - coordinate(domain, answer)) < width / 10
