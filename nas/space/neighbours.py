"""Architectures near others: one answer changed, two of them crossed, and how far apart two are."""

import random
from collections.abc import Callable, Iterator
from functools import partial

from nas.errors import SpaceError
from nas.space.architecture import Architecture
from nas.space.counting import draw
from nas.space.domain import Domain, Integer, Real, Value, same_value
from nas.space.space import Space

LISTED = 100
"""All answers of a range of up to so many integers are tried in turn; of a longer one, and of a range of reals, some."""

DRAWN = 5
"""So many."""


def neighbours(space: Space, architecture: Architecture, rng: random.Random) -> list[Architecture]:
    """All architectures in which one choice of `architecture` is answered differently, in the order of choices and answers.

    All other answers are kept where their choices still apply; choices that newly apply are drawn by `rng`, each uniformly. Of a
    range of reals, or of more than LISTED integers, DRAWN other answers are drawn and tried in ascending order. No architecture
    stands twice, and `architecture` not at all.

    Raises:
        SpaceError: `architecture` is not one of `space`.
    """
    return [
        changed(space, architecture, name, answer, partial(draw, rng=rng))
        for name, domain in space.domains(architecture).items()
        for answer in other_answers(domain, architecture.choices[name], rng)
    ]


def mutate(space: Space, architecture: Architecture, rng: random.Random) -> Architecture:
    """A neighbour of `architecture`, drawn by `rng`: first the choice to change, then its new answer, each uniformly.

    Raises:
        SpaceError: `architecture` is not one of `space`, or none of its choices has a second answer.
    """
    open_choices = [(name, domain) for name, domain in space.domains(architecture).items() if domain.size > 1]
    if not open_choices:
        raise SpaceError(f"nothing can be changed in {architecture.id} of {space.name!r}: each of its choices has one answer.")
    name, domain = rng.choice(open_choices)
    return changed(space, architecture, name, _another(domain, architecture.choices[name], rng), partial(draw, rng=rng))


def crossover(space: Space, one: Architecture, other: Architecture, rng: random.Random) -> Architecture:
    """An architecture of the answers of two: of either, by `rng`, where both have the choice, else of the one that has it.

    Only a choice that neither has is drawn.

    Raises:
        SpaceError: `one` or `other` is not one of `space`.
    """
    for parent in (one, other):
        space.blueprint(parent)  # says what is wrong with it

    def choose(name: str, domain: Domain) -> Value:
        having = [parent.choices for parent in (one, other) if name in parent.choices]
        return rng.choice(having)[name] if having else draw(domain, rng)

    return space.walk(choose)


def distance(space: Space, one: Architecture, other: Architecture) -> int:
    """The number of choices in which two architectures differ; a choice that only one of them has is one.

    A metric: it is Hamming's over all choices of the space, where "does not apply" is one more answer.

    Raises:
        SpaceError: `one` or `other` is not one of `space`.
    """
    for architecture in (one, other):
        space.blueprint(architecture)  # says what is wrong with it
    return len(differences(one, other))


def differences(one: Architecture, other: Architecture) -> list[str]:
    """The choices in which two architectures differ, those that only one of them has too, in the order of `one`, then `other`."""

    def differs(name: str) -> bool:
        both = name in one.choices and name in other.choices
        return not (both and same_value(one.choices[name], other.choices[name]))

    return [name for name in dict.fromkeys([*one.choices, *other.choices]) if differs(name)]


def changed(space: Space, architecture: Architecture, name: str, answer: Value, fresh: Callable[[Domain], Value]) -> Architecture:
    """`architecture` with `answer` to the choice `name`; `fresh` answers what newly applies."""
    kept = {**architecture.choices, name: answer}
    return space.walk(lambda asked, domain: kept[asked] if asked in kept else fresh(domain))


def other_answers(domain: Domain, answer: Value, rng: random.Random) -> Iterator[Value]:
    """Every answer of `domain` but `answer`, or DRAWN of them where there are more than LISTED."""
    if isinstance(domain, Real) or (isinstance(domain, Integer) and domain.size > LISTED):
        yield from sorted({_another(domain, answer, rng) for _ in range(DRAWN)})  # type: ignore[type-var]  # numbers
        return
    here = domain.position(answer)
    yield from (value for n, value in enumerate(domain) if n != here)


def _another(domain: Domain, answer: Value, rng: random.Random) -> Value:
    if isinstance(domain, Real):
        drawn = draw(domain, rng)
        return drawn if drawn != answer else domain.low if answer != domain.low else domain.high
    place = rng.randrange(domain.size - 1)
    return domain.at(place + (place >= domain.position(answer)))
