"""Confirmation: the best few of a search trained again from other seeds, with the last of its budget, so that no luck wins.

On NAS-Bench-Macro, where the answer is one training of three, the last tenth spent so leaves 0.07 points of regret in place of
0.09 after 50 trainings, and 0.02 in place of 0.06 after 100 (40 seeds of `auto`).
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import fmean

from nas.benchmark import Objective
from nas.records import Trial
from nas.space import Architecture

TOP = 5
"""Architectures among which the trainings are shared out; three did a little worse."""

SHARE = 0.1
"""Of the trials, where nothing else is asked for; a fifth did no better, and with fewer than 50 trials neither did this."""

SEEDS_FROM = 720_721
"""How far above the search's seed the seeds of confirmations begin, so that finals, which count on from the search's, meet none;
one more than a multiple of 2 to 16, for tables that go through their trainings in turn."""


def usual_confirmations(trials: int) -> int:
    """Of so many trials, how many confirm the best where nothing else is asked for: SHARE of them if that is TOP at least."""
    share = int(SHARE * trials)
    return share if share >= TOP else 0


@dataclass
class Confirmation:
    """Who is trained again next, and what is known of it."""

    objective: Objective
    seed: int
    """The search's."""
    replicates: int = 1
    """Seeds that one training takes."""
    most: int | None = None
    """Trainings that there are of an architecture, the search's included; None for any number."""
    tried: defaultdict[str, list[Trial]] = field(default_factory=lambda: defaultdict(list))
    """Architecture's id → its confirmations that have ended, in their order."""
    begun: defaultdict[str, dict[int, None]] = field(default_factory=lambda: defaultdict(dict))
    """Architecture's id → the numbers of all its confirmations, in their order: each has the next seed."""

    @property
    def holds(self) -> float:
        """The most that can be made."""
        return math.inf if self.most is None else TOP * (self.most - 1)

    def begin(self, trial: Trial) -> None:
        """Note one that is claimed, in the order of the numbers."""
        self.begun[trial.architecture.id][trial.number] = None

    def add(self, trial: Trial) -> None:
        """Note one that has ended."""
        self.begin(trial)
        self.tried[trial.architecture.id].append(trial)

    @property
    def number(self) -> int:
        """Of the next."""
        return 1 + max((number for numbers in self.begun.values() for number in numbers), default=-1)

    @property
    def made(self) -> int:
        """How many have ended."""
        return sum(map(len, self.tried.values()))

    @property
    def evaluated(self) -> int:
        """How many of these have a result; one that was outside a limit when it was measured again has none."""
        return sum(trial.state != "infeasible" for some in self.tried.values() for trial in some)

    def next(self, found: Iterable[Trial]) -> tuple[Architecture, int] | None:
        """Of the TOP best `found`, the one with the fewest trainings, the best first; and the seed to train it from.

        None where none is complete, or there are no further trainings of these.
        """
        complete = [trial for trial in found if self._costs([trial])]
        best = sorted(complete, key=lambda trial: (self._costs([trial]), trial.number))[:TOP]
        best = [trial for trial in best if self.most is None or len(self.begun[trial.architecture.id]) < self.most - 1]
        if not best:
            return None
        chosen = min(best, key=lambda trial: (len(self.begun[trial.architecture.id]), self._mean(trial), trial.number))
        return chosen.architecture, self.seed_of(chosen.architecture)

    def seed_of(self, architecture: Architecture, number: int | None = None) -> int:
        """The seed of its confirmation of that `number`, or without one of its next."""
        numbers = list(self.begun[architecture.id])
        place = len(numbers) if number is None else numbers.index(number)
        return (self.seed + SEEDS_FROM + place * self.replicates) % 2**31

    def _mean(self, trial: Trial) -> float:
        return fmean(self._costs([trial, *self.tried[trial.architecture.id]]))

    def _costs(self, trials: Iterable[Trial]) -> list[float]:
        """Of those that are complete and have the figure; less is better."""
        figures = (trial.record.figures for trial in trials if trial.state == "complete" and trial.record is not None)
        return [self.objective.cost(some[self.objective.figure]) for some in figures if self.objective.figure in some]
