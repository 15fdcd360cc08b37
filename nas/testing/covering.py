"""Few architectures that have every value of every choice between them, and architectures that differ in one choice."""

import math
import random
from collections.abc import Iterator, Mapping

from nas.space import Architecture, Categorical, Domain, Integer, Space, Value, changed, same_value

MOST_VALUES = 16
"""The most integers of a range that are each tried; of a longer one, and of reals, both ends and the middle."""


def values_of(domain: Domain) -> list[Value]:
    """The values of `domain` that are tried, the largest of a range first: a repeat's last turn has all others before it."""
    if isinstance(domain, Categorical) or (isinstance(domain, Integer) and domain.size <= MOST_VALUES):
        return list(domain) if isinstance(domain, Categorical) else [*reversed(list(domain))]
    middle = math.sqrt(domain.low * domain.high) if domain.log else (domain.low + domain.high) / 2
    if isinstance(domain, Integer):
        return [domain.high, domain.low, domain.low + int(middle - domain.low) // domain.step * domain.step]
    return [domain.high, domain.low, middle]


def covering(space: Space) -> tuple[Architecture, ...]:
    """Architectures of `space` that have, between them, each value of each choice that one of them can have.

    Each walk answers by a value that no architecture has yet, where there is one. Where a walk meets none, the next goes the way
    of an earlier one to a choice with values left, so that every walk brings one at least.
    """
    rng = random.Random(0)  # noqa: S311 - no secret
    left: dict[str, list[Value]] = {}
    seen: dict[str, Architecture] = {}
    found: list[Architecture] = []
    way: Mapping[str, Value] = {}

    def choose(name: str, domain: Domain) -> Value:
        if name in way:
            return way[name]
        values = left.setdefault(name, values_of(domain))
        return values[0] if values else rng.choice(values_of(domain))

    while True:
        architecture = space.walk(choose)
        new = False
        for name, value in architecture.choices.items():
            seen.setdefault(name, architecture)
            values = left.get(name, [])
            for n in [n for n, other in enumerate(values) if same_value(other, value)][:1]:
                del values[n]
                new = True
        if new:
            found.append(architecture)
            way = {}
            if _unmet(left, architecture):
                continue
        unmet = next((name for name, values in left.items() if values), None)
        if unmet is None:
            return tuple(found) or (architecture,)
        way = {**_before(seen[unmet], unmet), unmet: left[unmet][0]}


def _unmet(left: Mapping[str, list[Value]], architecture: Architecture) -> bool:
    """Whether a walk like the last one would meet values that are left."""
    return any(left.get(name) for name in architecture.choices)


def _before(architecture: Architecture, name: str) -> dict[str, Value]:
    """The answers that led to the choice `name`."""
    names = list(architecture.choices)
    return {before: architecture.choices[before] for before in names[: names.index(name)]}


def alternatives(space: Space, architecture: Architecture, name: str) -> Iterator[Architecture]:
    """Architectures that differ from `architecture` in the choice `name`, and in what follows from it.

    Choices that apply only there get the first of their values.
    """
    for value in values_of(space.domains(architecture)[name]):
        if not same_value(value, architecture.choices[name]):
            yield changed(space, architecture, name, value, fresh=lambda domain: values_of(domain)[-1])
