"""`nas reproduce`: a trial done again from its record, and whether the same came out."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from nas.cli.printing import FOLDER, as_json, show, status
from nas.cli.stopping import stoppable
from nas.cli.study import ledger_option

if TYPE_CHECKING:
    from nas.searching.reproducing import OnProgress, Progress, Reproduced

DIFFERENT = 1
"""Exit status where a trial is not reproduced."""

QUIET_SECONDS = 30
"""Off a terminal, how long a training may say nothing."""


@click.command()
@click.argument("named", nargs=-1, required=True, metavar="TRIAL...")
@click.option("--sample", type=int, metavar="N", help="TRIAL is a study, of which N trainings are drawn and done again.")
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of the sample.")
@click.option(
    "--stage",
    type=click.Choice(["search", "confirm", "final", "audit", "derived"]),
    help="That a NUMBER counts in, search if not given; or that is drawn from, all if not given.",
)
@click.option("--strict", is_flag=True, help="Exit status 1 for whatever is not bit-equal.")
@click.option(
    "--tolerance",
    type=float,
    metavar="SHARE",
    help="Of a figure, that it may differ by where no deviation over seeds is known; 0.02 if not given.",
)
@click.option(
    "--keep", is_flag=True, help="Keep a finalist's weights beside the ledger again, if they are the record's bit for bit."
)
@click.option("--workers", type=int, default=0, metavar="N", help="How many run at once; this process alone if not given.")
@click.option("--device", metavar="NAME", help="Another device than the record's.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Another number of threads than the record's.")
@click.option("--data", type=FOLDER, metavar="DIR", help="The folder that the benchmark's data lie in.")
@ledger_option
@as_json
def reproduce(named: tuple[str, ...], strict: bool, as_json: bool, **given: Any) -> None:
    """Build, count and train each TRIAL again from its record, and say whether the same comes out.

    TRIAL is STUDY:NUMBER, or STUDY:ID with the beginning of an architecture's id; with --sample a study. What was made of a
    finalist (--stage derived) is made again of its kept weights.

    The verdict is bit-equal, within tolerance (of what two trainings from two seeds differ by in 19 of 20 cases, where the study
    tells that), or different, and what may be why: versions, machine, threads, device, data. Time and memory need not be equal.

    Exit status 0 for bit-equal and within tolerance, 1 for different.
    """
    from nas.reports.reproduction import reproduction_text, verdicts_line
    from nas.searching import reproduce

    options = {name: value for name, value in given.items() if value is not None}
    with stoppable(), _progress(quiet=as_json, alone=len(named) == 1 and given["sample"] is None) as on_progress:
        done = reproduce(named, on_progress=on_progress, **options)
    results = [one.result for one in done]
    if as_json:
        verdicts = {verdict: sum(result.verdict == verdict for result in results) for verdict in _verdicts()}
        click.echo(json.dumps({"verdicts": verdicts, "trials": [one.to_data() for one in done]}, indent=1))
    elif len(done) == 1:
        show(reproduction_text(done[0].trial, results[0]))
    else:
        click.echo(verdicts_line(results))
    held = {"bit-equal"} if strict else {"bit-equal", "within tolerance"}
    if given["keep"] and not as_json:
        click.echo(_kept(done))
    if any(result.verdict not in held for result in results):
        raise click.exceptions.Exit(DIFFERENT)


def _kept(done: "Sequence[Reproduced]") -> str:
    """Whose weights are kept again."""
    from nas.searching.weights import shown

    again = [shown(one.weights) for one in done if one.weights is not None]
    if len(done) == 1:
        told = next((note for note in done[0].record.notes if note.startswith("The weights are not kept")), "")
        others = told or "Its weights are others than the record tells of, and are not kept."
        return f"Its weights are kept again: {again[0]}." if again else others
    return f"The weights of {len(again):,} of {len(done):,} are kept again; the others are not those that the records tell of."


def _verdicts() -> tuple[str, ...]:
    from nas.reports.reproduction import VERDICTS

    return VERDICTS


@contextmanager
def _progress(*, quiet: bool, alone: bool) -> Iterator["OnProgress"]:
    """What says how far it is: on a terminal in a line that changes, else now and then, and of several a line each as it ends."""
    begun_at = spoke_at = time.monotonic()
    with status() as say:

        def on_progress(progress: "Progress") -> None:
            nonlocal spoke_at
            if progress.reproduced is not None and not alone and not quiet:
                for line in _lines(progress, progress.reproduced):
                    click.echo(line)
            elif not sys.stderr.isatty() and not quiet and time.monotonic() - spoke_at > QUIET_SECONDS:
                click.echo(_words(progress, time.monotonic() - begun_at), err=True)
            else:
                say(_words(progress, time.monotonic() - begun_at))
                return
            spoke_at = time.monotonic()

        yield on_progress


def _words(progress: "Progress", seconds: float) -> str:
    from nas.reports.reproduction import name_of
    from nas.reports.trials import times

    epoch = f", epoch {progress.epoch}" if progress.epoch else ""
    long = f"; {words}" if (words := times(seconds, progress.seconds_left)) else ""
    return f"{progress.done} of {progress.of} done; {name_of(progress.trial)}{epoch}{long}"


def _lines(progress: "Progress", one: "Reproduced") -> Iterator[str]:
    """One for a trial that is bit-equal; of another also what was other, and what may be why."""
    from nas.errors import printable

    trial, width = one.trial, len(str(progress.of))
    yield f"{progress.done:>{width}}/{progress.of}  {trial.stage} {trial.number}  {trial.architecture.id}  {one.result.verdict}"
    if one.result.verdict != "bit-equal":
        yield f"{'':>{2 * width + 3}}{printable(one.result.sentence)}"
