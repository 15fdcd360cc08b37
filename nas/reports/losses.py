"""Trials without a row on a leaderboard, in brief: pruned, failed, infeasible."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nas.benchmark import Objective
from nas.ranking import Summary
from nas.records import Trial
from nas.reports.outcome import first_of_each
from nas.reports.tables import NOT_MEASURED, show, title

LISTED = 100
"""The most trials, or errors, of a kind that are listed one by one."""


@dataclass(frozen=True, kw_only=True)
class Lost:
    """Trials that ended alike."""

    state: str
    summary: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: int
    """How many more there are."""


def lost(trials: Sequence[Trial], objective: Objective) -> tuple[Lost, ...]:
    """The failed, pruned and infeasible trials, each kind that there is."""
    first = first_of_each(trials)
    by_state = {state: [trial for trial in first if trial.state == state] for state in ("failed", "pruned", "infeasible")}
    found = [_failed(by_state["failed"]), _pruned(by_state["pruned"], objective), _infeasible(by_state["infeasible"])]
    return tuple(group for group in found if group.rows)


def _failed(trials: Sequence[Trial]) -> Lost:
    """Failures, equal messages together."""
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        error = trial.record.error if trial.record else None
        groups.setdefault((error.kind, error.message) if error else ("unknown", "no message was kept"), []).append(trial)
    rows = [
        (kind.replace("_", " "), message, f"{len(members):,}", _named(members))
        for (kind, message), members in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]
    kinds = Counter(kind.replace("_", " ") for (kind, _), members in groups.items() for _ in members)
    return _lost("failed", kinds, ("error", "message", "trials", "which"), rows)


def _pruned(trials: Sequence[Trial], objective: Objective) -> Lost:
    rows = [
        (
            f"{trial.number}",
            trial.architecture.id,
            _epochs(trial),
            _figure(trial, objective.figure),
            _figure(trial, "params"),
        )
        for trial in trials
    ]
    after = Counter(map(_stopped, trials))
    headers = ("trial", "architecture", "epochs", f"{title(objective.figure)} when stopped", title("params"))
    return _lost("pruned", after, headers, rows)


def _infeasible(trials: Sequence[Trial]) -> Lost:
    broken = [trial.record.broken_limits if trial.record else () for trial in trials]
    limits = Counter(f"outside {text.rpartition(', got ')[0] or text}" for texts in broken for text in texts)
    rows = [
        (f"{trial.number}", trial.architecture.id, "; ".join(texts) or NOT_MEASURED)
        for trial, texts in zip(trials, broken, strict=True)
    ]
    return _lost("infeasible", limits, ("trial", "architecture", "limit and figure"), rows)


def _lost(state: str, counts: Counter[str], headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Lost:
    summary = ", ".join(f"{count:,} {what}" for what, count in counts.most_common(5))
    return Lost(state=state, summary=summary, headers=headers, rows=tuple(rows[:LISTED]), left_out=max(0, len(rows) - LISTED))


def _named(trials: Sequence[Trial]) -> str:
    names = [f"{'' if trial.stage == 'search' else f'{trial.stage} '}{trial.number}" for trial in trials[:10]]
    return ", ".join(names) + (" …" if len(trials) > 10 else "")


def _stopped(trial: Trial) -> str:
    """When a pruner stopped it."""
    if trial.record and trial.record.replicates:
        return f"after {len(trial.record.replicates)} replicates"
    return "before training" if trial.record and not trial.record.curve else f"after {_epochs(trial)} epochs"


def _epochs(trial: Trial) -> str:
    curve = trial.record.curve if trial.record else ()  # a table may know some epochs only
    return f"{curve[-1].epoch if curve else 0}" if trial.record else NOT_MEASURED


def _figure(trial: Trial, name: str) -> str:
    value = trial.record.figures.get(name) if trial.record else None
    return show(name, Summary(mean=value, deviation=None, count=1) if value is not None else None)
