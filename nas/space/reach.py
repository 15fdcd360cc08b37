"""The smallest and the largest that a figure is in a space, and architectures that have it."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from nas.errors import ModelError
from nas.space.architecture import Architecture
from nas.space.completions import Completions, Rest, TooMany, Way
from nas.space.counting import draw
from nas.space.domain import Domain, Value
from nas.space.fold import Costs
from nas.space.neighbours import changed, other_answers
from nas.space.program import first

MAX_DESCENT = 50_000
"""The most questions that are answered to improve architectures step by step, where exact extremes are out of reach."""


@dataclass(frozen=True)
class Extreme:
    """The least or the most that a figure is, and an architecture in which it is."""

    total: float
    architecture: Architecture


@dataclass(frozen=True)
class Reach:
    """From where to where a figure reaches, over all architectures in which every layer fits."""

    smallest: Extreme
    largest: Extreme
    proven: bool
    """Whether there is certainly nothing beyond; otherwise these are the best that were found."""


def extremes(completions: Completions, figure: str, rng: random.Random | None = None) -> Reach:
    """The smallest and the largest `figure` of the architectures that `completions` is of.

    They are exact where its bound allows it to follow all answers. Where not, architectures drawn by `rng` (of seed 0 without
    one) are improved answer by answer until no single change helps, for MAX_DESCENT questions in each direction; the best of them
    is not proven.

    Raises:
        ModelError: there is no architecture in which every layer fits, or none was found.
        SpaceError: `figure` is none of those of `completions`.
    """
    at = completions.index(figure)
    rng = rng or random.Random(0)  # noqa: S311 - no secret
    try:
        total = completions.total()
    except TooMany:
        smallest = improve(completions, lambda costs: costs[at], rng)
        largest = improve(completions, lambda costs: -costs[at], rng)
    else:
        if total is None:
            unless = "" if completions.whole else " of those that were tried"
            raise ModelError(f"no architecture of {completions.space.name!r}{unless} has layers that all fit.")
        smallest = _best(completions, lambda way, after: way.costs[at] + after.low[at])
        largest = _best(completions, lambda way, after: -way.costs[at] - after.high[at])
        ends = Extreme(total.low[at], smallest), Extreme(total.high[at], largest)
        return Reach(*ends, proven=completions.whole)
    if smallest is None or largest is None:
        raise ModelError(f"no architecture of {completions.space.name!r} was found in which every layer fits.")
    ends = Extreme(completions.cost(smallest)[at], smallest), Extreme(completions.cost(largest)[at], largest)
    return Reach(*ends, proven=False)


def _best(completions: Completions, score: Callable[[Way, Rest], float]) -> Architecture:
    """The architecture whose every answer has the least `score`."""
    assert completions.begin is not None  # noqa: S101 - asked only where there is one
    key = completions.begin.to

    def choose(_name: str, _domain: Domain) -> Value:
        nonlocal key
        ways = [(way, rest) for way in completions.ways(key) if (rest := completions.rest(way.to))]
        way, _ = min(ways, key=lambda pair: score(*pair))
        choice, key = key[0].choice, way.to
        assert choice is not None  # noqa: S101 - moments and the walk ask the same
        return choice.answer(way.token) if choice.decides else first(choice.domain)

    return completions.space.walk(choose)


def improve(
    completions: Completions, score: Callable[[Costs], float], rng: random.Random, enough: float = -math.inf
) -> Architecture | None:
    """The architecture of the least score, or one of at most `enough`, that changing one answer after the other leads to.

    It begins anew from another draw until MAX_DESCENT questions are answered. None where no architecture was found that fits.
    """
    best, found, left = math.inf, None, MAX_DESCENT
    with completions.aside():
        while left > 0:
            for value, architecture in _descent(completions, score, rng):
                left -= 1 + len(architecture.choices)
                if value < best:
                    best, found = value, architecture
                if left <= 0 or best <= enough:
                    return found
    return found


def _descent(
    completions: Completions, score: Callable[[Costs], float], rng: random.Random
) -> Iterator[tuple[float, Architecture]]:
    """Every architecture that is tried on the way down from a draw, with its score, until no single change is better."""
    space = completions.space

    def look(architecture: Architecture) -> tuple[float, list[str]]:
        costs, matter = completions.follow(architecture)
        return (math.inf if costs is None else score(costs)), matter

    current = space.sample(rng)
    least, matter = look(current)
    yield least, current
    improved = True
    while improved:
        improved = False
        for name in rng.sample(matter, len(matter)):
            if name not in current.choices:
                continue
            domain = space.domains(current)[name]
            for answer in other_answers(domain, current.choices[name], rng):
                other = changed(space, current, name, answer, partial(draw, rng=rng))
                value, others = look(other)
                yield value, other
                if value < least:
                    current, least, matter, improved = other, value, others, True
                    break
