"""`nas effects`: which choices of a study matter, and what a higher cost buys."""

import json

import click

from nas.cli.printing import as_json, show
from nas.cli.study import ledger_option, study_argument, the_study


@click.command()
@study_argument
@click.option("--figure", "figures", multiple=True, metavar="NAME", help="Of this figure, an objective or not; may be repeated.")
@click.option("--cost", "costs", multiple=True, metavar="NAME", help="What a price is told in: latency_ms, params, flops …")
@click.option(
    "--more", type=float, metavar="AMOUNT", help="How much more of the --cost a price is for; a round number if not given."
)
@click.option("--all", "every", is_flag=True, help="Print the choices that show no effect too.")
@as_json
@ledger_option
def effects(
    study: str | None,
    figures: tuple[str, ...],
    costs: tuple[str, ...],
    more: float | None,
    every: bool,
    as_json: bool,
    ledger: str,
) -> None:
    """Print which choices of STUDY matter to its objectives, and what a higher cost buys.

    Each share, mean and gain has a 95 % interval, and what cannot be told from chance is said to be so. STUDY may be left out
    where the ledger has one.
    """
    if more is not None and (len(costs) != 1 or not 0 < more < float("inf")):
        raise click.UsageError("--more is an amount above 0 of one --cost.")
    from nas.effects import effects_of, evidence_of, prices_of
    from nas.records import Ledger
    from nas.reports.effects import effects_lines, headline, notes, sentences, too_few, what_matters_data

    with Ledger(ledger, create=False) as book:
        entry = the_study(book, study)
        trials = book.trials(entry, "search")
    evidence = evidence_of(entry, trials)
    found = effects_of(entry, trials, figures=figures or None)
    prices = prices_of(entry, trials, figures=figures or None, costs=costs or None, more=more)
    if as_json:
        click.echo(json.dumps(what_matters_data(evidence, found, prices), indent=1))
        return
    click.echo(f"{headline(evidence)}\n")
    for part in effects_lines(found, every=every):
        show(part)
    if not found:
        click.echo(too_few(evidence))
    for price in prices:
        for sentence in sentences(price):
            click.echo(sentence)
        click.echo()
    if found:
        click.echo(notes(found))
