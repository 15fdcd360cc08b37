"""How strategies stand: mean regrets with intervals, ranks, shares of random search, and whether that does as expected."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, sqrt

import numpy as np

from nas.comparing.expectation import Floats
from nas.comparing.values import Question, Run

CHECKPOINTS = (50, 100, 200, 400)
"""Evaluations at which strategies are held against each other, as in the literature on tables; the end of the budget too."""

RANDOM = "random"

RESAMPLES = 2000
"""Of the bootstrap."""

COLUMNS = 1000
"""Of these, as many are held at once: 16 MB."""

TOLERANCE = 2.0
"""Standard errors within which a mean agrees with its expectation."""


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95 % interval and its standard error."""

    mean: float
    low: float
    high: float
    error: float
    """Standard error of the mean; 0 for one seed, which cannot tell."""


@dataclass(frozen=True)
class Agreement:
    """Random search against its expectation, on one question after so many evaluations."""

    question: Question
    evaluations: int
    mean: float
    error: float
    expected: float

    @property
    def deviations(self) -> float:
        """How many standard errors the mean lies from the expectation; with no spread at all, 0 where the two are equal."""
        distance = abs(self.mean - self.expected)
        if distance <= 1e-9 * max(1.0, abs(self.expected)):
            return 0.0
        return distance / self.error if self.error else inf

    @property
    def agrees(self) -> bool:
        """Whether it lies within two standard errors, as 95 of 100 do where all is right."""
        return self.deviations <= TOLERANCE


class Standings:
    """All runs of a comparison, by question, strategy, seed and evaluation."""

    def __init__(
        self,
        runs: Iterable[Run],
        *,
        evaluations: int,
        strategies: Sequence[str],
        expected: Mapping[Question, Floats],
        uneven: Collection[Question] = (),
    ) -> None:
        """Order `runs`; each strategy has one on each question from each seed.

        `expected` is what random search reaches by formula after each evaluation; on the questions in `uneven` it does not draw
        evenly, and the formula is a yardstick alone.
        """
        self.runs = list(runs)
        self.evaluations = evaluations
        self.strategies = tuple(strategies)
        self.expected = dict(expected)
        self.uneven = frozenset(uneven)
        self.questions = tuple(dict.fromkeys(run.cell.question for run in self.runs))
        self.seeds = len({run.cell.seed for run in self.runs})

    @cached_property
    def checkpoints(self) -> tuple[int, ...]:
        """The evaluations at which all are told."""
        return checkpoints(self.evaluations)

    @cached_property
    def regrets(self) -> Mapping[tuple[Question, str], Floats]:
        """(seeds, evaluations) of each question and strategy, the seeds in their order."""
        return {cell: np.array([held(run.regrets, self.evaluations) for run in runs]) for cell, runs in self.by_strategy.items()}

    @cached_property
    def by_strategy(self) -> Mapping[tuple[Question, str], Sequence[Run]]:
        """Question and strategy → its runs, in the order of their seeds."""
        found: dict[tuple[Question, str], list[Run]] = {
            (question, strategy): [] for question in self.questions for strategy in self.strategies
        }
        for run in sorted(self.runs, key=lambda run: run.cell.seed):
            if (run.cell.question, run.cell.strategy) in found:
                found[run.cell.question, run.cell.strategy].append(run)
        return found

    @cached_property
    def bands(self) -> Mapping[tuple[Question, str], tuple[Floats, Floats, Floats]]:
        """(evaluations,) each: mean, low and high of each question and strategy."""
        return {cell: bootstrap(values) for cell, values in self.regrets.items()}

    def interval(self, question: Question, strategy: str, evaluations: int) -> Interval:
        """The mean regret after so many evaluations."""
        mean, low, high = (float(values[evaluations - 1]) for values in self.bands[question, strategy])
        return Interval(mean, low, high, standard_error(self.regrets[question, strategy][:, evaluations - 1]))

    def blocks(self, evaluations: int, question: Question | None = None) -> Floats:
        """(questions × seeds, strategies): the regrets after so many evaluations, of one question or of all.

        Each is a share of what random search is expected to reach on the question by then, so that questions of different spread
        weigh alike; equal seeds have met equal trainings.
        """
        chosen = self.questions if question is None else (question,)
        parts = [
            np.stack([self.regrets[one, strategy][:, evaluations - 1] for strategy in self.strategies], axis=1)
            / self._yardstick(one, evaluations)
            for one in chosen
        ]
        return np.concatenate(parts)

    def ranks(self, evaluations: int, question: Question | None = None) -> dict[str, float]:
        """Strategy → its mean rank over questions and seeds, 1 the best; equals share the mean of theirs."""
        blocks = self.blocks(evaluations, question)
        less = (blocks[:, :, None] > blocks[:, None, :]).sum(axis=2)
        equal = (blocks[:, :, None] == blocks[:, None, :]).sum(axis=2)
        ranks = (less + (equal + 1) / 2).mean(axis=0)
        return {strategy: float(rank) for strategy, rank in zip(self.strategies, ranks, strict=True)}

    def shares(self, evaluations: int) -> dict[str, float]:
        """Strategy → its mean regret as a share of what random search is expected to reach, each question weighing alike."""
        found: dict[str, float] = {}
        for strategy in self.strategies:
            means = [
                self.bands[question, strategy][0][evaluations - 1] / self._yardstick(question, evaluations)
                for question in self.questions
            ]
            found[strategy] = float(np.mean(means))
        return found

    def agreements(self) -> list[Agreement]:
        """Random search against its expectation at each checkpoint of each question on which it draws evenly."""
        if RANDOM not in self.strategies:
            return []
        found = []
        for question in self.questions:
            if question in self.uneven:
                continue
            for evaluations in self.checkpoints:
                values = self.regrets[question, RANDOM][:, evaluations - 1]
                expected = float(self.expected[question][evaluations - 1])
                found.append(Agreement(question, evaluations, float(values.mean()), standard_error(values), expected))
        return found

    def _yardstick(self, question: Question, evaluations: int) -> float:
        """What random search is expected to reach, or a thousandth of what its first evaluation does where that is more: of next
        to nothing nothing can be a share.
        """
        expected = self.expected[question]
        return float(max(expected[evaluations - 1], expected[0] / 1000)) or 1.0


def checkpoints(evaluations: int) -> tuple[int, ...]:
    """Those of CHECKPOINTS that are within the budget, and its end."""
    return (*(at for at in CHECKPOINTS if at < evaluations), evaluations)


def held(regrets: Sequence[float], evaluations: int) -> list[float]:
    """`regrets` up to the budget; where nothing was left to evaluate, what was found holds."""
    kept = list(regrets[:evaluations])
    return kept + kept[-1:] * (evaluations - len(kept))


def bootstrap(values: Floats) -> tuple[Floats, Floats, Floats]:
    """(columns,) thrice: the means of `values` (seeds, columns), and the ends of their 95 % intervals by the bootstrap.

    Seeds are drawn anew with repeats, whole rows at a time (Efron 1979), so that no distribution is assumed and no end lies below
    0 where no regret does.
    """
    seeds = len(values)
    mean = np.array([column.mean() for column in values.T])
    drawn = np.random.default_rng(0).multinomial(seeds, [1 / seeds] * seeds, size=RESAMPLES)
    parts = [values[:, first : first + COLUMNS] for first in range(0, values.shape[1], COLUMNS)]
    low, high = np.concatenate([np.percentile(drawn @ part / seeds, [2.5, 97.5], axis=0) for part in parts], axis=1)
    return mean, np.minimum(low, mean), np.maximum(high, mean)


def standard_error(values: Floats) -> float:
    """Of the mean of `values` (seeds,); 0 for one seed."""
    return float(values.std(ddof=1)) / sqrt(len(values)) if len(values) > 1 else 0.0
