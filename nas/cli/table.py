"""`nas table`: a study as a file that a search can be on."""

import json
from pathlib import Path

import click

from nas.cli.printing import FOLDER, as_json
from nas.cli.study import ledger_option


@click.command()
@click.argument("study")
@click.option("--out", type=FOLDER, required=True, metavar="FILE", help="The table to write: .csv, .csv.gz or .parquet.")
@ledger_option
@as_json
def table(study: str, out: Path, ledger: str, as_json: bool) -> None:
    """Write the complete trainings of STUDY as a table, which `nas search --on FILE` answers from at once.

    One row an architecture: its choices, what is known before training, and each metric after each epoch of each seed. The space
    and the objective are written beside it, in a YAML file of the same name.
    """
    from nas.records import Ledger
    from nas.tables import write_study

    with Ledger(ledger, create=False) as book:
        written = write_study(book, study, out)
    found = written.table
    if as_json:
        told = {"rows": len(found), "objective": found.asked, "trainings": found.trainings.shape[1], "digest": found.digest}
        click.echo(json.dumps({"table": str(out), **told, "left_out": dict(written.left_out)}))
        return
    left = ", ".join(f"{count:,} {state}" for state, count in written.left_out.items())
    click.echo(f"Wrote {out}: {len(found):,} architectures" + (f"; left out: {left}." if left else "."))
    click.echo(f"Next:\n  nas search --on {out}")
