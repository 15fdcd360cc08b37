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
from nas.ranking.conditions import Asked, Conditions, asked_by, conditions_of, differences
from nas.ranking.loss import smallest_step
from nas.records import Record, StudyEntry, Trial
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
    """Method and options, after those of the steps before it; empty for the finalist."""
    elsewhere: str
    """What sets it apart from what stands above it, such as another machine or number of threads, in words; usually empty."""
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
    energy_mj: float | None
    """Of a pass; of a finalist as it was measured beside its children. None where nothing on the device counts energy."""
    energy_share: float | None
    """As a share of the parent's."""
    faster: bool | None
    """Whether every child is faster than its parent beyond the noise; None where that was not measured."""
    slower: bool | None
    own: Mapping[str, float]
    """What the method tells of itself."""
    failed: tuple[str, ...] = ()
    """Why children are missing."""

    @property
    def disturbed(self) -> bool:
        """Whether other work went on while a latency of these was measured; the time in turns bears that."""
        latencies = [trial.record.latency for trial in self.trials if trial.record]
        return any(latency is not None and latency.disturbed is not None for latency in latencies)

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
    """The finalists of a study of which something was made, best first as they stand, each with its steps below it.

    Trainings on another machine or device, with another number of threads, or otherwise not to be compared, are a row of their
    own, and so are their children.
    """
    goals = tuple(Objective(**objective) for objective in study.definition["objectives"])
    asked = asked_by(study, goals)
    found = {trial.evaluation: trial for trial in trials if trial.stage in {"final", "derived"} and trial.record is not None}
    groups: dict[_Group, list[Trial]] = {}
    for trial in found.values():
        if (group := _group(trial, found, asked)) is not None and (trial.stage == "derived" or trial.state == "complete"):
            groups.setdefault(group, []).append(trial)
    figure = goals[0].figure

    def cost(root: _Group) -> float:
        return goals[0].cost(fmean(trial.record.figures.get(figure, 0) for trial in groups[root] if trial.record))

    roots = sorted((group for group in groups if group.above is None and any(one.above == group for one in groups)), key=cost)
    finest = finest_steps(trial.record for some in groups.values() for trial in some if trial.record)

    def walk(group: _Group, beside: Conditions) -> Iterator[Step]:
        yield _step(study.name, group, _apart(group.conditions, beside), groups[group], found, finest)
        for below in [one for one in groups if one.above == group]:
            yield from walk(below, group.conditions)

    return tuple(step for root in roots for step in walk(root, roots[0].conditions))


@dataclass(frozen=True)
class _Group:
    """What a row is of: trainings that differ in their seeds alone."""

    above: "_Group | None"
    """Whose children they are; None for finalists."""
    architecture: str
    words: str
    conditions: Conditions


def _group(trial: Trial, found: Mapping[str, Trial], asked: Asked) -> _Group | None:
    """None for what was made of a trial that is not there."""
    assert trial.record is not None  # noqa: S101 - those with one were chosen
    above, words, derived = None, "", trial.record.derived
    if derived is not None:
        parent = found.get(derived.parent)
        above = _group(parent, found, asked) if parent is not None else None
        if above is None:
            return None
        words = derived.words
    elif trial.stage == "derived":
        return None
    return _Group(above, trial.architecture.id, words, conditions_of(asked, trial.stage, trial.record, ()))


def _apart(here: Conditions, there: Conditions) -> str:
    """What sets two rows apart beside what they are, in words."""
    return ", ".join(f"{one.what} {one.here}" for one in differences(here, there) if not one.what.startswith(("stage", "budget")))


def _step(
    study: str, group: _Group, elsewhere: str, trials: Sequence[Trial], found: Mapping[str, Trial], finest: Mapping[str, float]
) -> Step:
    """One row; `finest` are the smallest steps that are seen between values of scores."""
    complete = tuple(trial for trial in trials if trial.state == "complete" and trial.record is not None)
    records = [trial.record for trial in complete if trial.record is not None]
    told = [record.derived for record in records if record.derived is not None]
    these = {trial.evaluation for trial in complete}
    made = [trial.record.derived for trial in found.values() if trial.record is not None and trial.record.derived is not None]
    beside = [one.parent_turn_mj for one in made if one.parent in these]
    names = list(dict.fromkeys(name for record in records for name in record.figures))
    pairs = [(record, _record(found.get(record.derived.parent))) for record in records if record.derived is not None]
    both = [(own, other) for own, other in pairs if other is not None]
    timed = [one for one in told if one.tied is not None and one.time_share is not None]
    return Step(
        study=study,
        words=group.words,
        elsewhere=elsewhere,
        architecture=trials[0].architecture,
        parent=_parent(trials[0], found),
        trials=complete,
        figures={
            name: spread([record.figures[name] for record in records if name in record.figures], finest.get(name, 0) / sqrt(12))
            for name in names
        },
        differences={
            name: spread([own.figures[name] - other.figures[name] for own, other in both], finest.get(name, 0) / sqrt(6))
            for name in names
            if _is_score(name) and both and all(name in own.figures and name in other.figures for own, other in both)
        },
        size_bytes=_mean([record.figures.get("size_bytes") for record in records]),
        size_share=_geometric([one.size_share for one in told]),
        latency_ms=_mean([record.figures.get("latency_ms") for record in records]),
        time_share=_geometric([one.time_share for one in told]),
        energy_mj=_mean([one.turn_mj for one in told] or beside),
        energy_share=_geometric([one.energy_share for one in told]),
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


def finest_steps(records: Iterable[Record]) -> dict[str, float]:
    """Score → the smallest step that is seen between its values, an example's or a few; 0 where all are equal."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    for record in records:
        for name, value in record.figures.items():
            if _is_score(name):
                values[name].append(value)
    return {name: smallest_step(some) for name, some in values.items()}


def _is_score(figure: str) -> bool:
    return figure.startswith(("validation_", "test_"))


def _parent(trial: Trial, found: Mapping[str, Trial]) -> Architecture | None:
    derived = trial.record.derived if trial.record else None
    return found[derived.parent].architecture if derived else None


def _record(trial: Trial | None) -> Record | None:
    return trial.record if trial is not None and trial.state == "complete" else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _geometric(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value]
    return geometric_mean(known) if known else None


def spread(values: Sequence[float], rounding: float = 0.0) -> Spread:
    """The mean of `values`, with its interval where there are two at least.

    Scores go in steps of an example, so that a few equal ones do not show that there is no luck: their deviation counts as
    `rounding` at least, that of numbers rounded to a step: step / √12, of differences of two such step / √6.
    """
    mean = fmean(values)
    if len(values) < 2:
        return Spread(mean=mean, low=None, high=None, count=len(values))
    from scipy.special import stdtrit  # which a leaderboard without steps does not need

    half = float(stdtrit(len(values) - 1, 0.975)) * max(stdev(values), rounding) / sqrt(len(values))
    return Spread(mean=mean, low=mean - half, high=mean + half, count=len(values))
