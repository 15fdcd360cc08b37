"""Two studies held against each other: what differs, who found the better, whether the same architectures still do as well.

    winner   the best of each, trained in full with several seeds (finals), or else what each search found
    pairs    architectures that both have trained, each held against itself: what a change of training or of a machine does
    front    with several objectives, the hypervolumes of both up to one reference point
    reach    evaluations after which each search had reached the best of the other

A loss is how much worse B is than A, as a share of A: 0.02 is 2 % less accuracy, or 2 % more milliseconds. Intervals hold all
together with the confidence that is asked for (Bonferroni), so that a comparison of ten figures cries wolf no oftener than one of
one. Only what the whole interval says is said: B is worse where even its lower end is beyond the tolerance.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

from nas.benchmark import Objective
from nas.errors import LedgerError, did_you_mean
from nas.ranking.changes import Change, Side, changes
from nas.ranking.leaderboard import MOST_MEASURED, Summary, Table
from nas.ranking.loss import Finding, Left, Loss, is_exact, share_of, smallest_step
from nas.ranking.pairing import elsewhere, is_measured, pairs
from nas.ranking.volume import Hypervolume, hypervolume
from nas.records import Setting, Trial

CONFIDENCE = 0.95

COSTS = ("params", "flops", "size_bytes", "activation_bytes", "latency_ms", "peak_memory_bytes")
"""Figures beside the objectives by which pairs may fail; training time is told, and fails nothing, since it hangs on all else
that a machine does."""


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
    goals = [goal for goal in a.goals if goal in b.goals]
    losses: list[Loss] = []
    volumes, reach = None, None
    if same and not goals:
        left.append(Left("winners", "the two steer by other objectives"))
    elif same:
        if len(goals) == 1 or figures:
            losses += [one for goal in goals if (one := _winners(a, b, goal, left)) is not None]
        volumes = _volumes(a, b, goals, left)
        reach = _reach(a, b, goals, left)
    if same:
        losses += pairs(a, b, left)
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


def _counts(loss: "Loss", goals: Sequence[Objective], figures: Collection[str]) -> bool:
    return loss.figure in figures or loss.figure in {goal.figure for goal in goals} or loss.figure.partition(":")[0] in COSTS


def _table(side: Side) -> str | None:
    told = side.entry.definition["benchmark"].get("table")
    return told["digest"] if told else None


# Who found the better.


def _winners(a: Side, b: Side, goal: Objective, left: list[Left]) -> Loss | None:
    """The best of both, by finals where both have them at one budget, or else by what the searches themselves found."""
    finals = [_largest(side, "final", goal) for side in (a, b)]
    if finals[0] and finals[1]:
        if finals[0].budget == finals[1].budget:
            return _winner("finals", finals[0], finals[1], goal, left)
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
    return _winner(evidence, found[0], found[1], goal, left)


def _largest(side: Side, stage: str, goal: Objective) -> Table | None:
    known = [table for table in side.tables if table.stage == stage and all(goal.figure in row.figures for row in table.rows)]
    return max(known, key=lambda table: len(table.rows), default=None)


def _winner(evidence: str, a: Table, b: Table, goal: Objective, left: list[Left]) -> Loss | None:
    """The means of the best of each, with the deviation of all trainings of all rows around their means (a pooled t test)."""
    if is_measured(goal.figure) and (why := elsewhere({a.setting}, {b.setting})):
        left.append(Left(f"winners by {goal.figure}", why))
        return None
    best = [min(table.rows, key=lambda row: goal.cost(row.figures[goal.figure].mean)) for table in (a, b)]
    told = [row.figures[goal.figure] for row in best]
    every = [row.figures[goal.figure] for row in (*a.rows, *b.rows)]
    spread, freedom = _pooled(every, smallest_step([one.mean for one in every]))
    exact = is_exact(goal.figure)
    same = best[0].architecture.id == best[1].architecture.id
    once = same and [trial.record for trial in best[0].trials] == [trial.record for trial in best[1].trials]
    error = 0.0 if exact or once else spread * sqrt(sum(1 / one.count for one in told)) if spread is not None else None
    words = "the same training" if once else f"{told[0].count} and {told[1].count} training{'s' * (told[1].count != 1)}"
    words = f"{evidence}, {words}"
    return Loss(
        what="winner",
        figure=goal.figure,
        evidence=f"{words} of one architecture" if same else words,
        a=told[0].mean,
        b=told[1].mean,
        mean=goal.cost(told[1].mean) - goal.cost(told[0].mean),
        error=error,
        freedom=max(1, freedom),
        share=share_of(told[0].mean),
    )


def _pooled(rows: Sequence[Summary], step: float) -> tuple[float | None, int]:
    """One deviation of all rows that have several trainings, at least that of rounding to `step`, and its degrees of freedom."""
    freedom = sum(row.count - 1 for row in rows)
    if not freedom:
        return None, 0
    squares = sum((row.count - 1) * row.deviation**2 for row in rows if row.deviation is not None)
    return max(sqrt(squares / freedom), step / sqrt(12)), freedom


# Fronts, and how soon.


def _volumes(a: Side, b: Side, goals: Sequence[Objective], left: list[Left]) -> tuple[Hypervolume, Hypervolume] | None:
    if not 1 < len(goals) <= MOST_MEASURED:
        return None
    tables = [_largest(side, "search", goals[0]) for side in (a, b)]
    if not tables[0] or not tables[1] or tables[0].budget != tables[1].budget:
        left.append(Left("fronts", "the searches have no complete trials at one budget"))
        return None
    measured = [goal.figure for goal in goals if is_measured(goal.figure)]
    if measured and (why := elsewhere({tables[0].setting}, {tables[1].setting})):
        left.append(Left(f"fronts by {' and '.join(measured)}", why))
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
    if is_measured(goal.figure) and (why := elsewhere(_searched_on(a), _searched_on(b))):
        left.append(Left("how soon the best was found", why))
        return None
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


def _searched_on(side: Side) -> set[Setting]:
    """Where the figures of its search come from."""
    searched = (trial for trial in side.trials if trial.stage == "search" and trial.state == "complete")
    return {trial.record.setting for trial in searched if trial.record is not None}


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
