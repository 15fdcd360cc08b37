"""TPE over whole architectures of a conditional space: what is likelier around the good ones than around the rest.

As in Bergstra et al. (2011) and in Optuna, two densities are compared, each a mixture of one kernel around each of the good, or
of the other, architectures and of a flat one. Optuna draws together what all trials have and every other choice by itself, or
those that stand together in groups, which takes apart what belongs together in a good architecture. Here a candidate is one walk,
in which a good architecture answers, now and then chance, and chance alone where that one was never asked. Its density in either
mixture is that of its own answers, whatever else the kernels answer; and what the two differ by is shared out over its choices,
since more of them differ by more, and architectures of many choices would come first. What is known or running is no candidate,
so that nothing is proposed twice while there is anything else near.

What is still running stands among the rest until it is known, so that the next proposal is drawn elsewhere: the pessimistic liar,
as in Optuna (Ginsbourger et al. 2010, sec. 4.2).

The numbers are Optuna's but for the narrowest kernel on a range; what was measured stands in results/conditional_tpe.
"""

import itertools
import math
import random
from collections.abc import Mapping, Sequence

import numpy as np

from nas.space import Architecture, Domain, Space, Value
from nas.strategies.choosing import ChoosingSampler, Known, Seen
from nas.strategies.kernels import Coordinates, coordinate, drawn, drawn_near, log_kernels

START = 10
"""Architectures drawn by chance before the first that is drawn around a good one."""

GOOD, MOST_GOOD = 0.1, 25
"""The part of the known that is good, rounded up, and the most of them."""

RECENT = 25
"""Of the kernels, so many of the latest weigh 1, those before ever less, down to 1 in their number."""

CANDIDATES = 24

DRAWS = 5
"""Times that candidates are drawn, where all of them are known, before one is taken by chance."""


class ParzenSearch(ChoosingSampler):
    """What it proposes follows from what is known and the seed alone."""

    def __init__(self, space: Space, *, seed: int | None = None) -> None:
        """Search `space`."""
        super().__init__(space, seed=seed)
        self._answers = Answers(space)

    def choose(self, seen: Seen) -> Architecture:
        """The likeliest of the candidates that are not known."""
        known = seen.distinct
        if len(known) < START:
            return self.unseen(seen)
        best, others = _parted(known)
        good, rest = self._answers.mixture(best), self._answers.mixture([*others, *seen.running])
        for _ in range(DRAWS):
            candidates = [good.draw(self.space, self.rng) for _ in range(CANDIDATES)]
            fresh = [one for one in candidates if one not in seen]
            if fresh:
                answers = [self._answers.of(one) for one in fresh]
                choices = np.array([len(one.choices) or 1 for one in fresh])
                return fresh[int(np.argmax((good.log_chances(answers) - rest.log_chances(answers)) / choices))]
        return self.unseen(seen)


def _parted(known: Sequence[Known]) -> tuple[list[Architecture], list[Architecture]]:
    """The good, and the others, both in the order of the proposals."""
    ranked = sorted(range(len(known)), key=lambda n: known[n].order)
    good = {*ranked[: min(math.ceil(GOOD * len(known)), MOST_GOOD)]}
    parts: tuple[list[Architecture], list[Architecture]] = ([], [])
    for n, one in enumerate(known):
        parts[n not in good].append(one.architecture)
    return parts


class Answers:
    """Architectures by the coordinates of their answers, each read once."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.domains: dict[str, Domain] = {}
        """Every choice met so far; a column of the table each."""
        self._columns: dict[str, int] = {}
        self._table = np.zeros((0, 0))
        self._rows: dict[str, int] = {}
        """Architecture's id → its row."""

    def of(self, architecture: Architecture) -> dict[str, float]:
        """Choice → coordinate of its answer."""
        domains = self.space.domains(architecture)
        self.domains.update(domains)
        return {name: coordinate(domain, architecture.choices[name]) for name, domain in domains.items()}

    def mixture(self, architectures: Sequence[Architecture]) -> "Mixture":
        """The kernels around `architectures`, and a flat one."""
        for one in architectures:
            if one.id not in self._rows:
                self._add(one)
        kernels = self._table[[self._rows[one.id] for one in architectures]]
        flat = np.full((1, kernels.shape[1]), math.nan)
        table = np.concatenate([kernels, flat])
        return Mixture(architectures, self.domains, {name: table[:, n] for name, n in self._columns.items()})

    def _add(self, architecture: Architecture) -> None:
        answers = self.of(architecture)
        for name in answers:
            self._columns.setdefault(name, len(self._columns))
        rows, columns = self._table.shape
        if rows == len(self._rows) or columns < len(self._columns):  # room for as many again
            room = np.full((2 * len(self._rows) + 1, len(self._columns)), math.nan)
            room[:rows, :columns] = self._table
            self._table = room
        self._rows[architecture.id] = len(self._rows)
        for name, at in answers.items():
            self._table[self._rows[architecture.id], self._columns[name]] = at


class Mixture:
    """A density over architectures: kernels around some, the last of them flat."""

    def __init__(self, around: Sequence[Architecture], domains: Mapping[str, Domain], centres: Mapping[str, Coordinates]) -> None:
        """`centres`: of each choice, the coordinates (N,) of its answers, NaN where it was not asked, and at the end."""
        self.around = around
        self.domains = domains
        self.centres = centres
        self.weights = weights(len(around))
        self._cumulated = [*itertools.accumulate(self.weights)]

    def draw(self, space: Space, rng: random.Random) -> Architecture:
        """An architecture from the mixture."""
        n = rng.choices(range(len(self.weights)), cum_weights=self._cumulated)[0]
        mine = self.around[n].choices if n < len(self.around) else {}

        def answer(name: str, domain: Domain) -> Value:
            return drawn_near(domain, mine[name], len(self.weights), rng) if name in mine else drawn(domain, rng)

        return space.walk(answer)

    def log_chances(self, answers: Sequence[Mapping[str, float]]) -> Coordinates:
        """(M,): the logarithm of the density at each, of the choices that it has."""
        total_MN = np.tile(np.log(self.weights), (len(answers), 1))
        for name in dict.fromkeys(itertools.chain.from_iterable(answers)):
            having = [m for m, one in enumerate(answers) if name in one]
            at = np.array([answers[m][name] for m in having])
            centres = self.centres.get(name, np.full(len(self.weights), math.nan))
            total_MN[having] += log_kernels(self.domains[name], centres, at, len(self.weights))
        most = total_MN.max(1)
        chances: Coordinates = np.log(np.exp(total_MN - most[:, None]).sum(1)) + most
        return chances


def weights(count: int) -> Coordinates:
    """(N + 1,): of so many kernels in the order of the proposals, and of the flat one, 1 in all."""
    old = count - RECENT
    ramp = np.linspace(1 / count, 1.0, num=old) if old > 0 else np.zeros(0)
    found = np.concatenate([ramp, np.ones(min(count, RECENT) + 1)])
    scaled: Coordinates = found / found.sum()
    return scaled
