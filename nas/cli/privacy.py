"""`nas privacy`: what finalists give away of their training examples."""

import json
from typing import TYPE_CHECKING, Any

import click

from nas.cli.printing import FOLDER, print_grid, status
from nas.cli.printing import as_json as json_option
from nas.cli.study import ledger_option

if TYPE_CHECKING:
    from nas.privacy import Standing
    from nas.searching.membership import Guessed

MOST_KEPT = 3
"""Sentences on figures that records keep, before they are counted."""


@click.command()
@click.argument("trial")
@click.option(
    "--shadows",
    type=int,
    default=0,
    show_default=True,
    metavar="N",
    help="Train N networks of the same recipe on halves of the examples, and guess by them too: 4 or more, an even number.",
)
@click.option("--examples", type=int, default=2_000, show_default=True, metavar="N", help="Members, and others, at most.")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:N or mps; chosen by itself if not given.")
@click.option("--data", type=FOLDER, metavar="DIR", help="The folder that the benchmark's data lie in.")
@json_option
@ledger_option
def privacy(trial: str, as_json: bool, **given: Any) -> None:
    """Guess which examples a finalist was trained on, and tell how well that goes.

    \b
    nas privacy STUDY                        the winner, and what was made of it
    nas privacy STUDY:0fa3c8d2b1e45f60 --shadows 8
    nas derive STUDY --how retrain --recipe privacy_epsilon=3     trains it in private

    Members are training examples, others those of validation. Guessed is by the loss (Yeom et al. 2018), and with --shadows by
    likelihood ratios too (LiRA, Carlini et al. 2022). 0.5 is chance.
    """  # noqa: D301 - click reads the character itself: lines are kept as they are
    from nas.searching.membership import guess_members

    with status() as say:
        rows = guess_members(trial, say=say, **given)
    if as_json:
        click.echo(json.dumps([row.to_data() for row in rows], indent=1, allow_nan=False))
        return
    print_grid([_row(row, shadows=any(one.by_shadows for one in rows)) for row in rows])
    first = rows[0]
    click.echo(
        f"{first.members:,} members and {first.others:,} others; in brackets 95 % intervals over them. Found is the share of "
        "members above a score that 1 % of others are above: 0.01 by chance."
    )
    kept = [sentence for row in rows for sentence in row.kept]
    for sentence in kept[:MOST_KEPT]:
        click.echo(sentence)
    if len(kept) > MOST_KEPT:
        click.echo(f"So it is for {len(kept) - MOST_KEPT} more; --json names each.")


def _row(row: "Guessed", *, shadows: bool) -> dict[str, Any]:
    record = row.trial.record
    assert record is not None  # noqa: S101 - it is complete
    epsilon = record.figures.get("privacy_epsilon")
    told = {
        "architecture": row.trial.architecture.id,
        "trained": row.words,
        "seed": record.seed,
        "ε": f"{epsilon:.3g}" if epsilon is not None else "–",
        "AUROC by loss": _area(row.by_loss),
        "found by loss": _found(row.by_loss),
    }
    if shadows:
        told |= {"AUROC by LiRA": _area(row.by_shadows), "found by LiRA": _found(row.by_shadows)}
    return told


def _area(standing: "Standing | None") -> str:
    if standing is None:
        return "–"
    return f"{standing.auroc:.3f} ({standing.auroc_low:.3f} to {standing.auroc_high:.3f})"


def _found(standing: "Standing | None") -> str:
    if standing is None or standing.found is None:
        return "–"
    return f"{standing.found:.3f} ({standing.found_low:.3f} to {standing.found_high:.3f})"
