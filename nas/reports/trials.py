"""The trials of a study, a line each, as text, CSV and JSON: also those that are under way, failed or were never trained."""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from nas.benchmark import Objective
from nas.errors import printable
from nas.ranking import Summary
from nas.records import StudyEntry, Trial
from nas.records.holders import is_dead
from nas.records.schema import STAGES
from nas.reports.schema import TRIALS
from nas.reports.tables import NOT_MEASURED, show, title, to_csv

Standing = Literal["running", "interrupted", "complete", "pruned", "infeasible", "failed"]

STYLES: Mapping[str, str] = {"running": "cyan", "interrupted": "yellow", "failed": "red", "pruned": "dim", "infeasible": "dim"}
"""State → how it looks on a terminal; complete ones look as all else does."""

TOLD = ("params", "flops", "latency_ms", "train_seconds")
"""Figures beside the objectives that people read first."""

HERE = "this process"
"""What a driver calls the place where it evaluates by itself."""

_SHORTEST = 20
"""Letters that are left for what befell a trial; where there is no such room, figures make it."""

_BETWEEN = 3
"""Spaces between two columns."""


def standing(trial: Trial, now: float | None = None) -> Standing:
    """Its state; a running trial that nobody works at any more is interrupted, and the same command goes on with it.

    `now` is in seconds since 1970; the lease counts by the clock of the database, which is taken to agree with this machine's.
    """
    if trial.state != "running":
        return trial.state
    lapsed = trial.lease_until is None or trial.lease_until < (time.time() if now is None else now)
    return "interrupted" if lapsed or trial.holder is None or is_dead(trial.holder) else "running"


def in_order(trials: Iterable[Trial]) -> list[Trial]:
    """By stage as they are walked through, then by number."""
    return sorted(trials, key=lambda trial: (STAGES.index(trial.stage), trial.number))


def last(trials: Iterable[Trial], count: int) -> list[Trial]:
    """Those that began last, in order."""
    return in_order(sorted(trials, key=lambda trial: (trial.begun_at, trial.id))[-count:])


def best(trials: Iterable[Trial], count: int, objective: Objective) -> list[Trial]:
    """The best complete ones by `objective`, best first; a result that was taken over from another trial does not count."""
    ranked = [
        trial
        for trial in trials
        if trial.state == "complete" and trial.reused_from is None and trial.record and objective.figure in trial.record.figures
    ]
    return sorted(ranked, key=lambda trial: (_cost(trial, objective), trial.id))[:count]


def _cost(trial: Trial, objective: Objective) -> float:
    return objective.cost(trial.record.figures[objective.figure]) if trial.record else float("inf")


def objectives_of(entry: StudyEntry) -> list[Objective]:
    """What the study steers by."""
    return [Objective(**objective) for objective in entry.definition["objectives"]]


def trials_grid(trials: Sequence[Trial], entry: StudyEntry, console: Console) -> RichTable:
    """A line a trial for people, in the columns that `console` has room for."""
    aims = [objective.figure for objective in objectives_of(entry)]
    known = {name for trial in trials if trial.record for name in trial.record.figures}
    names = [name for name in dict.fromkeys((*aims, *TOLD)) if name in known]
    befallen = remarks(trials)
    needed = min(_SHORTEST, max(map(len, befallen), default=0))
    left = console.width - _width(_grid(trials, names), console)
    while len(names) > len(known & {*aims}) and left < needed:
        names.pop()
        left = console.width - _width(_grid(trials, names), console)
    return _grid(trials, names, [_cut(words, left) for words in befallen] if any(befallen) else None)


def _width(grid: RichTable, console: Console) -> int:
    """What shows every column whole, and the space before one more."""
    return Measurement.get(console, console.options.update(width=10_000), grid).maximum + _BETWEEN


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}…"


def _grid(trials: Sequence[Trial], names: Sequence[str], befallen: Sequence[str] | None = None) -> RichTable:
    several = len({trial.stage for trial in trials}) > 1
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    if several:
        grid.add_column("stage", no_wrap=True)
    grid.add_column("#", justify="right", no_wrap=True)
    grid.add_column("state", no_wrap=True)
    grid.add_column("architecture", no_wrap=True)
    for name in names:
        grid.add_column(Text(title(name).replace(" ", "\n", 1)), justify="right", no_wrap=True)
    if befallen is not None:
        grid.add_column("", no_wrap=True)
    for n, trial in enumerate(trials):
        state = standing(trial)
        cells: list[str] = [trial.stage] if several else []
        cells += [f"{trial.number}", state, trial.architecture.id, *(_figure(trial, name) for name in names)]
        cells += [befallen[n]] if befallen is not None else []
        grid.add_row(*(Text(cell, style=STYLES.get(state, "")) for cell in cells))
    return grid


def _figure(trial: Trial, name: str) -> str:
    figures = trial.record.figures if trial.record else {}
    return show(name, Summary(mean=figures[name], deviation=None, count=1)) if name in figures else NOT_MEASURED


def remarks(trials: Sequence[Trial]) -> list[str]:
    """What befell each, where its state and figures do not say it."""
    names = {trial.id: f"{trial.stage} {trial.number}" for trial in trials}
    return [_what_befell(trial, names) for trial in trials]


def _what_befell(trial: Trial, names: Mapping[int, str]) -> str:
    return ", ".join(filter(None, (_how_made(trial), _what_came(trial, names))))


def _how_made(trial: Trial) -> str:
    """Of what was made of another its method, seed, and the id by which `nas export` and `nas compress` take it."""
    record = trial.record
    if record is None or record.derived is None:
        return ""
    return printable(f"{record.derived.words}, seed {record.seed}, id:{trial.id}")


def _what_came(trial: Trial, names: Mapping[int, str]) -> str:
    record = trial.record
    if record is None:
        return under_way(trial)
    if trial.reused_from is not None:
        return f"as {names[trial.reused_from]}" if trial.reused_from in names else "known before"
    if record.error is not None:
        return printable(f"{record.error.kind}: {record.error.message}")
    if record.broken_limits:
        return printable(f"outside {', '.join(record.broken_limits)}")
    if record.outcome == "pruned":
        return f"after {_trained(trial)}"
    return ""


def _trained(trial: Trial) -> str:
    """How far its training came."""
    record = trial.record
    if record is None or not (record.curve or record.replicates):
        return "no training"
    if record.replicates:
        return _several(len(record.replicates), "replicate")
    return _several(record.curve[-1].epoch, "epoch")


def _several(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' * (count != 1)}"


def under_way(trial: Trial, now: float | None = None) -> str:
    """How far a running trial is, since when, and who is at it; of an interrupted one how far it was."""
    epoch = _number(trial.progress.get("epoch"))
    parts = [f"epoch {epoch}" + (f"/{epochs}" if (epochs := _number(trial.progress.get("epochs"))) else "")] if epoch else []
    if standing(trial, now) == "running":
        parts.append(duration(age(trial.begun_at, now)))
        parts.append(place(trial))
    if trial.attempts > 1:
        parts.append(f"attempt {trial.attempts}")
    return ", ".join(parts)


def place(trial: Trial) -> str:
    """Where a trial is under way: a driver, and its worker where it has several."""
    where = trial.progress.get("where")
    worker = [printable(where)[:30]] if where and where != HERE else []
    return " of ".join([*worker, holder_words(trial.holder)])


def _number(value: object) -> int:
    """A count that a driver told; 0 for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def holder_words(holder: str | None) -> str:
    """A driver as people know it: its machine, and its process there."""
    words = (holder or "").split()  # machine, boot, process, when that began, chance
    return printable(f"{words[0]}:{words[-3]}" if len(words) > 4 else (holder or "nobody"))[:60]


def age(stamp: str, now: float | None = None) -> float:
    """Seconds since a time stamp of the ledger; 0 where the clocks disagree, or the stamp is none."""
    try:
        return max(0.0, (time.time() if now is None else now) - datetime.fromisoformat(stamp).timestamp())
    except (ValueError, TypeError):
        return 0.0


def duration(seconds: float) -> str:
    """In hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def times(seconds: float | None, left: float | None) -> str:
    """How long something has taken, and is still to take by an estimate; empty where neither is known and a second or more."""
    told = [f"{duration(seconds)} so far"] if seconds is not None and seconds >= 1 else []
    return ", ".join([*told, *([f"about {duration(left)} left"] if left is not None and left >= 1 else [])])


def trials_data(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """Trials as plain data, ready for JSON."""
    return [{"schema": TRIALS, **trial_row(trial)} for trial in trials]


def trial_row(trial: Trial) -> dict[str, Any]:
    """One trial as plain data, without its learning curve."""
    record = trial.record
    return {
        "id": trial.id,
        "study": trial.study,
        "stage": trial.stage,
        "number": trial.number,
        "state": standing(trial),
        "architecture": trial.architecture.id,
        "choices": dict(trial.architecture.choices),
        "figures": dict(record.figures) if record else {},
        "error": vars(record.error) if record and record.error else None,
        "broken_limits": list(record.broken_limits) if record else [],
        "seed": record.seed if record else None,
        "derived": record.derived.words if record and record.derived else None,
        "seconds": record.seconds if record else None,
        "begun_at": trial.begun_at,
        "ended_at": trial.ended_at,
        "reused_from": trial.reused_from,
        "attempts": trial.attempts,
        "holder": trial.holder,
        "lease_until": trial.lease_until,
        "progress": dict(trial.progress),
    }


def trials_flat(trials: Sequence[Trial]) -> tuple[list[str], list[dict[str, Any]]]:
    """The columns of a flat table of trials, and each trial by them: figures as they were measured, choices as `choice:NAME`."""
    told = trials_data(trials)
    figures = list(dict.fromkeys(name for row in told for name in row["figures"]))
    choices = list(dict.fromkeys(name for row in told for name in row["choices"]))
    own = ["study", "stage", "number", "id", "state", "architecture", "seed", "derived", "seconds", "begun_at", "ended_at"]
    own += ["reused_from", "attempts"]
    rows = [
        {
            **{name: row[name] for name in own},
            "error": (row["error"] or {}).get("kind"),
            "message": (row["error"] or {}).get("message"),
            "broken_limits": "; ".join(row["broken_limits"]),
            **{name: row["figures"].get(name) for name in figures},
            **{f"choice:{name}": row["choices"].get(name) for name in choices},
        }
        for row in told
    ]
    return [*own, "error", "message", "broken_limits", *figures, *(f"choice:{name}" for name in choices)], rows


def trials_csv(trials: Sequence[Trial]) -> str:
    """Trials as CSV: a row each."""
    return to_csv(*trials_flat(trials))
