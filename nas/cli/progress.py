"""A run as a person watches it: a live line on a terminal, plain lines anywhere else."""

import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nas.errors import printable
from nas.measures import measure_of
from nas.records import SCORES, Record, Stage, Trial, figure_kind
from nas.reports.tables import HUGE
from nas.reports.trials import duration, times
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
        watcher = Watcher(console, live=True, begun_at=time.monotonic())
        with Live(watcher, console=console, refresh_per_second=8, transient=True):
            yield watcher
    else:
        watcher, ended = Watcher(Console(width=240, color_system=None), begun_at=time.monotonic()), threading.Event()
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
    begun_at: float = field(kw_only=True)
    """On the clock that only goes forward."""
    whole: float | None = None
    """Seconds that it takes in all, as far as its epochs tell."""

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.begun_at

    @property
    def words(self) -> str:
        """What it is, and how far."""
        name = f"{'trial' if self.stage == 'search' else self.stage} {self.number}"
        if self.epoch:
            return f"{name}, epoch {self.epoch} of {self.epochs}"
        label = f" ({self.label})" if self.label else ""
        return f"{name} {self.architecture}{label}".rstrip()


class Watcher:
    """Prints a line for each evaluated trial, and is the live lines, which are fresh whenever they are drawn."""

    def __init__(self, console: Console, *, live: bool = False, begun_at: float | None = None) -> None:
        """`live` where its picture is drawn again and again; `begun_at` is when the run began, None where it is another's."""
        self.console = console
        self.live = live
        self.begun_at = begun_at
        self.progress = Progress()
        self.told_at = time.monotonic()
        """When `progress` told how long was left."""
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
                self.note(event.progress)
                begun = UnderWay(event.number, event.stage, event.architecture, event.label, begun_at=time.monotonic())
                self.under_way[event.stage, event.number] = begun
            case EpochEnded():
                unheard = UnderWay(event.number, event.stage, begun_at=time.monotonic())
                one = self.under_way.setdefault((event.stage, event.number), unheard)
                one.epoch, one.epochs = event.epoch.epoch, event.epochs
                trained = one.seconds if event.epoch.seconds is None else event.epoch.seconds
                one.whole = one.seconds + trained * (one.epochs / one.epoch - 1)  # what came before its training comes once
                self.be_heard()
            case TrialEnded():
                self.under_way.pop((event.trial.stage, event.trial.number), None)
                self.trial_ended(event)
            case RunEnded():
                self.under_way.clear()
                self.say(event.reason, "bold")

    def __rich__(self) -> RenderableType:
        """The live lines, as rich asks for them."""
        return self.picture()

    def note(self, progress: Progress) -> None:
        """Take in how far the run is, and since when that long is left."""
        if progress.seconds_left != self.progress.seconds_left:
            self.told_at = time.monotonic()
        self.progress = progress

    def picture(self) -> RenderableType:
        """The live lines: one where one candidate is under way, else a line for each too."""
        under_way = list(self.under_way.values())
        return Text(self.status()) if len(under_way) < 2 else Group(Text(self.status()), under_way_grid(under_way))

    def trial_ended(self, event: TrialEnded) -> None:
        """Print what came of a trial, unless it cost nothing."""
        self.note(event.progress)
        self.best = best_words(event.best, event.figure)
        record = event.trial.record
        if record is None or record.outcome == "infeasible" or event.trial.reused_from is not None:
            self.be_heard()  # counted in the live line; a line each would hide what was trained
            return
        style = _STYLES[record.outcome]
        left = f"  {words}" if (words := times(None, self.progress.seconds_left)) else ""
        target = f"/{self.progress.target}" if self.progress.target else ""
        done = f"{self.progress.evaluated:>4}{target}"
        again = {"search": "", "confirm": "again: ", "final": "final: ", "audit": "audit: ", "derived": ""}[event.trial.stage]
        self.say(f"{done}  {event.trial.architecture.id}  {again}{_result(event.trial)}{left}", style)

    def be_heard(self) -> None:
        """Where there is no live line, say how far it is after a while of silence."""
        if not self.live and time.monotonic() - self.spoke_at > QUIET_SECONDS:
            self.say(self.status())

    def say(self, line: str, style: str = "") -> None:
        """Print a line that stays."""
        self.console.print(Text(line, style=style))
        self.spoke_at = time.monotonic()

    def status(self) -> str:
        """How far, what is under way, what is best, how long so far and still."""
        if not self.live or len(self.under_way) < 2:
            current = [one.words for one in list(self.under_way.values())[:MOST_SHOWN]]
        else:
            current = [f"{len(self.under_way)} under way"]
        seconds = time.monotonic() - self.begun_at if self.begun_at is not None else None
        return status_words(replace(self.progress, seconds_left=self.seconds_left()), [*current, self.best], seconds)

    def seconds_left(self) -> float | None:
        """As the run reckons it by the trials that have ended, less what has passed since; before the first by its epochs."""
        if self.progress.seconds_left is not None:
            return self.progress.seconds_left - (time.monotonic() - self.told_at)
        under_way = list(self.under_way.values())  # another thread may ask
        known = [(one.whole, one.seconds) for one in under_way if one.whole is not None]
        if self.begun_at is None or not known:  # what another's run is at began before this heard of it
            return None
        whole = sum(seconds for seconds, _ in known) / len(known)
        passed = sum(seconds for _, seconds in known) / len(known)
        return (self.progress.target - self.progress.evaluated) * whole / len(under_way) - passed


def status_words(counts: Progress, others: Iterable[str], seconds: float | None = None) -> str:
    """How far a run is, and what else is to be said of it, in one line; `seconds` that it has taken, where that is known."""
    done = f"{counts.evaluated}/{counts.target}" if counts.target else f"{counts.evaluated:,}"
    parts = [f"{done} evaluated"]
    names = ("pruned", "infeasible", "failed", "reused")
    parts += [f"{getattr(counts, name):,} {name}" for name in names if getattr(counts, name)]
    parts += [part for part in others if part]
    return " · ".join([*parts, *filter(None, [times(seconds, counts.seconds_left)])])


def under_way_grid(some: Sequence[UnderWay]) -> RenderableType:
    """A line a candidate, for the first few."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for justify in ("left", "right", "left", "right", "right"):
        grid.add_column(no_wrap=True, justify=justify)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    for one in some[:MOST_SHOWN]:
        epoch = f"epoch {one.epoch}/{one.epochs}" if one.epoch else ""
        cells = [f"  {one.stage}", str(one.number), one.architecture, epoch, duration(one.seconds), one.label]
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
