"""A run as a person watches it: a live line on a terminal, plain lines anywhere else."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from nas.records import SCORES, Record, Trial, figure_kind
from nas.reports.tables import HUGE
from nas.searching import EpochEnded, Event, OnEvent, Progress, RunBegun, RunEnded, TrialBegun, TrialEnded

QUIET_SECONDS = 30
"""Off a terminal, how long a training may say nothing."""


@contextmanager
def display() -> Iterator[OnEvent]:
    """Something to hand events to; a live line where standard output is a terminal."""
    if sys.stdout.isatty():
        console = Console()
        with Live(Text(""), console=console, refresh_per_second=8, transient=True) as live:
            yield _Watcher(console, live)
    else:
        yield _Watcher(Console(width=240, color_system=None), None)


class _Watcher:
    """Prints a line for each evaluated trial, and keeps the live line fresh."""

    def __init__(self, console: Console, live: Live | None) -> None:
        self.console = console
        self.live = live
        self.progress = Progress()
        self.best = ""
        self.current = ""
        self.spoke_at = time.monotonic()

    def __call__(self, event: Event) -> None:
        match event:
            case RunBegun():
                self.say(f"Study {event.study}", "bold")
                self.say(event.headline)
                if event.note:
                    self.say(event.note)
                if event.found:
                    self.say(f"Going on after {event.found:,} trials.", "dim")
            case TrialBegun():
                self.progress = event.progress
                label = f" ({event.label})" if event.label else ""
                self.current = f"trial {event.number} {event.architecture}{label}"
            case EpochEnded():
                self.current = f"trial {event.number}, epoch {event.epoch.epoch} of {event.epochs}"
                if self.live is None and time.monotonic() - self.spoke_at > QUIET_SECONDS:
                    self.say(self.status())
            case TrialEnded():
                self.trial_ended(event)
            case RunEnded():
                self.say(event.reason, "bold")
        if self.live is not None:
            self.live.update(Text(self.status()))

    def trial_ended(self, event: TrialEnded) -> None:
        self.progress = event.progress
        if event.best is not None and event.best.record is not None:
            figure = next(iter(_scores(event.best)), "")
            self.best = f"best {figure}" if figure else ""
        record = event.trial.record
        if record is None or record.outcome == "infeasible" or event.trial.reused_from is not None:
            return  # counted in the live line; a line each would hide what was trained
        style = {"complete": "", "pruned": "dim", "failed": "red"}[record.outcome]
        left = f"  {duration(self.progress.seconds_left)} left" if self.progress.seconds_left else ""
        done = f"{self.progress.evaluated:>4}/{self.progress.target}"
        again = "again: " if event.trial.stage == "confirm" else ""
        self.say(f"{done}  {event.trial.architecture.id}  {again}{_result(event.trial)}{left}", style)

    def say(self, line: str, style: str = "") -> None:
        """Print a line that stays."""
        self.console.print(Text(line, style=style))
        self.spoke_at = time.monotonic()

    def status(self) -> str:
        """The live line: how far, what is under way, what is best, how long still."""
        counts = self.progress
        parts = [f"{counts.evaluated}/{counts.target} evaluated"]
        others = ("pruned", "infeasible", "failed", "reused")
        parts += [f"{getattr(counts, name):,} {name}" for name in others if getattr(counts, name)]
        parts += [part for part in (self.current, self.best) if part]
        if counts.seconds_left:
            parts.append(f"{duration(counts.seconds_left)} left")
        return " · ".join(parts)


def _result(trial: Trial) -> str:
    """What came of a trial, in a line."""
    record = trial.record
    assert record is not None  # noqa: S101 - it has ended
    if record.error is not None:
        return f"failed: {record.error.kind}: {record.error.message}"
    return "  ".join([*_stopped(record), *_scores(trial), *_costs(trial)])


def _stopped(record: Record) -> list[str]:
    """When a pruner stopped it."""
    if record.outcome != "pruned":
        return []
    if record.replicates:
        return [f"pruned after {len(record.replicates)} replicates"]
    return [f"pruned after {record.curve[-1].epoch} epochs" if record.curve else "pruned before training"]


def _scores(trial: Trial) -> list[str]:
    figures = trial.record.figures if trial.record else {}
    told = [name for name in figures if not figure_kind(name) and name not in SCORES and not name.endswith("_loss")]
    return [f"{name} {figures[name]:{'.4f' if abs(figures[name]) < HUGE else '.3e'}}" for name in told]


def _costs(trial: Trial) -> list[str]:
    figures = trial.record.figures if trial.record else {}
    shown = {
        "params": "{:,.0f} params",
        "flops": "{:,.3g} FLOPs",
        "latency_ms": "{:.2f} ms",
        "train_seconds": "{:.1f} s",
    }
    return [text.format(figures[name]) for name, text in shown.items() if name in figures]


def duration(seconds: float) -> str:
    """In hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"
