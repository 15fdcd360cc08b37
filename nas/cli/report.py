"""`nas report`: a study as one HTML page, once or again and again while it goes on."""

import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nas.cli.printing import FOLDER, as_json
from nas.cli.stopping import stoppable
from nas.cli.study import ledger_option, study_argument, the_study

if TYPE_CHECKING:
    from nas.records import Ledger, StudyEntry
    from nas.reports.page import Live

SHARE = 0.25
"""Of the time that writing the page again and again may take."""


@click.command()
@study_argument
@click.option(
    "--out",
    type=FOLDER,
    default=Path("leaderboard.html"),
    show_default=True,
    metavar="FILE",
    help="The page to write.",
)
@click.option("--watch", "watching", is_flag=True, help="Write it anew as results come in, until nobody works at STUDY any more.")
@click.option(
    "--every",
    type=click.FloatRange(0.5, 3600),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="With --watch: between looks, at least.",
)
@as_json
@ledger_option
def report(study: str | None, out: Path, watching: bool, every: float, as_json: bool, ledger: str) -> None:
    """Write one HTML page about STUDY that needs no network and no server.

    With --watch an open page reads itself again; Ctrl-C ends the watching, and leaves the page as it is then. STUDY may be left
    out where the ledger has one.
    """
    from nas.records import Ledger

    with stoppable(), Ledger(ledger, create=False) as book:
        entry = the_study(book, study)
        if watching:
            with suppress(KeyboardInterrupt):
                _follow(book, entry, out, every, as_json=as_json)
        _write(book, entry, out, as_json=as_json)


def _follow(book: "Ledger", entry: "StudyEntry", out: Path, every: float, *, as_json: bool) -> None:
    """Write the page whenever trials have ended, until nobody works at the study any more."""
    from nas.searching.watching import Watch

    seen = Watch(book, entry)
    known: object = None
    while True:
        seen.look()
        took = 0.0
        if (now := (len(seen.ended), len(seen.running))) != known:
            known, began = now, time.monotonic()
            _write(book, entry, out, as_json=as_json, live=_live(every))
            took = time.monotonic() - began
        if seen.quiet:
            return
        time.sleep(max(every, took / SHARE))


def _live(every: float) -> "Live":
    """What the page says of the moment in which it is written."""
    from nas.reports.page import Live

    now = datetime.now(UTC).replace(microsecond=0)
    return Live(written_at=f"{now:%Y-%m-%d %H:%M:%S} UTC", stamp=now.isoformat(), every=max(2, round(every)))


def _write(book: "Ledger", entry: "StudyEntry", out: Path, *, as_json: bool, live: "Live | None" = None) -> None:
    from nas.cli.rank import no_garbage
    from nas.reports import write_report

    with no_garbage():
        path = write_report(book, entry.name, out, live=live)
    if as_json:
        told = {"report": str(path), "study": entry.name, "bytes": path.stat().st_size, "goes_on": live is not None}
        click.echo(json.dumps(told))
    elif live is None:
        click.echo(f"Wrote {path}.")
    else:
        click.echo(f"{live.written_at[11:19]} wrote {path}; open it, it keeps itself fresh.")
