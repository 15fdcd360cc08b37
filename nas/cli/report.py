"""`nas report`: a study as one HTML page."""

from pathlib import Path

import click

from nas.cli.printing import FOLDER
from nas.cli.study import ledger_option


@click.command()
@click.argument("study")
@click.option(
    "--out",
    type=FOLDER,
    default=Path("leaderboard.html"),
    show_default=True,
    metavar="FILE",
    help="The page to write.",
)
@ledger_option
def report(study: str, out: Path, ledger: str) -> None:
    """Write one HTML page about STUDY that needs no network and no server."""
    from nas.records import Ledger
    from nas.reports import write_report

    with Ledger(ledger, create=False) as book:
        path = write_report(book, study, out)
    click.echo(f"Wrote {path}.")
