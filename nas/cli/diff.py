"""`nas diff`: two studies held against each other, with an exit status for whatever guards a repository."""

import json
from typing import TYPE_CHECKING

import click

from nas.cli.printing import as_json, complain, show
from nas.cli.study import ledger_option

if TYPE_CHECKING:
    from nas.ranking.changes import Side

WORSE = 1
"""Exit status where the second is worse; a run without one complete training has the same, which cannot be meant here."""


@click.command()
@click.argument("a", metavar="STUDY_A")
@click.argument("b", metavar="STUDY_B")
@click.option("--ledger-b", metavar="URL", help="Where STUDY_B is kept, if not where STUDY_A is.")
@click.option(
    "--tolerance",
    type=float,
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="Of the first's figure: a loss of so much is let pass, 0.01 for 1 %.",
)
@click.option("--confidence", type=float, default=0.95, show_default=True, metavar="P", help="Of all intervals together.")
@click.option("--figure", "figures", multiple=True, metavar="NAME", help="Compare by this figure alone; may be repeated.")
@as_json
@ledger_option
def diff(
    a: str,
    b: str,
    ledger_b: str | None,
    tolerance: float,
    confidence: float,
    figures: tuple[str, ...],
    as_json: bool,
    ledger: str,
) -> None:
    """Say what differs between two studies and whether the second does worse.

    \b
    Exit status: 0  nothing is worse beyond the tolerance, as far as can be told
                 1  the second is worse, and the whole interval says so
                 2  nothing can be compared, or the command is wrong
                75  the ledger does not answer; the same command may be given later
    """  # noqa: D301 - click reads the character itself: lines are kept as they are
    from nas.ranking.difference import difference
    from nas.reports.difference import difference_data, difference_lines

    first, second = _side(ledger, a), _side(ledger_b or ledger, b)
    if first.entry == second.entry and (ledger_b or ledger) == ledger:
        raise click.exceptions.Exit(complain(f"{a} and {b} are the same study; a difference needs two."))
    found = difference(first, second, confidence=confidence, tolerance=tolerance, figures=figures)
    if as_json:
        click.echo(json.dumps(difference_data(found), indent=1))
    else:
        for part in difference_lines(found):
            show(part)
    if not found.comparable:
        why = "; ".join(dict.fromkeys(f"{left.what}: {left.why}" for left in found.left))
        raise click.exceptions.Exit(complain(f"{a} and {b} cannot be compared ({why})."))
    if found.worse:
        raise click.exceptions.Exit(WORSE)


def _side(ledger: str, study: str) -> "Side":
    from nas.ranking.changes import Side
    from nas.records import Ledger

    with Ledger(ledger, create=False) as book:
        entry = book.study(study)
        return Side(entry, tuple(trial for trial in book.trials(entry) if trial.state != "running"))
