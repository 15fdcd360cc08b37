"""Many children of one architecture at little cost: what keeps to the same questions needs no walk."""

import random
from collections.abc import Mapping
from functools import cached_property, partial

from nas.space.architecture import Architecture
from nas.space.counting import draw
from nas.space.domain import Categorical, Domain, Value, same_value
from nas.space.encoding import scaled, unscaled
from nas.space.moments import Moment, questions
from nas.space.neighbours import other_answers
from nas.space.program import Choice
from nas.space.space import Space

STEP = 0.1
"""How far a number moves that moves a little, as a part of its range (the standard deviation)."""


class Parent:
    """An architecture that others are made of.

    Where another answer leads to the same `Moment`, the questions after it are the same, so that all other answers can be kept
    as they are; only where it does not is the space walked.
    """

    def __init__(self, space: Space, architecture: Architecture) -> None:
        """Make children of `architecture`, which is one of `space`."""
        self.space = space
        self.architecture = architecture
        self.moments: list[Moment] = []
        """Where its walk stands at each of its choices, and at the end."""
        moment = questions(space).begin.moment
        for answer in architecture.choices.values():
            self.moments.append(moment)
            moment = _after(moment, answer)
        self.moments.append(moment)
        self._parts = {part for name in architecture.choices for part in name.split(".")}
        self._places = {name: place for place, name in enumerate(architecture.choices)}

    def domain(self, name: str) -> Domain:
        """Of one of its choices."""
        return _choice(self.moments[self._places[name]]).domain

    @cached_property
    def open(self) -> list[str]:
        """Its choices that have a second answer."""
        return [name for name in self.architecture.choices if self.domain(name).size > 1]

    def others(self, name: str, rng: random.Random) -> list[Value]:
        """Other answers to one of its choices: all of them, or some where there are very many."""
        return list(other_answers(self.domain(name), self.architecture.choices[name], rng))

    def other(self, name: str, rng: random.Random) -> Value:
        """Another answer to one of its choices: every second time near by where it is a number, else any."""
        domain, answer = self.domain(name), self.architecture.choices[name]
        if not isinstance(domain, Categorical) and rng.random() < 0.5:
            assert isinstance(answer, int | float)  # noqa: S101 - of a range
            near = unscaled(domain, min(max(scaled(domain, answer) + rng.gauss(0, STEP), 0.0), 1.0))
            if near != answer:
                return near
        while same_value(drawn := draw(domain, rng), answer):
            pass
        return drawn

    def changed(self, answers: Mapping[str, Value], rng: random.Random) -> Architecture:
        """It with other `answers`; choices that newly apply are drawn by `rng`."""
        kept = {**self.architecture.choices, **answers}
        if all(self._keeps(name, answer) for name, answer in answers.items()):
            return Architecture(self.architecture.space, self.architecture.version, kept)
        return self.space.walk(lambda name, domain: kept[name] if name in kept else draw(domain, rng))

    def crossed(self, other: "Parent", rng: random.Random) -> Architecture:
        """Of the answers of either, by `rng`, where both have the choice, else of the one that has it; else drawn."""
        mine, theirs = self.architecture.choices, other.architecture.choices
        if self.moments == other.moments and mine.keys() == theirs.keys():
            mixed = {name: rng.choice((answer, theirs[name])) for name, answer in mine.items()}
            return Architecture(self.architecture.space, self.architecture.version, mixed)
        return self.space.walk(partial(_mix, (mine, theirs), rng))

    def _keeps(self, name: str, answer: Value) -> bool:
        """Whether the questions after `name` are the same with `answer`, those of an alternative by their names too."""
        place = self._places[name]
        if self.architecture.choices[name] in self._parts:  # moments know no names: two options may ask alike
            return False
        return _after(self.moments[place], answer) is self.moments[place + 1]


def _mix(parents: tuple[Mapping[str, Value], Mapping[str, Value]], rng: random.Random, name: str, domain: Domain) -> Value:
    having = [parent for parent in parents if name in parent]
    return rng.choice(having)[name] if having else draw(domain, rng)


def _choice(moment: Moment) -> Choice:
    assert moment.choice is not None  # noqa: S101 - moments and the walk ask the same
    return moment.choice


def _after(moment: Moment, answer: Value) -> Moment:
    choice = _choice(moment)
    return moment.after_token(choice.token(answer) if choice.decides else 0).moment
