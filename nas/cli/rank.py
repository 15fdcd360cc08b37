"""`nas rank`: leaderboards, in an order of the reader's, by figures and within limits of the reader's."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from nas.cli.formats import asked, formats, give_tables, schema_of
from nas.cli.printing import console
from nas.cli.study import ledger_option

TEXT_ROWS = 50
"""Rows of a table that are printed for people who did not say how many."""

ORDERS = ("pareto", "weighted", "chebyshev", "lexicographic")


@click.command()
@click.argument("study", required=False)
@click.option(
    "--objective",
    "objectives",
    multiple=True,
    metavar="FIGURE",
    help="Rank by this figure instead of what the search steered by; =minimize or =maximize may follow; may be repeated.",
)
@click.option(
    "--order",
    type=click.Choice(ORDERS),
    help="pareto: front by front (if not given). weighted: by a weighted sum. chebyshev: by the worst, weighted. lexicographic: "
    "by one figure after the other.",
)
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="FIGURE=W",
    help="How much a figure counts in the orders weighted and chebyshev; 1 if not given; may be repeated.",
)
@click.option(
    "--priority",
    "priorities",
    multiple=True,
    metavar="FIGURE[:BY]",
    help="The next figure to order by; values that differ by at most BY from the best count as equal to it; may be repeated.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="TEXT",
    help='Such as "latency_ms <= 5": rows outside stand below; may be repeated.',
)
@click.option(
    "--cost",
    metavar="FIGURE",
    help="What the front weighs the objectives against; if not given flops where there is one, and nothing where several.",
)
@click.option(
    "--show",
    "only",
    multiple=True,
    metavar="FIGURE",
    help="A column beside the objectives, in text, Markdown and LaTeX; may be repeated; the usual ones if not given.",
)
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Rows of each table; without it all, as text 50.")
@formats
@schema_of("leaderboard")
@ledger_option
def rank(
    study: str | None,
    objectives: tuple[str, ...],
    order: str | None,
    weights: tuple[str, ...],
    priorities: tuple[str, ...],
    limits: tuple[str, ...],
    cost: str | None,
    only: tuple[str, ...],
    top: int | None,
    ledger: str,
    **given: Any,
) -> None:
    """Print the leaderboard of STUDY, or of all studies; rows that cannot be compared stand apart, and why.

    \b
    nas rank STUDY --objective validation_accuracy --objective latency_ms --limit "params <= 50e3"
    nas rank STUDY --order chebyshev --weight validation_accuracy=2 --weight latency_ms=1
    nas rank STUDY --priority validation_accuracy:0.005 --priority latency_ms
    nas rank STUDY --out table.tex --show test_accuracy --show params
    """  # noqa: D301 - click reads the character itself: lines are kept as they are
    from nas.benchmark import Objective
    from nas.ranking import Order, leaderboard
    from nas.ranking.steps import steps
    from nas.records import Ledger
    from nas.reports.steps import print_steps
    from nas.reports.tables import check_shown, print_tables
    from nas.space import Limit

    wanted = asked(**given)
    by = Order.parse(order, weights, priorities)
    within = [Limit.parse(text) for text in limits]
    with no_garbage():
        with Ledger(ledger, create=False) as book:
            tables = leaderboard(book, study, cost=cost, objectives=objectives, order=by, limits=within)
            entries = [book.study(study)] if study is not None else book.studies()
            made = [(entry, steps(entry, book.trials(entry))) for entry in entries] if wanted.format == "text" else []
        if tables:
            check_shown(tables, only)
        if wanted.format != "text":
            give_tables(tables, wanted, top, only)
        elif not tables:
            click.echo("No trial is complete yet.")
        else:
            print_tables(tables, console(), top=top or TEXT_ROWS, only=only)
            for entry, found in made:
                print_steps(found, [Objective(**one) for one in entry.definition["objectives"]], console())


@contextmanager
def no_garbage() -> Iterator[None]:
    """Within it Python looks for no garbage, which takes a third of the time where thousands of trials are read and kept."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
