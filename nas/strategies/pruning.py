"""Early stopping with several objectives, which Optuna has not: a candidate that can no longer reach the Pareto front is stopped.

Some objectives are known before training (parameters, FLOPs, latency), the others after it. At each epoch a candidate's trained
objectives are taken to their *optimistic end*: where it stands, bettered by the greatest improvement from this epoch to the end
among the NEIGHBOURS complete trials that stood nearest to it at this epoch, and no better than the metric can be. It is stopped
where a complete trial dominates that end together with what is known. So what would be on the front at its optimistic end is never
stopped, and nothing is before STARTUP complete trials have told of that epoch.

The risk: a candidate that would improve more than its neighbours did is lost, though it may have reached the front. If it and its
NEIGHBOURS improve by chance in any order, that is one in NEIGHBOURS + 1 candidates, and to lose something it must have needed
the difference. What is complete is not a fair sample, since who begins slowly is stopped; but every stop was by an end that was
too good. A bound of the metric (an accuracy is at most 1) costs nothing: by it alone a candidate may be left untrained.

Decisions follow from the objectives and curves of complete trials, whatever their order, and so are the same after a restart.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from nas.benchmark import Objective
from nas.records import FIGURES, Epoch, Record

STARTUP = 8
"""Complete trials that must have told of an epoch before anything is stopped there."""

NEIGHBOURS = 8
"""Complete trials whose improvement is looked at: those that stood nearest at the same epoch."""

SHARES = ("accuracy", "balanced_accuracy", "f1", "auroc", "r2")
"""Metrics that are at most 1."""

ERRORS = ("loss", "perplexity", "word_error_rate", "character_error_rate", "rmse", "mae")
"""Metrics that are at least 0."""


class ParetoPruner:
    """What complete trials have reached and how they came there, and who can still reach as much."""

    def __init__(self, objectives: Sequence[Objective]) -> None:
        """Begin without a trial."""
        self.objectives = tuple(objectives)
        self.bounds = tuple(map(_bound, self.objectives))
        """The least cost that each objective can have."""
        self.ends: dict[tuple[float, ...], None] = {}
        """The costs of the complete trials, each once."""
        self.paths: defaultdict[tuple[int, int], dict[tuple[int, float, float], None]] = defaultdict(dict)
        """Objective's number and epoch → the cost there and at the end, of each complete trial."""
        self.curves: set[tuple[object, ...]] = set()

    def learn(self, record: Record) -> None:
        """Take in what came of a trial; only complete ones tell something, and the same one only once."""
        figures = record.figures
        if record.outcome != "complete" or any(objective.figure not in figures for objective in self.objectives):
            return
        end = self._costs(figures)
        path = tuple((point.epoch, self._costs(point.figures)) for point in record.curve)
        if (end, path) in self.curves:  # told again, or of an equal network
            return
        self.curves.add((end, path))
        self.ends[end] = None
        for epoch, costs in path:
            for n, cost in enumerate(costs):
                if not math.isnan(cost):
                    self.paths[n, epoch][len(self.curves), cost, end[n]] = None

    def hopeless(self, known: Mapping[str, float], epoch: Epoch | None = None) -> bool:
        """Whether a candidate of these `known` figures, that stands so after `epoch` or is not yet trained, can no longer reach the
        front."""
        if len(self.curves) < STARTUP:
            return False
        optimistic = [self._optimistic(n, known, epoch) for n in range(len(self.objectives))]
        ends = np.array(list(self.ends))
        return bool(((ends <= optimistic).all(axis=1) & (ends < optimistic).any(axis=1)).any())

    def _optimistic(self, n: int, known: Mapping[str, float], epoch: Epoch | None) -> float:
        """The least cost that objective `n` may come to."""
        objective, figure = self.objectives[n], self.objectives[n].figure
        if figure in FIGURES and FIGURES[figure].known != "trained" and figure in known:
            return objective.cost(known[figure])
        best = self.bounds[n] if all(end[n] >= self.bounds[n] for end in self.ends) else -math.inf  # a metric in other units
        if epoch is None or figure not in epoch.figures:
            return best
        seen = np.array([(there, end) for _, there, end in self.paths[n, epoch.epoch]])
        if len(seen) < STARTUP:
            return best
        cost = objective.cost(epoch.figures[figure])
        there, end = seen.T
        distance = np.abs(there - cost)
        near = distance <= np.sort(distance)[min(NEIGHBOURS, len(seen)) - 1]  # of equally near ones all, in whatever order
        return max(best, cost - max(0.0, float((there - end)[near].max())))

    def _costs(self, figures: Mapping[str, float]) -> tuple[float, ...]:
        return tuple(objective.cost(figures.get(objective.figure, math.nan)) for objective in self.objectives)


def _bound(objective: Objective) -> float:
    """The least cost that any candidate can have, where the metric says so."""
    metric = objective.figure.removeprefix("validation_")
    if metric == objective.figure:
        return -math.inf
    if objective.direction == "maximize":
        return -1.0 if metric in SHARES else -math.inf
    return 0.0 if metric in ERRORS or metric.startswith("bits_per_") else -math.inf
