"""`nas watch` and `nas stop`: a study seen, and asked to end, from another terminal."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from nas.cli.printing import as_json, show
from nas.cli.stopping import stoppable
from nas.cli.study import ledger_option, study_argument, the_study, with_ledger

MOST_DRIVERS = 5
"""Drivers that are named."""

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nas.records import Stage
    from nas.searching import Event
    from nas.searching.watching import Seen, Watch


@click.command()
@study_argument
@click.option("--once", is_flag=True, help="Show how things are now, and end.")
@click.option("--until-done", is_flag=True, help="End by itself once nobody works at the study any more.")
@click.option(
    "--every", type=click.FloatRange(0.1, 3600), default=1.0, show_default=True, metavar="SECONDS", help="Between looks."
)
@as_json
@ledger_option
def watch(study: str | None, once: bool, until_done: bool, every: float, as_json: bool, ledger: str) -> None:
    """Watch the runs of STUDY, on whatever machines they are, as they go on; Ctrl-C ends the watching alone.

    STUDY may be left out where the ledger has one. Nothing is written: a ledger that can only be read will do.
    """
    from nas.records import Ledger
    from nas.searching.watching import Watch

    with stoppable(), Ledger(ledger, create=False) as book:
        seen = Watch(book, the_study(book, study))
        if once:
            seen.look()
            if as_json:
                click.echo(json.dumps(_data(seen), indent=1))
            else:
                show(_picture(seen, whole=True))
            return
        with _told(seen, as_json=as_json) as tell:
            while True:
                tell(seen.look())
                if until_done and seen.quiet:
                    break
                time.sleep(every)
    if not as_json:
        click.echo("Nobody works at it any more.")


@contextmanager
def _told(seen: "Watch", *, as_json: bool) -> Iterator[Callable[[list["Event"]], None]]:
    """Where a look's events go: JSON lines; on a terminal a live picture below the lines of trials that end; elsewhere lines."""
    if as_json:
        yield _json_lines(seen)
    elif sys.stdout.isatty():
        from rich.console import Console
        from rich.live import Live

        from nas.cli.progress import Watcher, result_line
        from nas.searching import EpochEnded, RunBegun

        console = Console()
        with Live(console=console, auto_refresh=False, transient=True) as live:
            watcher = Watcher(console)

            def draw(events: list["Event"]) -> None:
                for event in events:
                    if isinstance(event, RunBegun):
                        watcher(replace(event, found=0))
                        for line, style in map(result_line, seen.last):
                            watcher.say(line, style)
                    elif not isinstance(event, EpochEnded):  # the picture has them
                        watcher(event)
                live.update(_picture(seen), refresh=True)

            yield draw
    else:
        yield _plain_lines()


def _json_lines(seen: "Watch") -> Callable[[list["Event"]], None]:
    from nas.searching import to_data

    drivers: set[str] = set()

    def tell(events: list["Event"]) -> None:
        nonlocal drivers
        for event in events:
            click.echo(json.dumps(to_data(event)))
        if (now := {driver.holder for driver in seen.drivers}) != drivers:
            drivers = now
            click.echo(json.dumps({"event": "drivers", "drivers": [vars(driver) for driver in seen.drivers]}))

    return tell


def _plain_lines() -> Callable[[list["Event"]], None]:
    from rich.console import Console

    from nas.cli.progress import Watcher
    from nas.searching import TrialBegun

    watcher = Watcher(Console(width=240, color_system=None))

    def tell(events: list["Event"]) -> None:
        for event in events:
            watcher(event)
            if isinstance(event, TrialBegun):
                click.echo(f"      {event.architecture}  {event.stage} {event.number} is under way at {event.label}")

    return tell


def _picture(seen: "Watch", *, whole: bool = False) -> "RenderableType":
    """What is under way and who is at it; `whole` with what is searched and what ended last."""
    from rich.console import Group
    from rich.text import Text

    from nas.cli.progress import UnderWay, best_words, result_line, status_words, under_way_grid
    from nas.reports.trials import age, place

    lines: list[RenderableType] = []
    if whole:
        lines += [Text(f"Study {seen.entry.name}", style="bold"), Text(seen.headline)]
        lines += [Text(f"  {line}", style=style) for line, style in map(result_line, seen.last)]
    left = [f"{len(seen.interrupted)} interrupted"] if seen.interrupted else []
    lines.append(
        Text(status_words(seen.progress, [*_retrained(seen), *left, best_words(seen.tally.best, seen.tally.objective.figure)]))
    )
    if seen.running:
        some = []
        for trial in seen.running:
            label = place(trial) + (f", attempt {trial.attempts}" if trial.attempts > 1 else "")
            epoch, epochs = (number if isinstance(number := trial.progress.get(key), int) else 0 for key in ("epoch", "epochs"))
            begun = time.monotonic() - age(trial.begun_at)
            some.append(UnderWay(trial.number, trial.stage, trial.architecture.id, label, epoch, epochs, begun_at=begun))
        lines.append(under_way_grid(some))
    lines += [Text(f"  {_driver(driver)}", style="dim") for driver in seen.drivers[:MOST_DRIVERS]]
    if len(seen.drivers) > MOST_DRIVERS:
        lines.append(Text(f"  and {len(seen.drivers) - MOST_DRIVERS:,} more drivers", style="dim"))
    if not seen.running:
        lines.append(Text("  Nobody has a trial of it at the moment.", style="dim"))
    return Group(*lines)


def _retrained(seen: "Watch") -> Iterator[str]:
    """How far finals, an audit, and what is made of finalists are."""
    stages: tuple[tuple[Stage, str], ...] = (("final", "finals"), ("audit", "audited"), ("derived", "made of finalists"))
    for stage, words in stages:
        of = f"/{seen.retraining[stage]}" if stage in seen.retraining else ""
        if seen.retrained[stage] or of:
            yield f"{seen.retrained[stage]}{of} {words}"


def _driver(driver: "Seen") -> str:
    trials = f"{driver.trials} trial{'s' * (driver.trials != 1)}"
    return f"{driver.words} has {trials}, heard of {driver.silent:.0f} s ago"


def _data(seen: "Watch") -> dict[str, Any]:
    """How things are, as plain data."""
    from nas.reports.trials import trials_data

    return {
        "study": seen.entry.name,
        "headline": seen.headline,
        "progress": {key: value for key, value in vars(seen.progress).items() if value is not None},
        "finals": seen.retrained["final"],
        "audited": seen.retrained["audit"],
        "derived": seen.retrained["derived"],
        "best": next(iter(trials_data([seen.tally.best] if seen.tally.best else [])), None),
        "running": trials_data(seen.running),
        "interrupted": trials_data(seen.interrupted),
        "last": trials_data(list(seen.last)),
        "drivers": [vars(driver) for driver in seen.drivers],
    }


@click.command()
@study_argument
@click.option("--no-wait", is_flag=True, help="Ask, and do not wait until they have stopped.")
@as_json
@ledger_option
def stop(study: str | None, no_wait: bool, as_json: bool, ledger: str) -> None:
    """Ask all drivers of STUDY, on whatever machines they are, to stop as after Ctrl-C: what they know is kept.

    It waits until they have; Ctrl-C ends the waiting alone. STUDY may be left out where the ledger has one.
    """
    from nas.records import Ledger
    from nas.searching.watching import stop

    with Ledger(ledger, create=False) as book:
        name = the_study(book, study).name
        how = with_ledger(f"nas watch {name}", book)

    def on_drivers(left: tuple["Seen", ...]) -> None:
        if as_json:
            click.echo(json.dumps({"event": "drivers", "drivers": [vars(driver) for driver in left]}))
        elif left:
            told = ", ".join(driver.words for driver in left[:MOST_DRIVERS])
            more = f" and {len(left) - MOST_DRIVERS} more" if len(left) > MOST_DRIVERS else ""
            are = "driver is" if len(left) == 1 else "drivers are"
            click.echo(f"{len(left)} {are} at work at {name}: {told}{more}. Asked to stop.")
        elif not asked:
            click.echo(f"Nobody has a trial of {name} at the moment; one that looks for its next is asked to stop too.")
        asked.extend(left)

    asked: list[Seen] = []
    left = stop(name, ledger=ledger, wait=not no_wait, on_drivers=on_drivers)
    if as_json:
        click.echo(json.dumps({"event": "stopped" if not left else "asked", "study": name}))
    elif left:
        click.echo(f"`{how}` shows when they have.")
    else:
        click.echo(f"Nobody works at {name} now. The same `nas search` or `nas finals` goes on with it.")
