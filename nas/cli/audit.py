"""`nas audit`: whether a search may be believed, by a sample of what it found that is trained in full."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.cluster import array, submitted
from nas.cli.events import told
from nas.cli.means import means, places, usual_workers
from nas.cli.printing import FOLDER, show
from nas.cli.stopping import INTERRUPTED
from nas.cli.study import ledger_option, with_ledger

if TYPE_CHECKING:
    from nas.ranking import Audit

NOTHING = 1
"""Exit status where no training is complete, as of a search."""

AMOUNT = ("epochs", "fraction", "seconds", "steps", "flops")


@click.command()
@click.argument("study")
@click.option(
    "--sample",
    type=int,
    default=12,
    show_default=True,
    metavar="N",
    help="How many architectures, at least 4: a quarter the search's best, the others by chance. Finalists come besides.",
)
@click.option(
    "--pruned", type=int, default=2, show_default=True, metavar="N", help="How many besides of those that the search pruned."
)
@click.option("--seeds", type=int, default=1, show_default=True, metavar="N", help="Trainings of each.")
@click.option("--epochs", type=int, metavar="N", help="Of one training; those of finalists if not given.")
@click.option("--fraction", type=float, metavar="SHARE", help="Share of the training data; that of finalists if not given.")
@click.option("--seconds", type=float, metavar="S", help="Training seconds after which no further epoch begins.")
@click.option("--steps", type=int, metavar="N", help="Steps of the optimiser at most.")
@click.option("--flops", type=float, metavar="F", help="Floating-point operations of one training at most.")
@click.option("--report", is_flag=True, help="Train nothing: tell what is audited so far.")
@means
@places
@array
@click.option(
    "--checkpoint",
    type=float,
    metavar="SECONDS",
    help="How often the training under way is written down, to go on within it after a kill; 60 if not given, 0 for never.",
)
@click.option("--data", type=FOLDER, metavar="DIR", help="The folder that the benchmark's data, or the table, lie in.")
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON event a line for scripts, the audit last.")
def audit(
    study: str,
    report: bool,
    as_json: bool,
    tasks: int | None,
    task_minutes: int | None,
    cluster_options: tuple[str, ...],
    data: Path | None,
    **given: Any,
) -> None:
    """Train a sample of what STUDY found in full, and say whether its order may be believed.

    Test data are not read. Ctrl-C ends it with what is trained; the same command goes on. Exit status 1: nothing is trained.
    """
    from nas.ranking import audit_of
    from nas.records import Ledger
    from nas.searching import Study
    from nas.searching import audit as train

    options = {key: value for key, value in given.items() if value is not None and key not in AMOUNT}
    ledger = options["ledger"]
    if report:
        with Ledger(ledger, create=False) as book:
            _print(audit_of(book, study), study, book, as_json=as_json)
        return
    if "workers" not in options and "table" not in Study(study, ledger).entry.definition["benchmark"]:
        options["workers"] = usual_workers()
    of_array: dict[str, Any] = {"tasks": tasks, "task_minutes": task_minutes, "cluster_options": cluster_options}
    if submitted(study, options, as_json=as_json, **of_array):
        return
    budget = {name: given[name] for name in AMOUNT if given[name] is not None}
    interrupted, found = False, None
    with told(as_json) as on_event:
        try:
            found = train(study, budget=budget, data=data, on_event=on_event, **options)
        except KeyboardInterrupt:
            interrupted = True
    from nas.searching import following

    if following():
        raise click.exceptions.Exit(INTERRUPTED if interrupted else 0)
    with Ledger(ledger, create=False) as book:
        if not interrupted:
            _print(found, study, book, as_json=as_json)
            return
        click.echo(f"Go on with the same command; `{with_ledger(f'nas audit {study} --report', book)}` tells so far.", err=True)
    raise click.exceptions.Exit(INTERRUPTED)


def _print(found: "Audit | None", study: str, book: Any, *, as_json: bool) -> None:
    from nas.reports.audit import audit_data, audit_lines

    if found is None:
        if as_json:
            click.echo(json.dumps({"event": "audit", "study": study, "audit": None}))
        else:
            click.echo(f"Nothing of {study} is audited; `{with_ledger(f'nas audit {study}', book)}` does it.")
        raise click.exceptions.Exit(NOTHING)
    if as_json:
        click.echo(json.dumps({"event": "audit", **audit_data(found)}))
        return
    for part in audit_lines(found):
        show(part)
