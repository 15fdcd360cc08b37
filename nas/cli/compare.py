"""`nas compare`: strategies held against each other on tables of trained architectures."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.printing import FOLDER, as_json, console, print_grid
from nas.cli.stopping import INTERRUPTED, stoppable

if TYPE_CHECKING:
    from nas.comparing import Findings, Progress

QUIET_SECONDS = 10
"""Off a terminal, how long a comparison may say nothing."""


@click.command()
@click.option(
    "--table", "tables", type=FOLDER, multiple=True, metavar="FILE", help="A table (.csv, .csv.gz, .parquet); may be repeated."
)
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    metavar="NAME",
    help="As `nas search` takes it; may be repeated. random is always compared, and sort (the largest first) where tables tell "
    "sizes.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="TEXT",
    help='Such as "params <= 50e3": asks each table once more within it, or only the one that is named: "TABLE: params <= 50e3". '
    "Commas join limits; may be repeated.",
)
@click.option(
    "--proxy", "proxies", multiple=True, metavar="NAME", help="A zero-cost score of the tables to learn from; may be repeated."
)
@click.option("--means", is_flag=True, help="Answer with the mean over trainings, not with one of them.")
@click.option(
    "--confirm",
    type=int,
    metavar="N",
    help="How many evaluations of a run train its best again, where a table has several trainings; as in a search if not given.",
)
@click.option(
    "--evaluations", type=int, default=100, show_default=True, metavar="N", help="Different architectures a run evaluates."
)
@click.option("--seeds", type=int, default=10, show_default=True, metavar="N", help="Runs of each strategy on each question.")
@click.option("--workers", type=int, metavar="N", help="Processes at once; one a core if not given.")
@click.option(
    "--out",
    type=FOLDER,
    default=Path("comparison"),
    show_default=True,
    metavar="DIR",
    help="The folder of the runs, the page and the CSV.",
)
@as_json
def compare(as_json: bool, means: bool, out: Path, **given: Any) -> None:
    """Compare strategies on tables of trained architectures: how far from the best each is after so many evaluations.

    \b
    nas compare --table table.csv --strategy auto --strategy tpe
    nas compare --table table.csv --strategy auto --limit "params <= 50e3" --evaluations 200 --seeds 50

    Ctrl-C keeps the runs that have ended; the same command goes on with them, and more --seeds add to them.
    """  # noqa: D301 - click reads the character itself: lines are kept as they are
    from nas import comparing

    config = comparing.CompareConfig.make(**given, noise=not means, out=out)
    try:
        with stoppable(), _watching(as_json) as on_progress:
            findings = comparing.compare(config, on_progress=on_progress)
    except KeyboardInterrupt:
        click.echo(f"Interrupted; the runs that have ended are kept in {out}, and the same command goes on.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    page = comparing.write_comparison(findings, out)
    if as_json:
        click.echo(json.dumps(findings.data(), indent=1))
    else:
        _print(findings)
        click.echo(f"Wrote {page} and {page.with_suffix('.csv')}.")


def _print(findings: "Findings") -> None:
    """The findings for people."""
    from nas.comparing.telling import sentence

    standings = findings.standings
    click.echo(findings.headline)
    for question in standings.questions:
        click.echo(f"\n{question}: mean regret ± standard error after so many evaluations, and the mean rank at the end")
        print_grid(findings.grid(question))
        if len(standings.questions) > 1:
            click.echo(sentence(findings.told(question)))
    if len(standings.questions) > 1:
        click.echo("\nOver all questions: mean rank, and mean regret as a share of what random search is expected to reach")
        print_grid(findings.overall())
    click.echo("\nA run in the mean: time to ask, and proposals of each kind")
    print_grid(findings.effort())
    click.echo("\n" + "\n".join(text for text in (findings.cost, findings.agreement) if text))


@contextmanager
def _watching(as_json: bool) -> Iterator[Callable[["Progress"], None]]:
    """Something to hand progress to: a live line on a terminal, now and then a line anywhere else, nothing where JSON follows."""
    if as_json:
        yield lambda _: None
    elif sys.stdout.isatty():
        begun_at = time.monotonic()
        with console().status("") as spinner:
            yield lambda progress: spinner.update(_line(progress, time.monotonic() - begun_at))
    else:
        yield _Speaker()


class _Speaker:
    """Says how far it is at the beginning, at the end, and now and then between."""

    def __init__(self) -> None:
        self.begun_at = time.monotonic()
        self.spoke_at = float("-inf")

    def __call__(self, progress: "Progress") -> None:
        now = time.monotonic()
        if now - self.spoke_at > QUIET_SECONDS or progress.done == progress.total:
            self.spoke_at = now
            click.echo(_line(progress, now - self.begun_at))


def _line(progress: "Progress", seconds: float) -> str:
    """How far, what has ended last, how long so far and still."""
    from nas.reports.trials import times

    parts = [f"{progress.done:,}/{progress.total:,} runs"]
    parts += [f"{progress.found:,} found"] if progress.found else []
    cell = progress.cell
    parts += [f"{cell.strategy} on {cell.question}, seed {cell.seed}"] if cell else []
    return " · ".join([*parts, *filter(None, [times(seconds, progress.seconds_left)])])
