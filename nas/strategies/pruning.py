"""Early stopping with several objectives, which Optuna has not: a candidate that can no longer reach the Pareto front is stopped.

Some objectives are known before training (parameters, FLOPs, latency), the others at its end. After each epoch a candidate's
trained objectives are taken to their *optimistic end*: where it stands, bettered by MARGIN times the greatest improvement from
this epoch to the end that a complete trial has shown, and no better than the metric can be. It is stopped where a complete trial
dominates that end together with what is known. So what is on the front by its optimistic end is never stopped, and nothing is
by such a guess before STARTUP complete trials have told of that epoch.

The risk is a candidate that improves by more than that, and is lost though it would have reached the front. Were it and the n
complete trials to improve by chance, in any order, one in n + 1 would improve by more than all others, and few of those by MARGIN
times as much and to the front. Complete trials are no fair sample, since who begins slowly is stopped more often; MARGIN is for
that too.

Where all objectives are known, or by the bound of a metric alone (an accuracy is at most 1), a candidate may be left untrained;
that is no guess, and one complete trial may decide it.

Decisions follow from the objectives and curves of the complete trials, in whatever order, and so are the same after a restart.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from copy import copy
from types import MappingProxyType

import numpy as np
from optuna import Study
from optuna.pruners import HyperbandPruner
from optuna.trial import FrozenTrial

from nas.benchmark import Objective
from nas.records import FIGURES, Epoch, Record

STARTUP = 8
"""Different complete trials that must have told of an epoch before their improvement is relied on."""

MARGIN = 1.25
"""How many times the greatest improvement is granted.

In orders of 100 out of 200 trainings (residual_cnn on digits, 8 epochs) the front was kept in at least 97 % of cases for 75 to
82 % of the epochs, depending on the objectives; without a margin, in a third to nine tenths of cases for 54 to 65 %.
"""

SHARES = (
    *("accuracy", "balanced_accuracy", "f1", "auroc", "auroc_low", "auroc_high", "average_precision", "r2"),
    *("mrr", "hits_at_1", "hits_at_3", "hits_at_10"),
    *("precision", "recall", "coverage", "class_coverage"),
)
"""Metrics that are at most 1."""

ERRORS = ("loss", "perplexity", "word_error_rate", "character_error_rate", "rmse", "mae", "frechet_distance")
"""Metrics that are at least 0, beside bits."""

BY_ARRIVAL = frozenset({"asha", "hyperband"})
"""Pruners that compare a candidate with all that have come to its rung by now, those that still run among them. What they stop
hangs on who is faster; the others go by what complete trials have told."""

Costs = tuple[float, ...]
"""Of each objective, less is better; NaN where it is not known."""


class ParetoPruner:
    """What complete trials have come to and how they came there, and who can still reach the front."""

    def __init__(self, objectives: Sequence[Objective]) -> None:
        """Begin without a trial."""
        self.objectives = tuple(objectives)
        self.bounds = tuple(map(_bound, self.objectives))
        """The least cost that each objective can have."""
        self.complete: set[tuple[Costs, tuple[tuple[int, Costs], ...]]] = set()
        """Each complete trial's end, and its way there: epochs and costs."""
        self.ends: list[Costs] = []
        self.told: Counter[tuple[int, int]] = Counter()
        """An objective's number and an epoch → how many complete trials have told of it."""
        self.improvement: defaultdict[tuple[int, int], float] = defaultdict(float)
        """An objective's number and an epoch → by how much the cost came down from there to the end, at most."""

    def learn(self, record: Record) -> None:
        """Take in what came of a trial: only complete ones tell something, and each only once."""
        end = self._costs(record.figures)
        way = tuple((point.epoch, self._costs(point.figures)) for point in record.curve)
        if record.outcome != "complete" or any(map(math.isnan, end)) or (end, way) in self.complete:
            return
        self.complete.add((end, way))
        self.ends.append(end)
        for epoch, costs in way:
            for n, cost in enumerate(costs):
                if not math.isnan(cost):
                    self.told[n, epoch] += 1
                    self.improvement[n, epoch] = max(self.improvement[n, epoch], cost - end[n])

    def hopeless(self, known: Mapping[str, float], epoch: Epoch | None = None) -> bool:
        """Whether a candidate can no longer reach the front, of which these figures are `known` before training.

        It stands as `epoch` tells, or is not trained yet.
        """
        if not self.ends:
            return False
        optimistic = [self._optimistic(n, known, epoch) for n in range(len(self.objectives))]
        ends = np.array(self.ends)
        return bool(((ends <= optimistic).all(axis=1) & (ends < optimistic).any(axis=1)).any())

    def _optimistic(self, n: int, known: Mapping[str, float], epoch: Epoch | None) -> float:
        """The least cost that objective `n` is granted."""
        objective, figure = self.objectives[n], self.objectives[n].figure
        if figure in known:
            return objective.cost(known[figure])
        surpassed = any(end[n] < self.bounds[n] for end in self.ends)  # a figure of that name, in other units
        bound = -math.inf if surpassed else self.bounds[n]
        if epoch is None or figure not in epoch.figures or self.told[n, epoch.epoch] < STARTUP:
            return bound
        return max(bound, objective.cost(epoch.figures[figure]) - MARGIN * self.improvement[n, epoch.epoch])

    def _costs(self, figures: Mapping[str, float]) -> Costs:
        return tuple(objective.cost(figures.get(objective.figure, math.nan)) for objective in self.objectives)


def _bound(objective: Objective) -> float:
    """The least cost that any candidate can have, where the metric's name tells."""
    if objective.figure in FIGURES:
        return 0.0 if objective.direction == "minimize" else -math.inf
    metric = objective.figure.removeprefix("validation_")
    if objective.direction == "maximize":
        return -1.0 if metric in SHARES else -math.inf
    return 0.0 if metric in ERRORS or metric.startswith("bits_per_") else -math.inf


class BracketsByNumber(HyperbandPruner):
    """Hyperband that gives out brackets by the ledger's numbers.

    Where several drivers search, places in the study in memory differ from one to the other and from run to run, and a rung that
    was reached in one bracket would count in another, whose rungs are elsewhere.
    """

    numbers: Mapping[int, int] = MappingProxyType({})
    """Place in the study → the ledger's number, where they are told."""

    def _get_bracket_id(self, study: Study, trial: FrozenTrial) -> int:
        number = self.numbers.get(trial.number, trial.number)
        if number != trial.number:
            trial = copy(trial)
            trial.number = number
        return super()._get_bracket_id(study, trial)
