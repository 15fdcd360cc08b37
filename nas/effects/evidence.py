"""Trials → those that can be held against each other, and a figure of each."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from nas.benchmark import Direction, Objective
from nas.errors import LedgerError, did_you_mean, quote
from nas.records import StudyEntry, Trial, usual_direction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Complete trials of a search that compare: one an architecture, of one budget and one setting."""

    study: str
    objectives: tuple[Objective, ...]
    trials: tuple[Trial, ...]
    again: int
    """Complete trials that compare, of an architecture that another had before."""
    left_out: int
    """Complete trials that do not compare: of another budget or setting than most."""

    @property
    def figures(self) -> tuple[str, ...]:
        """What any of them has, in the order of their names."""
        return tuple(sorted({name for trial in self.trials if trial.record for name in trial.record.figures}))

    def values(self, figure: str) -> "NDArray[np.float64]":
        """(N,): the figure of each trial; NaN where it was not measured, or is not finite."""
        import numpy as np

        found = [trial.record.figures.get(figure, np.nan) if trial.record else np.nan for trial in self.trials]
        return np.array([value if isfinite(value) else np.nan for value in found], dtype=np.float64)

    def direction(self, figure: str) -> Direction:
        """Which way it gets better, as the study has it or as its name says."""
        directions = {objective.figure: objective.direction for objective in self.objectives}
        return directions.get(figure, usual_direction(figure))

    def check(self, figures: Iterable[str]) -> None:
        """Refuse figures that no trial has.

        Raises:
            LedgerError: there is such a one.
        """
        for figure in figures:
            if figure not in self.figures:
                known = did_you_mean(figure, self.figures) if self.trials else "No trial is complete yet."
                raise LedgerError(f"No complete trial of {self.study} has the figure {quote(figure)}. {known}")


def evidence_of(entry: StudyEntry, trials: Iterable[Trial]) -> Evidence:
    """The complete trials of the search among `trials` that compare: where several budgets or settings were used, the largest
    group of them.
    """
    complete = [trial for trial in trials if trial.stage == "search" and trial.state == "complete" and trial.record]
    groups = Counter(map(_group, complete))
    chosen = max(groups, key=lambda group: groups[group], default=None)
    alike = [trial for trial in complete if _group(trial) == chosen]
    own: dict[str, Trial] = {}
    for trial in alike:
        own.setdefault(trial.architecture.id, trial)
    return Evidence(
        study=entry.name,
        objectives=tuple(Objective(**objective) for objective in entry.definition["objectives"]),
        trials=tuple(own.values()),
        again=len(alike) - len(own),
        left_out=len(complete) - len(alike),
    )


def _group(trial: Trial) -> tuple[Any, ...]:
    """What trials must share to be held against each other."""
    assert trial.record is not None  # noqa: S101 - only complete trials are grouped
    return (trial.record.budget, trial.record.setting, len(trial.record.replicates))


def asked(evidence: Evidence, figures: Sequence[str] | None) -> tuple[str, ...]:
    """`figures`, or without any the objectives that were measured.

    Raises:
        LedgerError: no trial has one of them.
    """
    if figures is None:
        return tuple(objective.figure for objective in evidence.objectives if objective.figure in evidence.figures)
    evidence.check(figures)
    return tuple(dict.fromkeys(figures))
