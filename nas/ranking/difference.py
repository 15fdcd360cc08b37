"""Two studies held against each other: what differs, who found the better, whether the same architectures still do as well.

    winner   the best of each, trained in full with several seeds (finals), or else what each search found
    pairs    architectures that both have trained, each held against itself: what a change of training or of a machine does
    front    with several objectives, the hypervolumes of both up to one reference point
    reach    evaluations after which each search had reached the best of the other

A loss is how much worse B is than A, as a share of A: 0.02 is 2 % less accuracy, or 2 % more milliseconds. Intervals hold all
together with the confidence that is asked for (Bonferroni), so that a comparison of ten figures cries wolf no oftener than one of
one. Only what the whole interval says is said: B is worse where even its lower end is beyond the tolerance.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import expm1, isfinite, log, sqrt
from statistics import fmean, geometric_mean, stdev
from typing import Literal

from nas.benchmark import Budget, Objective
from nas.errors import LedgerError, did_you_mean
from nas.ranking.changes import Change, Side, changes
from nas.ranking.leaderboard import MOST_MEASURED, Row, Summary, Table
from nas.ranking.volume import Hypervolume, hypervolume
from nas.records import SCORES, Record, Trial, figure_kind, usual_direction

Verdict = Literal["worse", "worse within the tolerance", "better", "equal", "not told apart", "luck not known"]

CONFIDENCE = 0.95

COSTS = ("params", "flops", "size_bytes", "activation_bytes", "latency_ms", "peak_memory_bytes")
"""Figures beside the objectives by which pairs may fail; training time is told, and fails nothing, since it hangs on all else
that a machine does."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One figure of A held against that of B."""

    what: Literal["winner", "pairs"]
    figure: str
    evidence: str
    """What it rests on, in words."""
    a: float
    b: float
    loss: float
    """How much worse B is, as a share of A; below 0 where it is better."""
    low: float | None
    """Lower end of the interval of the loss; None where luck is not known. Equal to `loss` where there is none."""
    high: float | None
    verdict: Verdict
    counts: bool = True
    """Whether a difference decides about the whole."""
    relative: bool = False
    """Whether `a` and `b` are multiples of the reference network's time, which was measured in between."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How soon each search had what the other ended with, by its own figures."""

    figure: str
    a: float
    """The best that A found."""
    b: float
    a_evaluations: int
    """All that A made."""
    b_evaluations: int
    a_reaches_b: int | None
    """Evaluations after which A had found as good as the best of B; None where it never did."""
    b_reaches_a: int | None


@dataclass(frozen=True)
class Left:
    """Something that cannot be compared."""

    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What two studies differ in, and what came of it."""

    a: str
    b: str
    confidence: float
    tolerance: float
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]
    volumes: tuple[Hypervolume, Hypervolume] | None
    """Of the fronts of both searches, up to one reference point; None for one objective."""
    reach: Reach | None
    left: tuple[Left, ...]

    @property
    def worse(self) -> tuple[Finding, ...]:
        """Where B is worse than A beyond the tolerance, and surely so."""
        return tuple(finding for finding in self.findings if finding.counts and finding.verdict == "worse")

    @property
    def comparable(self) -> bool:
        """Whether anything could be held against anything."""
        return bool(self.findings or self.volumes)


def difference(
    a: Side, b: Side, *, confidence: float = CONFIDENCE, tolerance: float = 0.0, figures: Collection[str] = ()
) -> Difference:
    """Hold `b` against `a`; with `figures` by these alone.

    Raises:
        LedgerError: the confidence is none, the tolerance is below 0, or neither study has one of `figures`.
    """
    if not 0 < confidence < 1:
        raise LedgerError(f"A confidence lies between 0 and 1, got {confidence:g}; 0.95 is usual.")
    if not 0 <= tolerance < float("inf"):
        raise LedgerError(f"A tolerance is a share of at least 0, got {tolerance:g}; 0.01 lets 1 % pass.")
    known = {name for side in (a, b) for record in side.records for name in record.figures}
    for name in figures:
        if name not in known:
            raise LedgerError(f"Neither study has a figure {name!r}. {did_you_mean(name, known)}")
    left: list[Left] = []
    same = a.benchmark == b.benchmark and _table(a) == _table(b)
    if not same:
        left.append(Left("figures", f"the benchmarks are {a.benchmark} and {b.benchmark}"))
    goals = [goal for goal in _goals(a) if goal in _goals(b)]
    losses: list[_Loss] = []
    volumes, reach = None, None
    if same and not goals:
        left.append(Left("winners", "the two steer by other objectives"))
    elif same:
        if len(goals) == 1 or figures:
            losses += [one for goal in goals if (one := _winners(a, b, goal, left)) is not None]
        volumes = _volumes(a, b, goals, left)
        reach = _reach(a, b, goals, left)
    if same:
        losses += _pairs(a, b, left)
    chosen = [one for one in losses if not figures or one.figure in figures]
    counted = [_counts(one, goals, figures) for one in chosen]
    deciding = sum(counts and bool(one.error) for one, counts in zip(chosen, counted, strict=True))
    each = 1 - (1 - confidence) / max(1, deciding)
    return Difference(
        a=a.entry.name,
        b=b.entry.name,
        confidence=confidence,
        tolerance=tolerance,
        changes=changes(a, b),
        findings=tuple(one.finding(each, tolerance, counts=counts) for one, counts in zip(chosen, counted, strict=True)),
        volumes=volumes,
        reach=reach,
        left=tuple(left),
    )


def _counts(loss: "_Loss", goals: Sequence[Objective], figures: Collection[str]) -> bool:
    return loss.figure in figures or loss.figure in {goal.figure for goal in goals} or loss.figure.partition(":")[0] in COSTS


@dataclass(frozen=True, kw_only=True)
class _Loss:
    """A loss before its interval is made."""

    what: Literal["winner", "pairs"]
    figure: str
    evidence: str
    a: float
    b: float
    mean: float
    """On the scale on which it is spread evenly."""
    error: float | None
    """Standard error of the mean; None where luck is not known, 0 where there is none."""
    freedom: float
    share: Callable[[float], float]
    """From that scale to a share of A."""
    relative: bool = False

    def finding(self, confidence: float, tolerance: float, *, counts: bool) -> Finding:
        from scipy.special import stdtrit

        low = high = None
        if self.error is not None:
            width = float(stdtrit(self.freedom, (1 + confidence) / 2)) * self.error if self.error else 0.0
            low, high = (self.share(end) for end in (self.mean - width, self.mean + width))
        loss = self.share(self.mean)
        return Finding(
            what=self.what,
            figure=self.figure,
            evidence=self.evidence,
            a=self.a,
            b=self.b,
            loss=loss,
            low=low,
            high=high,
            verdict=_verdict(low, high, tolerance),
            counts=counts,
            relative=self.relative,
        )


def _verdict(low: float | None, high: float | None, tolerance: float) -> Verdict:
    if low is None or high is None:
        return "luck not known"
    if low == high == 0:
        return "equal"
    if low > tolerance:
        return "worse"
    if low > 0:
        return "worse within the tolerance"
    return "better" if high < 0 else "not told apart"


def _table(side: Side) -> str | None:
    told = side.entry.definition["benchmark"].get("table")
    return told["digest"] if told else None


def _goals(side: Side) -> list[Objective]:
    return [Objective(**goal) for goal in side.entry.definition["objectives"]]


def _of_a(a: float) -> Callable[[float], float]:
    """From a figure's unit to a share of A's; where that is 0, there are no shares, and the unit stays."""
    return lambda loss: loss / abs(a) if a else loss


# Who found the better.


def _winners(a: Side, b: Side, goal: Objective, left: list[Left]) -> _Loss | None:
    """The best of both, by finals where both have them at one budget, or else by what the searches themselves found."""
    finals = [_largest(side, "final", goal) for side in (a, b)]
    if finals[0] and finals[1]:
        if finals[0].budget == finals[1].budget:
            return _winner("finals", finals[0].rows, finals[1].rows, goal)
        left.append(Left("finals", f"they were trained for {finals[0].budget} and {finals[1].budget}"))
    elif finals[0] or finals[1]:
        left.append(Left("finals", f"only {(a if finals[0] else b).entry.name} has them"))
    found = [_largest(side, "confirm", goal) or _largest(side, "search", goal) for side in (a, b)]
    if not found[0] or not found[1]:
        left.append(Left("winners", f"{(b if found[0] else a).entry.name} has no complete trial"))
        return None
    if found[0].budget != found[1].budget:
        left.append(Left("what the searches found", f"they trained for {found[0].budget} and {found[1].budget}"))
        return None
    if found[0].stage != found[1].stage:
        found = [_largest(side, "search", goal) for side in (a, b)]
    if not found[0] or not found[1]:
        return None
    evidence = "the best that was confirmed" if found[0].stage == "confirm" else "the best of the search"
    return _winner(evidence, found[0].rows, found[1].rows, goal)


def _largest(side: Side, stage: str, goal: Objective) -> Table | None:
    known = [table for table in side.tables if table.stage == stage and all(goal.figure in row.figures for row in table.rows)]
    return max(known, key=lambda table: len(table.rows), default=None)


def _winner(evidence: str, a: Sequence[Row], b: Sequence[Row], goal: Objective) -> _Loss:
    """The means of the best of each, with the deviation of all trainings of all rows around their means (a pooled t test)."""
    best = [min(rows, key=lambda row: goal.cost(row.figures[goal.figure].mean)) for rows in (a, b)]
    told = [row.figures[goal.figure] for row in best]
    every = [row.figures[goal.figure] for row in (*a, *b)]
    spread, freedom = _pooled(every, _step([one.mean for one in every]))
    exact = _is_exact(goal.figure)
    same = best[0].architecture.id == best[1].architecture.id
    once = same and [trial.record for trial in best[0].trials] == [trial.record for trial in best[1].trials]
    error = 0.0 if exact or once else spread * sqrt(sum(1 / one.count for one in told)) if spread is not None else None
    words = "the same training" if once else f"{told[0].count} and {told[1].count} training{'s' * (told[1].count != 1)}"
    words = f"{evidence}, {words}"
    return _Loss(
        what="winner",
        figure=goal.figure,
        evidence=f"{words} of one architecture" if same else words,
        a=told[0].mean,
        b=told[1].mean,
        mean=goal.cost(told[1].mean) - goal.cost(told[0].mean),
        error=error,
        freedom=max(1, freedom),
        share=_of_a(told[0].mean),
    )


def _pooled(rows: Sequence[Summary], step: float) -> tuple[float | None, int]:
    """One deviation of all rows that have several trainings, at least that of rounding to `step`, and its degrees of freedom."""
    freedom = sum(row.count - 1 for row in rows)
    if not freedom:
        return None, 0
    squares = sum((row.count - 1) * row.deviation**2 for row in rows if row.deviation is not None)
    return max(sqrt(squares / freedom), step / sqrt(12)), freedom


def _step(values: Sequence[float]) -> float:
    """The smallest step between two of them, since equal trainings do not show that there is no luck; 0 where all are equal."""
    ordered = sorted(values)
    return min((high - low for low, high in pairwise(ordered) if high - low > 1e-7 * abs(high)), default=0.0)


def _is_exact(figure: str) -> bool:
    """Whether it follows from the architecture, and luck has no part in it."""
    kind = figure_kind(figure)
    return kind is not None and kind.known in {"reckoned", "counted"}


# The same architectures.


def _pairs(a: Side, b: Side, left: list[Left]) -> list[_Loss]:
    """Each figure that both have of the same architectures, each trained anew in both."""
    if a.entry.definition["space"]["digest"] != b.entry.definition["space"]["digest"]:
        left.append(Left("the same architectures", "the spaces are not the same, and neither are what their choices mean"))
        return []
    before, after = _by_architecture(a), _by_architecture(b)
    both = [key for key in before if key in after]
    if not both:
        left.append(Left("the same architectures", "the two have none in common that both trained for as long"))
        return []
    fresh = [key for key in both if not _shared(before[key], after[key])]
    if len(fresh) < len(both):
        left.append(Left(f"{len(both) - len(fresh)} of {len(both)} architectures in both", "one took over the other's result"))
    found = []
    why = _elsewhere(before, after, fresh)
    timed = all(record.latency and record.latency.relative for key in fresh for record in (*before[key], *after[key]))
    for name in _names([record for key in fresh for record in before[key]]):
        relative = timed and name == "latency_ms"
        values = [(_mean(before[key], name, relative=relative), _mean(after[key], name, relative=relative)) for key in fresh]
        told = [(one, other) for one, other in values if one is not None and other is not None]
        if told and why and _is_measured(name):
            left.append(Left(name, why))
        elif told:
            found.append(_pair(name, told, _direction(a, name), relative=relative))
    return found


Key = tuple[str, Budget]


def _by_architecture(side: Side) -> dict[Key, list[Record]]:
    """Architecture's id and budget → its complete trainings, each once."""
    found: defaultdict[Key, list[Record]] = defaultdict(list)
    seen: set[tuple[Key, str]] = set()
    for trial in side.trials:
        if trial.record is None or trial.state != "complete":
            continue
        key = (trial.architecture.id, trial.record.budget)
        if (key, trial.evaluation) not in seen:
            seen.add((key, trial.evaluation))
            found[key].append(trial.record)
    return found


def _shared(a: Sequence[Record], b: Sequence[Record]) -> bool:
    """Whether a record of one is that of the other, which says nothing about a difference."""
    return any(one == other for one in a for other in b)


def _names(records: Sequence[Record]) -> list[str]:
    """Figures that can be held against each other, what it costs last."""
    known = dict.fromkeys(name for record in records for name in record.figures if name.partition(":")[0] not in SCORES)
    return sorted(known, key=lambda name: (figure_kind(name) is not None, name.startswith("test_"), list(known).index(name)))


def _mean(records: Sequence[Record], name: str, *, relative: bool) -> float | None:
    """Of the trainings of one architecture; `relative` latencies are multiples of the reference network's."""
    values = [record.latency.relative if relative and record.latency else record.figures.get(name) for record in records]
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _is_measured(name: str) -> bool:
    """Whether it hangs on the machine and how it is used."""
    kind = figure_kind(name)
    return kind is not None and not _is_exact(name)


def _elsewhere(before: Mapping[Key, Sequence[Record]], after: Mapping[Key, Sequence[Record]], keys: Sequence[Key]) -> str:
    """Why figures of time and memory do not compare; empty where they do."""
    one, other = ({record.setting for key in keys for record in side[key]} for side in (before, after))
    if one == other:
        return ""
    words = [" and ".join(sorted(str(setting) for setting in side)) for side in (one, other)]
    return f"it was measured on {words[0]} there, and on {words[1]} here"


def _direction(side: Side, name: str) -> Objective:
    goals = {goal.figure: goal for goal in _goals(side)}
    return goals.get(name) or Objective(name, "minimize" if figure_kind(name) else usual_direction(name))


def _pair(name: str, values: Sequence[tuple[float, float]], goal: Objective, *, relative: bool) -> _Loss:
    """The mean of the differences, of figures of cost that of the ratios, with its error from architecture to architecture.

    Of measured costs `a` and `b` are geometric means, so that their ratio is the mean of the ratios.
    """
    cost = figure_kind(name) is not None and all(one > 0 and other > 0 for one, other in values)
    mean = geometric_mean if cost and not _is_exact(name) else fmean
    a, b = mean([one for one, _ in values]), mean([other for _, other in values])
    losses = [log(other / one) if cost else goal.cost(other) - goal.cost(one) for one, other in values]
    sure = _is_exact(name) or not any(losses)
    step = 0.0 if cost else _step([value for pair in values for value in pair])
    deviation = max(stdev(losses), step / sqrt(6)) if len(losses) > 1 else None
    error = 0.0 if sure else deviation / sqrt(len(losses)) if deviation is not None else None
    return _Loss(
        what="pairs",
        figure=name,
        evidence=f"{len(values)} architecture{'s' * (len(values) != 1)} in both, each trained anew",
        a=a,
        b=b,
        mean=fmean(losses),
        error=error,
        freedom=max(1, len(losses) - 1),
        share=expm1 if cost else _of_a(a),
        relative=relative,
    )


# Fronts, and how soon.


def _volumes(a: Side, b: Side, goals: Sequence[Objective], left: list[Left]) -> tuple[Hypervolume, Hypervolume] | None:
    if not 1 < len(goals) <= MOST_MEASURED:
        return None
    tables = [_largest(side, "search", goals[0]) for side in (a, b)]
    if not tables[0] or not tables[1] or tables[0].budget != tables[1].budget:
        left.append(Left("fronts", "the searches have no complete trials at one budget"))
        return None
    rows = [[{name: one.mean for name, one in row.figures.items()} for row in table.rows] for table in tables if table]
    reference = hypervolume([*rows[0], *rows[1]], goals).reference
    first, second = (hypervolume(some, goals, reference) for some in rows)
    return first, second


def _reach(a: Side, b: Side, goals: Sequence[Objective], left: list[Left]) -> Reach | None:
    if len(goals) != 1:
        return None
    if a.entry.definition["budget"] != b.entry.definition["budget"]:
        left.append(Left("how soon the best was found", "the searches trained for other budgets"))
        return None
    goal = goals[0]
    courses = [_course(side, goal) for side in (a, b)]
    if not all(courses):
        return None
    best = [min(course) for course in courses]
    return Reach(
        figure=goal.figure,
        a=goal.cost(best[0]),
        b=goal.cost(best[1]),
        a_evaluations=len(courses[0]),
        b_evaluations=len(courses[1]),
        a_reaches_b=_first(courses[0], best[1]),
        b_reaches_a=_first(courses[1], best[0]),
    )


def _course(side: Side, goal: Objective) -> list[float]:
    """The cost of each evaluation of the search, in the order in which they ended; infinite where it gave none."""
    seen: set[str] = set()
    found = []
    searched = (trial for trial in side.trials if trial.stage == "search" and trial.state in {"complete", "pruned", "failed"})
    for trial in sorted(searched, key=lambda trial: (trial.ended_at or "", trial.id)):
        if trial.evaluation not in seen:
            seen.add(trial.evaluation)
            found.append(_cost(trial, goal))
    return found if any(map(isfinite, found)) else []


def _cost(trial: Trial, goal: Objective) -> float:
    figures = trial.record.figures if trial.record is not None and trial.state == "complete" else {}
    return goal.cost(figures[goal.figure]) if goal.figure in figures else float("inf")


def _first(course: Sequence[float], cost: float) -> int | None:
    return next((n for n, one in enumerate(course, start=1) if one <= cost), None)
