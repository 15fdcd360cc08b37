"""Which finalist is trained again: seeds go where they tell most about who is first, within a number of trainings.

Each finalist has LEAST trainings. Of each further one it is asked who is first so far, and who is hardest to tell from it by the
means and the numbers of trainings; the one of these two that has fewer is trained (the top-two rule EB-TC of Jourdan et al. 2022,
arXiv:2206.05979, sec. 3, with one variance for all, which then does not matter). It leaves a tenth to a third less regret than
equal seeds, as `results/certainty/` tells.

What is wanted follows from what earlier trainings came to and from nothing else, so that whoever asks, in whatever order
trainings end, is told the same. Therefore ROUND trainings are decided at once, which as many workers may do; rounds of 1, 2 and 4
find the best equally often.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, sqrt
from statistics import fmean

from nas.benchmark import Objective
from nas.errors import SearchError, quote
from nas.ranking.certainty import chances_of_first

LEAST = 2
"""Trainings of each finalist before any has more: without a second nothing is known of the noise."""

ROUND = 4

Training = tuple[int, int]
"""A finalist, from 0, and which of its trainings, from 0."""

Came = Mapping[Training, float | None]
"""What each training came to that has ended, None where it failed."""


@dataclass(frozen=True, kw_only=True)
class Allotment:
    """How many trainings there are, and how they are shared out."""

    finalists: int
    trainings: int
    objective: Objective
    even: bool = False
    """Whether all have equally many, whatever they come to."""
    confident: float | None = None
    """The probability of the first being the first from which on no more is trained; None for all trainings."""
    most: int | None = None
    """Trainings that there are of each; None for any number."""
    _asked: dict[int, tuple[Mapping[Training, float], float]] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Number of trainings → what they came to, and the probability: each that ends asks again of all rounds that are over."""

    def wanted(self, came: Came) -> tuple[list[Training], bool]:
        """The trainings that are wanted by what has ended, in their order; and whether no more will be."""
        counts = [len(range(n, self._opening, self.finalists)) for n in range(self.finalists)]
        found = [(finalist, n) for finalist, count in enumerate(counts) for n in range(count)]
        while len(found) < self.trainings:
            if not all(training in came for training in found):
                return found, False
            if self.confident is not None and self.first({one: came[one] for one in found}) >= self.confident:
                return found, True
            chosen = self._round(came, counts)
            if not chosen:
                return found, True
            for finalist in chosen:
                found.append((finalist, counts[finalist]))
                counts[finalist] += 1
        return found, True

    @property
    def _opening(self) -> int:
        """Trainings that are wanted whatever comes of them."""
        return self.trainings if self.even else min(self.trainings, LEAST * self.finalists)

    def _round(self, came: Came, counts: Sequence[int]) -> list[int]:
        """Whom to train next, up to ROUND times."""
        costs = self._costs(came, counts)
        left = min(ROUND, self.trainings - sum(counts))
        means = {finalist: fmean(found) for finalist, found in costs.items()}
        known, begun = {finalist: len(found) for finalist, found in costs.items()}, list(counts)
        chosen: list[int] = []
        while len(chosen) < left:
            pair = self._pair(means, known, begun)
            if not pair:
                break
            finalist = min(pair, key=lambda one: (known[one], -means[one]))  # of equals the challenger
            chosen.append(finalist)
            known[finalist] += 1
            begun[finalist] += 1
        return chosen

    def _pair(self, means: Mapping[int, float], known: Mapping[int, int], begun: Sequence[int]) -> list[int]:
        """The first and whoever is hardest to tell from it, without those of which there are no more trainings."""
        order = sorted(means, key=lambda one: (means[one], one))
        free = [one for one in order if self.most is None or begun[one] < self.most]
        if len(order) < 2 or not free:
            return free[:1]
        first = order[0]

        def apart(other: int) -> tuple[float, int]:
            return (means[other] - means[first]) / sqrt(1 / known[first] + 1 / known[other]), known[other]

        others = order[1:] if first in free else free
        return [one for one in (first, min(others, key=apart)) if one in free]

    def _costs(self, came: Came, counts: Sequence[int]) -> dict[int, list[float]]:
        """What the trainings of each finalist came to, less being better; without those of which none is complete."""
        values = {finalist: [came[finalist, n] for n in range(count)] for finalist, count in enumerate(counts)}
        costs = {one: [self.objective.cost(value) for value in found if value is not None] for one, found in values.items()}
        return {one: found for one, found in costs.items() if found and max(found) < inf}

    def first(self, came: Came) -> float:
        """The probability that the first by its mean is the first; 0 where nothing tells."""
        known = {one: value for one, value in came.items() if value is not None}
        asked, chance = self._asked.get(len(came), (None, 0.0))
        if asked != known:
            chance = self._chance(known)
            self._asked[len(came)] = known, chance
        return chance

    def _chance(self, came: Mapping[Training, float]) -> float:
        runs: dict[int, dict[int, float]] = {}
        for (finalist, n), value in sorted(came.items()):
            runs.setdefault(finalist, {})[n] = value
        order = sorted(runs, key=lambda one: self.objective.cost(fmean(runs[one].values())))
        known = chances_of_first([{self.objective.figure: runs[one]} for one in order], [self.objective]) if order else None
        return known[0] if known else 0.0


def allot(
    objectives: Sequence[Objective],
    *,
    finalists: int,
    seeds: int,
    trainings: int | None,
    even: bool,
    confident: float | None,
    most: int | None,
) -> Allotment:
    """Of what is asked for: `trainings` in all, or `seeds` for each finalist in the mean.

    With several objectives no one is first, and all have equally many.

    Raises:
        SearchError: what is asked for does not go together.
    """
    if trainings is not None and trainings < finalists:
        raise SearchError(f"Each of {finalists} finalists is trained at least once, got trainings {quote(trainings)}; give more.")
    if confident is not None and not 0.5 <= confident < 1:
        raise SearchError(f"One is confident from a probability of 0.5 on and below 1, got confident {quote(confident)}.")
    if confident is not None and even:
        raise SearchError(f"With even all seeds are trained, got confident {confident:g} too; leave one of them out.")
    if confident is not None and len(objectives) > 1:
        names = ", ".join(goal.figure for goal in objectives)
        raise SearchError(f"Of several objectives ({names}) none is the first, got confident {confident:g}; leave it out.")
    total = trainings if trainings is not None else finalists * seeds
    return Allotment(
        finalists=finalists,
        trainings=total if most is None else min(total, finalists * most),
        objective=objectives[0],
        even=even or len(objectives) > 1,
        confident=confident,
        most=most,
    )
