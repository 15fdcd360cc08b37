"""`nas plot`: the pictures of a study, for a paper."""

import json
from pathlib import Path
from typing import Any

import click

from nas.cli.printing import FOLDER, as_json, complain
from nas.cli.study import ledger_option, study_argument, the_study

KINDS = ("pareto", "anytime", "curves", "parallel", "importance", "marginals", "funnel")
"""As `nas.reports.pictures` has them, which is not loaded for a help text."""

ENDINGS = ("svg", "png")


@click.command()
@study_argument
@click.option("--to", "to", type=FOLDER, required=True, metavar="DIR", help="The folder to write into.")
@click.option("--kind", "kinds", multiple=True, metavar="NAME", help=f"{', '.join(KINDS)}; may be repeated. All if not given.")
@click.option("--format", "endings", multiple=True, metavar="NAME", help="svg, png or both; may be repeated. svg if not given.")
@ledger_option
@as_json
def plot(study: str | None, to: Path, kinds: tuple[str, ...], endings: tuple[str, ...], ledger: str, as_json: bool) -> None:
    """Draw STUDY: trade-offs and front, progress, learning curves, parallel coordinates, importance, funnel.

    Each picture is a file STUDY-KIND.svg in DIR. Names may also be given with commas between: --format svg,png.
    """
    from nas.records import Ledger
    from nas.reports.pictures import write_pictures

    wanted: Any = _names(kinds, KINDS, "kind") or KINDS
    formats: Any = _names(endings, ENDINGS, "format") or ENDINGS[:1]
    with Ledger(ledger, create=False) as book:
        entry = the_study(book, study)
        trials = book.trials(entry)
    files, missing = write_pictures(entry, trials, to, wanted, formats)
    if as_json:
        click.echo(json.dumps({"files": [str(path) for path in files], "missing": missing}))
    else:
        for path in files:
            click.echo(f"Wrote {path}.")
    if not as_json or not files:
        for line in missing:
            complain(line)
    if not files or (kinds and missing):
        raise click.exceptions.Exit(2)


def _names(given: tuple[str, ...], known: tuple[str, ...], what: str) -> tuple[str, ...]:
    """The names that are asked for, each once."""
    names = [name for text in given for name in text.split(",") if name]
    for name in names:
        if name not in known:
            raise click.UsageError(f"No {what} is called {name!r}. Known: {', '.join(known)}.")
    return tuple(dict.fromkeys(names))
