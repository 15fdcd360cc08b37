"""Finalists and what was made of them, side by side: what each step costs in score, and what it saves.

    a finalist's trainings ─┬─ int8-weights: a child of each, of the same seed ─► figures, and differences paired over seeds
                            └─ structured …

A step is in no order with others: whether a point of accuracy is worth half the size is the reader's to say.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, geometric_mean, stdev

from nas.benchmark import Objective
from nas.ranking.loss import smallest_step
from nas.records import Derived, Record, StudyEntry, Trial
from nas.space import Architecture

MUCH = 0.99
"""A file of a larger share than this of its parent's is not smaller."""

FASTER = 0.97
"""A pass that takes a larger share than this of its parent's is not faster, however sure the difference is: two equal networks
differ by as much, by where their weights lie in memory."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A figure over seeds, or a difference of figures."""

    mean: float
    low: float | None
    """Lower end of the 95 % interval of the mean, by Student's t over seeds; None for one seed."""
    high: float | None
    count: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """A finalist itself, or its children by one method."""

    study: str
    words: str
    """Method and options; empty for the finalist."""
    architecture: Architecture
    parent: Architecture | None
    """Whose child it is; None for the finalist."""
    trials: tuple[Trial, ...]
    """Those that are complete."""
    figures: Mapping[str, Spread]
    differences: Mapping[str, Spread]
    """Of figures that are scores, child less parent, over the seeds that both have."""
    size_bytes: float | None
    """Of the weights as they are kept, without what the file says about them."""
    size_share: float | None
    """Of the file, as a share of the parent's."""
    latency_ms: float | None
    time_share: float | None
    """Of a pass, timed in turns with the parent's."""
    faster: bool | None
    """Whether every child is faster than its parent beyond the noise; None where that was not measured."""
    slower: bool | None
    own: Mapping[str, float]
    """What the method tells of itself."""
    failed: tuple[str, ...] = ()
    """Why children are missing."""

    @property
    def smaller(self) -> bool | None:
        """Whether its file is smaller than the parent's; None where there are not both."""
        return None if self.size_share is None else self.size_share < MUCH

    @property
    def verdict(self) -> str:
        """What it brings here, in a few words: the row says so where a method brings nothing."""
        if self.parent is None:
            return ""
        if not self.trials:
            return "not here" if self.failed else "under way"
        size = {None: "size not known", True: "smaller", False: "not smaller"}[self.smaller]
        speed = "faster" if self.faster else "slower" if self.slower else "not faster" if self.faster is False else "not timed"
        return f"{size}, {speed}"


def steps(study: StudyEntry, trials: Iterable[Trial]) -> tuple[Step, ...]:
    """The finalists of a study of which something was made, best first as they stand, each with its steps below it."""
    found = [trial for trial in trials if trial.stage in {"final", "derived"}]
    by_evaluation = {trial.evaluation: trial for trial in found}
    children: defaultdict[tuple[str, str, str], list[Trial]] = defaultdict(list)
    for trial in found:
        told = _derived(trial)
        parent = by_evaluation.get(told.parent) if told is not None else None
        if told is not None and parent is not None:
            children[parent.architecture.id, told.words, trial.architecture.id].append(trial)
    goals = [Objective(**objective) for objective in study.definition["objectives"]]
    roots: dict[str, list[Trial]] = defaultdict(list)
    for trial in found:
        if trial.stage == "final" and trial.state == "complete":
            roots[trial.architecture.id].append(trial)
    known = [one for one in roots if any(parent == one for parent, _, _ in children)]
    figure = goals[0].figure
    known.sort(key=lambda one: goals[0].cost(fmean(trial.record.figures.get(figure, 0) for trial in roots[one] if trial.record)))
    return tuple(step for root in known for step in _below(study.name, root, roots[root], children, by_evaluation))


def _below(
    study: str,
    root: str,
    finals: Sequence[Trial],
    children: Mapping[tuple[str, str, str], Sequence[Trial]],
    by_evaluation: Mapping[str, Trial],
) -> Iterator[Step]:
    """A finalist, its children, and theirs."""
    yield _step(study, "", finals, None, by_evaluation)
    seen: set[tuple[str, str, str]] = set()

    def walk(parent: str, above: str, stage: str) -> Iterator[Step]:
        for key, trials in children.items():
            told = _derived(trials[0])
            origin = by_evaluation[told.parent] if told is not None else None
            lineage = _derived(origin) if origin is not None else None
            of_above = origin is not None and origin.stage == stage and (lineage.words if lineage else "") == above
            if key[0] == parent and of_above and key not in seen:
                seen.add(key)
                yield _step(study, key[1], trials, origin.architecture if origin else None, by_evaluation)
                yield from walk(key[2], key[1], "derived")

    yield from walk(root, "", "final")


def _step(
    study: str, words: str, trials: Sequence[Trial], parent: Architecture | None, by_evaluation: Mapping[str, Trial]
) -> Step:
    complete = tuple(trial for trial in trials if trial.state == "complete" and trial.record is not None)
    records = [trial.record for trial in complete if trial.record is not None]
    told = [record.derived for record in records if record.derived is not None]
    names = list(dict.fromkeys(name for record in records for name in record.figures))
    scores = [name for name in names if name.startswith(("validation_", "test_"))]
    pairs = [(record, _record(by_evaluation.get(record.derived.parent))) for record in records if record.derived is not None]
    both = [(own, other) for own, other in pairs if other is not None]
    timed = [one for one in told if one.tied is not None and one.time_share is not None]
    return Step(
        study=study,
        words=words,
        architecture=trials[0].architecture,
        parent=parent,
        trials=complete,
        figures={name: spread([record.figures[name] for record in records if name in record.figures]) for name in names},
        differences={
            name: spread([own.figures[name] - other.figures[name] for own, other in both], _step_of(name, both))
            for name in scores
            if both and all(name in own.figures and name in other.figures for own, other in both)
        },
        size_bytes=_mean([record.figures.get("size_bytes") for record in records]),
        size_share=_geometric([one.size_share for one in told]),
        latency_ms=_mean([record.figures.get("latency_ms") for record in records]),
        time_share=_geometric([one.time_share for one in told]),
        faster=all(not one.tied and (one.time_share or 1) < FASTER for one in timed) if timed else None,
        slower=all(not one.tied and (one.time_share or 1) > 1 / FASTER for one in timed) if timed else None,
        own={name: fmean(one.figures[name] for one in told if name in one.figures) for one in told for name in one.figures},
        failed=tuple(
            dict.fromkeys(
                trial.record.error.message
                for trial in trials
                if trial.record and trial.record.error and trial.evaluation not in {one.evaluation for one in complete}
            )
        ),
    )


def _step_of(name: str, both: Sequence[tuple[Record, Record]]) -> float:
    """The smallest step that is seen between values of a figure."""
    return smallest_step([record.figures[name] for pair in both for record in pair])


def _derived(trial: Trial | None) -> Derived | None:
    return trial.record.derived if trial is not None and trial.record is not None else None


def _record(trial: Trial | None) -> Record | None:
    return trial.record if trial is not None and trial.state == "complete" else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _geometric(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value]
    return geometric_mean(known) if known else None


def spread(values: Sequence[float], step: float = 0.0) -> Spread:
    """The mean of `values`, with its interval where there are two at least.

    Scores go in steps of an example, so that a few equal ones do not show that there is no luck: their deviation counts as that
    of rounding to `step` at least.
    """
    mean = fmean(values)
    if len(values) < 2:
        return Spread(mean=mean, low=None, high=None, count=len(values))
    from scipy.special import stdtrit  # which a leaderboard without steps does not need

    half = float(stdtrit(len(values) - 1, 0.975)) * max(stdev(values), step / sqrt(6)) / sqrt(len(values))
    return Spread(mean=mean, low=mean - half, high=mean + half, count=len(values))
