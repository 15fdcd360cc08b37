"""`nas trials` and `nas trial`: what a study has tried, a line each; and all about one."""

import json
from pathlib import Path
from typing import Any

import click

from nas.cli.formats import asked, formats, give_trials, schema_of
from nas.cli.printing import as_json, console, show
from nas.cli.study import ledger_option, study_argument, the_study, with_ledger
from nas.errors import ReportError

TEXT_ROWS = 50
"""Lines that are printed for people who did not say how many: those of the trials that began last."""

STATES = ("running", "interrupted", "complete", "pruned", "infeasible", "failed")

_STAGES = click.Choice(["search", "confirm", "final", "audit", "derived"])


@click.command()
@study_argument
@click.option("--state", "states", type=click.Choice(STATES), multiple=True, help="Only those in this state; may be repeated.")
@click.option("--stage", type=_STAGES, help="Only those of this stage.")
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="The N best by the first objective, best first.")
@click.option(
    "--last", "last_only", type=click.IntRange(min=1), metavar="N", help="The N that began last; as text 50 if not given."
)
@formats
@schema_of("trials")
@ledger_option
def trials(
    study: str | None,
    states: tuple[str, ...],
    stage: Any,
    top: int | None,
    last_only: int | None,
    ledger: str,
    **given: Any,
) -> None:
    """List the trials of STUDY: also those that are under way, that failed, or that lie outside a limit.

    STUDY may be left out where the ledger has one.
    """
    from nas.records import Ledger
    from nas.reports.trials import best, in_order, last, objectives_of, standing, trials_grid

    wanted = asked(**given)
    with Ledger(ledger, create=False) as book:
        entry = the_study(book, study)
        found = book.trials(entry, stage)
    found = in_order(trial for trial in found if not states or standing(trial) in states)
    count = len(found)
    if top is not None:
        found = best(found, top, objectives_of(entry)[0])
    if last_only is not None:
        found = last(found, last_only) if top is None else found[:last_only]
    if wanted.format != "text":
        give_trials(found, entry, wanted)
    elif not found:
        click.echo(
            f"No trial of {entry.name} is so." if states or stage or top else f"Nothing of {entry.name} has been tried yet."
        )
    else:
        shown = found if top is not None or last_only is not None else last(found, TEXT_ROWS)
        show(trials_grid(shown, entry, console()))
        if count > len(shown) and top is None and last_only is None:
            click.echo(f"{count - len(shown):,} earlier ones; --last shows them.")


@click.command()
@click.argument("study")
@click.argument("number", required=False)
@click.option("--stage", type=_STAGES, help="That NUMBER counts in; search if not given.")
@click.option("--log", "log_only", is_flag=True, help="Print its log alone, as JSON lines.")
@click.option(
    "--pictures", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write what it made into DIR, as PNG."
)
@as_json
@ledger_option
def trial(study: str, number: str | None, stage: Any, log_only: bool, pictures: Path | None, as_json: bool, ledger: str) -> None:
    """Print everything about one trial of STUDY: its choices, figures, learning curve, conditions and log.

    NUMBER is the trial's, id:N with its id in the ledger, or the beginning of its architecture's id. STUDY:NUMBER will do too.
    """
    from nas.records import Ledger
    from nas.reports.command import train_command
    from nas.reports.finding import find_trial
    from nas.reports.log import log_data, log_lines
    from nas.reports.samples import write_pictures
    from nas.reports.trial import trial_data, trial_text

    if number is None:
        study, _, number = study.partition(":")
    with Ledger(ledger, create=False) as book:
        entry = book.study(study)
        others = book.trials(entry)
        found = find_trial(others, number, stage)
        log = book.log(found)
        again = train_command(entry, found)
        again = with_ledger(again, book) if again else None
    if pictures is not None:
        if found.record is None:
            raise ReportError("This trial has not ended, and has no pictures yet.")
        for path in write_pictures(found.record, pictures):
            click.echo(f"Wrote {path}.")
    elif log_only:
        click.echo(log, nl=False)
    elif as_json:
        click.echo(json.dumps({**trial_data(found), "train_again": again, "log": log_data(log)}, indent=1))
    else:
        show(trial_text(found, entry, others))
        if log:
            click.echo("\nlog")
            for line in log_lines(log):
                click.echo(line)
        if again:
            click.echo(f"\nTrain it again:\n  {again}")
