"""One question as a strategy meets it: what may be evaluated, what each training came to, and how far it lies from the best.

Axes: N architectures, R trainings of each.
"""

import hashlib
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from nas.benchmark import Objective
from nas.comparing.expectation import Floats, expected_regrets
from nas.comparing.values import Question
from nas.errors import CompareError, did_you_mean
from nas.space import Architecture, Limit, Space
from nas.tables import Table

SIZES = ("flops", "params")
"""What the baseline `sort` goes by: the first of these that a table has."""

_TRIES = 50
"""Draws by chance before those that are left are listed."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Arena:
    """A table with or without limits.

    Raises:
        CompareError: a limit is on what the table does not have, or nothing is within the limits.
    """

    question: Question
    space: Space
    objective: Objective
    limits: tuple[Limit, ...]
    architectures: Sequence[Architecture]
    trainings: Floats
    """(N, R): the objective after each training; NaN where one was not made."""
    means: Floats
    """(N,): what an architecture is worth."""
    figures: Mapping[str, Floats]
    """(N,) each: what is known before training; NaN where it is not."""
    scores: Mapping[str, Floats] = field(default_factory=dict)
    """(N,) each: zero-cost scores that strategies may learn from beside parameters and FLOPs."""
    seconds: Floats | None = None
    """(N,): what one training takes; None where the table does not tell."""

    def __post_init__(self) -> None:
        table = f"The table {self.question.table}"
        for limit in self.limits:
            if limit.figure not in self.figures:
                known = did_you_mean(limit.figure, self.figures)
                raise CompareError(f"{table} has no figure {limit.figure!r} for a limit. {known}")
        if not self.inside.any():
            spans = {
                limit.figure: f"{limit.figure} goes from {np.nanmin(values):,.10g} to {np.nanmax(values):,.10g}"
                for limit in self.limits
                for values in [self.figures[limit.figure]]
            }
            raise CompareError(f"{table} has nothing within {self.question.limits}: {', '.join(spans.values())}.")

    @property
    def sized(self) -> bool:
        """Whether the table tells sizes, by which the largest can be taken first."""
        return any(name in self.figures for name in SIZES)

    @cached_property
    def inside(self) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        """(N,): which architectures are within the limits; as in a search, a figure that is not known breaks none."""
        within = np.ones(len(self.architectures), dtype=bool)
        for limit in self.limits:
            within &= np.array([np.isnan(value) or limit.allows(float(value)) for value in self.figures[limit.figure]])
        return within

    @cached_property
    def _within(self) -> list[int]:
        """The rows of `inside`."""
        return [int(row) for row in np.flatnonzero(self.inside)]

    @cached_property
    def feasible(self) -> int:
        """How many architectures are within the limits."""
        return len(self._within)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Architecture's id → its row."""
        return {architecture.id: row for row, architecture in enumerate(self.architectures)}

    @cached_property
    def regrets(self) -> Floats:
        """(N,): how far each mean lies from the best within the limits; below 0 for one outside them that is better still."""
        costs = self._sign * self.means
        found: Floats = costs - costs[self.inside].min()
        return found

    def regret(self, architecture: Architecture) -> float:
        """How far the mean of `architecture`, which the table has, lies from the best within the limits."""
        return float(self.regrets[self.places[architecture.id]])

    def answer(self, architecture: Architecture, seed: int) -> float:
        """What the training of `architecture` from `seed` came to: one of those that were made, always the same one."""
        return self.answers(architecture, seed)[0]

    def answers(self, architecture: Architecture, seed: int) -> tuple[float, ...]:
        """What all trainings of `architecture` came to that were made, that from `seed` first."""
        row = self.places[architecture.id]
        made = self.trainings[row][~np.isnan(self.trainings[row])]
        drawn = int.from_bytes(hashlib.sha256(f"{seed}:{architecture.id}".encode()).digest()[:8], "big")
        return tuple(float(value) for value in np.roll(made, -(drawn % len(made))))

    @cached_property
    def repeats(self) -> int:
        """How often every architecture can be trained again, to come to something else."""
        return max(0, int((~np.isnan(self.trainings[self.inside])).sum(axis=1).min()) - 1)

    def known(self, architecture: Architecture) -> dict[str, float]:
        """What is known of `architecture` before its training; nothing where the table does not have it."""
        row = self.places.get(architecture.id)
        if row is None:
            return {}
        return {name: float(values[row]) for name, values in self.figures.items() if not np.isnan(values[row])}

    def features(self, architecture: Architecture) -> Mapping[str, float]:
        """What a strategy may learn from beside the answers: parameters, FLOPs, and the scores that are asked for."""
        row = self.places.get(architecture.id)
        return {} if row is None else {name: float(values[row]) for name, values in self._learned_from.items()}

    @cached_property
    def _learned_from(self) -> Mapping[str, Floats]:
        return {name: values for name, values in self.figures.items() if name in SIZES} | dict(self.scores)

    def expected(self, evaluations: int) -> Floats:
        """(evaluations,): the mean regret of random search after each evaluation, by formula (see `expected_regrets`)."""
        costs = self._sign * self.trainings[self.inside]
        return expected_regrets(costs, self.regrets[self.inside], evaluations)

    @cached_property
    def even(self) -> bool:
        """Whether random search, which answers each choice evenly, draws all architectures evenly: where all have the same
        choices.
        """
        first = self.space.domains(self.architectures[0])
        return all(one.choices.keys() == first.keys() for one in self.architectures)

    @property
    def training_seconds(self) -> float | None:
        """What one training takes, in the mean over what is within the limits; None where the table does not tell."""
        times = self.seconds[self.inside] if self.seconds is not None else np.array([np.nan])
        return None if np.isnan(times).all() else float(np.nanmean(times))

    def draw(self, rng: random.Random, known: Collection[str]) -> Architecture:
        """An architecture within the limits by chance whose id is not in `known`; there must be one."""
        for _ in range(_TRIES):
            drawn = self.architectures[rng.choice(self._within)]
            if drawn.id not in known:
                return drawn
        return self.architectures[rng.choice([row for row in self._within if self.architectures[row].id not in known])]

    def largest_first(self, rng: random.Random) -> list[Architecture]:
        """All within the limits by size, which the table must tell, equals in an order by chance, those of unknown size last."""
        sizes = next(self.figures[name] for name in SIZES if name in self.figures)
        rows = list(self._within)
        rng.shuffle(rows)
        return [self.architectures[row] for row in sorted(rows, key=lambda row: -np.nan_to_num(sizes[row], nan=-np.inf))]

    @property
    def _sign(self) -> float:
        """What turns the objective into a cost."""
        return 1.0 if self.objective.direction == "minimize" else -1.0


def arena_of(table: Table, limits: Sequence[Limit] = (), *, proxies: Sequence[str] = (), noise: bool = True) -> Arena:
    """The question whether a strategy finds the best of `table` within `limits`.

    `proxies` names the zero-cost scores of the table that strategies may learn from. Without `noise` each answer is the mean over
    trainings.

    Raises:
        CompareError: the table lacks what is asked of it.
    """
    for name in proxies:
        if name not in table.proxies:
            raise CompareError(f"The table {table.name} has no proxy:{name}. {did_you_mean(name, table.proxies)}")
    times = list(table.seconds.values())
    return Arena(
        question=Question(table.name, ", ".join(map(str, limits))),
        space=table.space,
        objective=table.objective,
        limits=tuple(limits),
        architectures=table.architectures,
        trainings=table.trainings if noise else table.means[:, None],
        means=table.means,
        figures=table.figures,
        scores={name: table.proxies[name] for name in proxies},
        seconds=times[-1].means if times else None,
    )
