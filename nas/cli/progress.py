"""A run as a person watches it: a live line on a terminal, plain lines anywhere else."""

import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nas.errors import printable
from nas.measures import measure_of
from nas.records import SCORES, Record, Stage, Trial, figure_kind
from nas.reports.tables import HUGE
from nas.reports.trials import duration
from nas.searching import EpochEnded, Event, OnEvent, Progress, RunBegun, RunEnded, TrialBegun, TrialEnded

QUIET_SECONDS = 30
"""Off a terminal, how long a run may say nothing once a candidate has begun."""

LISTEN_SECONDS = 1
"""How often it is looked at whether it has been quiet for so long."""

MOST_SHOWN = 8
"""Candidates under way that are shown."""


@contextmanager
def display() -> Iterator[OnEvent]:
    """Something to hand events to; live lines where standard output is a terminal."""
    if sys.stdout.isatty():
        console = Console()
        with Live(Text(""), console=console, refresh_per_second=8, transient=True) as live:
            yield Watcher(console, live)
    else:
        watcher, ended = Watcher(Console(width=240, color_system=None)), threading.Event()
        thread = threading.Thread(target=keep_heard, args=(watcher, ended), name="nas-progress", daemon=True)
        thread.start()
        try:
            yield watcher
        finally:
            ended.set()
            thread.join()


def keep_heard(watcher: "Watcher", ended: threading.Event) -> None:
    """Let a first epoch, a pre-training or a count that takes minutes not look like a run that hangs."""
    with suppress(OSError):  # where nothing can be written, the next line of the run itself tells of it
        while not ended.wait(LISTEN_SECONDS):
            if watcher.under_way:
                watcher.be_heard()


@dataclass
class UnderWay:
    """A candidate that is evaluated now."""

    number: int
    stage: Stage
    architecture: str = ""
    label: str = ""
    epoch: int = 0
    epochs: int = 0
    seconds: float | None = None
    """Since it began; None where that is not to be shown."""

    @property
    def words(self) -> str:
        """What it is, and how far."""
        name = f"{'trial' if self.stage == 'search' else self.stage} {self.number}"
        if self.epoch:
            return f"{name}, epoch {self.epoch} of {self.epochs}"
        label = f" ({self.label})" if self.label else ""
        return f"{name} {self.architecture}{label}".rstrip()


class Watcher:
    """Prints a line for each evaluated trial, and keeps the live lines fresh."""

    def __init__(self, console: Console, live: Live | None = None) -> None:
        self.console = console
        self.live = live
        self.progress = Progress()
        self.best = ""
        self.under_way: dict[tuple[Stage, int], UnderWay] = {}
        self.spoke_at = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Show `event`."""
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
                one = UnderWay(event.number, event.stage, event.architecture, event.label)
                self.under_way[event.stage, event.number] = one
            case EpochEnded():
                one = self.under_way.setdefault((event.stage, event.number), UnderWay(event.number, event.stage))
                one.epoch, one.epochs = event.epoch.epoch, event.epochs
                self.be_heard()
            case TrialEnded():
                self.under_way.pop((event.trial.stage, event.trial.number), None)
                self.trial_ended(event)
            case RunEnded():
                self.under_way.clear()
                self.say(event.reason, "bold")
        if self.live is not None:
            self.live.update(self.picture())

    def picture(self) -> RenderableType:
        """The live lines: one where one candidate is under way, else a line for each too."""
        if len(self.under_way) < 2:
            return Text(self.status())
        return Group(Text(self.status()), under_way_grid(list(self.under_way.values())))

    def trial_ended(self, event: TrialEnded) -> None:
        """Print what came of a trial, unless it cost nothing."""
        self.progress = event.progress
        self.best = best_words(event.best, event.figure)
        record = event.trial.record
        if record is None or record.outcome == "infeasible" or event.trial.reused_from is not None:
            self.be_heard()  # counted in the live line; a line each would hide what was trained
            return
        style = _STYLES[record.outcome]
        left = f"  {duration(self.progress.seconds_left)} left" if self.progress.seconds_left else ""
        target = f"/{self.progress.target}" if self.progress.target else ""
        done = f"{self.progress.evaluated:>4}{target}"
        again = {"search": "", "confirm": "again: ", "final": "final: ", "audit": "audit: ", "derived": ""}[event.trial.stage]
        self.say(f"{done}  {event.trial.architecture.id}  {again}{_result(event.trial)}{left}", style)

    def be_heard(self) -> None:
        """Where there is no live line, say how far it is after a while of silence."""
        if self.live is None and time.monotonic() - self.spoke_at > QUIET_SECONDS:
            self.say(self.status())

    def say(self, line: str, style: str = "") -> None:
        """Print a line that stays."""
        self.console.print(Text(line, style=style))
        self.spoke_at = time.monotonic()

    def status(self) -> str:
        """How far, what is under way, what is best, how long still."""
        if self.live is None or len(self.under_way) < 2:
            current = [one.words for one in list(self.under_way.values())[:MOST_SHOWN]]
        else:
            current = [f"{len(self.under_way)} under way"]
        return status_words(self.progress, [*current, self.best])


def status_words(counts: Progress, others: Iterable[str]) -> str:
    """How far a run is, and what else is to be said of it, in one line."""
    done = f"{counts.evaluated}/{counts.target}" if counts.target else f"{counts.evaluated:,}"
    parts = [f"{done} evaluated"]
    names = ("pruned", "infeasible", "failed", "reused")
    parts += [f"{getattr(counts, name):,} {name}" for name in names if getattr(counts, name)]
    parts += [part for part in others if part]
    if counts.seconds_left:
        parts.append(f"{duration(counts.seconds_left)} left")
    return " · ".join(parts)


def under_way_grid(some: Sequence[UnderWay]) -> RenderableType:
    """A line a candidate, for the first few."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for justify in ("left", "right", "left", "right", "right"):
        grid.add_column(no_wrap=True, justify=justify)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    for one in some[:MOST_SHOWN]:
        epoch = f"epoch {one.epoch}/{one.epochs}" if one.epoch else ""
        seconds = duration(one.seconds) if one.seconds is not None else ""
        cells = [f"  {one.stage}", str(one.number), one.architecture, epoch, seconds, one.label]
        grid.add_row(*(Text(cell, style="cyan") for cell in cells))
    if len(some) <= MOST_SHOWN:
        return grid
    return Group(grid, Text(f"  and {len(some) - MOST_SHOWN:,} more", style="dim"))


def best_words(best: Trial | None, figure: str) -> str:
    """The `figure` of the best so far, by which it is the best; empty where there is none."""
    told = next((words for words in _scores(best) if words.startswith(f"{figure} ")), "") if best is not None else ""
    return f"best {told}" if told else ""


_STYLES = {"complete": "", "pruned": "dim", "infeasible": "dim", "failed": "red"}


def result_line(trial: Trial) -> tuple[str, str]:
    """What came of a trial that has ended, in a line, and how that looks."""
    assert trial.record is not None  # noqa: S101 - it has ended
    outside = [printable(f"outside {', '.join(trial.record.broken_limits)}")] if trial.record.broken_limits else []
    known = ["known before"] if trial.reused_from is not None else []
    words = "  ".join([*known, *(outside or [_result(trial)])])
    return f"{trial.stage} {trial.number}  {trial.architecture.id}  {words}", _STYLES[trial.record.outcome]


def _result(trial: Trial) -> str:
    """What came of a trial, in a line."""
    record = trial.record
    assert record is not None  # noqa: S101 - it has ended
    if record.error is not None:
        return printable(f"failed: {record.error.kind}: {record.error.message}")
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
    told = [name for name in told if not (name.endswith(("_low", "_high")) and measure_of(name))]
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
