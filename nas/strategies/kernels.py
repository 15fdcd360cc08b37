"""Kernels around an answer, over the domain of its choice: how likely another answer is beside it, and one drawn from there.

Around a member of a list all others are alike. On a range a kernel is a logistic distribution cut to the range, in the logarithm
where the range is one of magnitudes; its sums have a closed form. An answer stands at its *coordinate*; a kernel around NaN
is flat.
"""

import math
import random

import numpy as np
from numpy.typing import NDArray

from nas.space import Categorical, Domain, Integer, Value

Coordinates = NDArray[np.float64]

NARROWEST = 10
"""No kernel's standard deviation is less than this part of its range. Optuna goes down to a hundredth, which leaves next to
nothing between the kernels around the rest, so that whatever lies there seems promising: a cost of 2.2 against 1.4 on a tree with
ranges."""


def coordinate(domain: Domain, answer: Value) -> float:
    """Where `answer` stands: its position in a list, its value in a range, or the value's logarithm."""
    if isinstance(domain, Categorical):
        return float(domain.position(answer))
    assert isinstance(answer, int | float)  # noqa: S101 - a range has numbers
    return _scaled(domain, float(answer))


def log_kernels(domain: Domain, centres_N: Coordinates, answers_M: Coordinates, count: int) -> Coordinates:
    """(M, N): the logarithm of the density at each answer of the kernel around each centre.

    It is the answer's chance, of a real range per unit of the coordinate. `count` kernels there are: the more, the narrower.
    """
    at_M1, centres_1N = answers_M[:, None], centres_N[None, :]
    if isinstance(domain, Categorical):
        off, whole = 1 / count, 1 + domain.size / count
        near = np.where(at_M1 == centres_1N, math.log((1 + off) / whole), math.log(off / whole))
        return np.where(np.isnan(centres_1N), -math.log(domain.size), near)
    low, high = _edges(domain)
    width = _width(domain, count)
    inside_1N = _cumulated((high - centres_1N) / width) - _cumulated((low - centres_1N) / width)
    if isinstance(domain, Integer):
        left_M, right_M = _cell(domain, answers_M)
        near = _cumulated((right_M[:, None] - centres_1N) / width) - _cumulated((left_M[:, None] - centres_1N) / width)
        flat_M = (right_M - left_M) / (high - low)
    else:
        z = np.abs(at_M1 - centres_1N) / width
        near = np.exp(-z) / (1 + np.exp(-z)) ** 2 / width
        flat_M = np.full(len(answers_M), 1 / (high - low))
    with np.errstate(divide="ignore"):  # far from a narrow kernel nothing is left of it
        return np.where(np.isnan(centres_1N), np.log(flat_M)[:, None], np.log(near / inside_1N))


def drawn(domain: Domain, rng: random.Random) -> Value:
    """An answer from a flat kernel."""
    if isinstance(domain, Categorical):
        return domain.at(rng.randrange(domain.size))
    return _answer(domain, rng.uniform(*_edges(domain)))


def drawn_near(domain: Domain, answer: Value, count: int, rng: random.Random) -> Value:
    """An answer from the kernel around `answer`."""
    if isinstance(domain, Categorical):
        return answer if rng.random() < 1 / (1 + domain.size / count) else drawn(domain, rng)
    centre, width = coordinate(domain, answer), _width(domain, count)
    least, most = (float(_cumulated(np.array((edge - centre) / width))) for edge in _edges(domain))
    chance = rng.uniform(least, most)
    return _answer(domain, centre + width * math.log(chance / (1 - chance)) if 0 < chance < 1 else centre)


def _cumulated(z: Coordinates) -> Coordinates:
    """1 / (1 + e^-z), for z of any size."""
    return (1 + np.tanh(z / 2)) / 2


def _width(domain: Domain, count: int) -> float:
    """The logistic distribution's scale, of a standard deviation of the range by the number of kernels, or by NARROWEST."""
    low, high = _edges(domain)
    return (high - low) / min(NARROWEST, count) * math.sqrt(3) / math.pi


def _edges(domain: Domain) -> tuple[float, float]:
    """Where the range begins and ends; integers fill the cells around them."""
    assert not isinstance(domain, Categorical)  # noqa: S101 - a list has no edges
    half = domain.step / 2 if isinstance(domain, Integer) else 0.0
    return _scaled(domain, domain.low - half), _scaled(domain, domain.high + half)


def _cell(domain: Integer, at: Coordinates) -> tuple[Coordinates, Coordinates]:
    values = np.rint(np.exp(at)) if domain.log else at
    cut = (values - domain.step / 2, values + domain.step / 2)
    return (np.log(cut[0]), np.log(cut[1])) if domain.log else cut


def _scaled(domain: Domain, value: float) -> float:
    return math.log(value) if not isinstance(domain, Categorical) and domain.log else value


def _answer(domain: Domain, at: float) -> Value:
    """The member nearest to the coordinate."""
    assert not isinstance(domain, Categorical)  # noqa: S101 - a list has none between
    value = math.exp(at) if domain.log else at
    if isinstance(domain, Integer):
        steps = round((value - domain.low) / domain.step)
        return domain.at(min(max(steps, 0), domain.size - 1))
    return min(max(value, domain.low), domain.high)
