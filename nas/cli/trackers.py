"""`nas optuna`, `nas tensorboard` and `nas mlflow`: a study in the programs that people watch experiments with."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nas.cli.printing import FOLDER, as_json
from nas.cli.study import ledger_option, study_argument, the_study

if TYPE_CHECKING:
    from nas.trackers import Told


@click.command()
@study_argument
@click.option("--to", "to", type=FOLDER, required=True, metavar="FILE", help="The SQLite file to write, or to go on with.")
@ledger_option
@as_json
def optuna(study: str | None, to: Path, ledger: str, as_json: bool) -> None:
    """Write STUDY as a database of Optuna's, which optuna-dashboard opens. Again, it adds what is new."""
    from nas.records import Ledger
    from nas.trackers import to_optuna

    with Ledger(ledger, create=False) as book:
        told = to_optuna(book, the_study(book, study).name, to)
    _say(told, f"optuna-dashboard {shlex.quote(f'sqlite:///{to}')}", as_json)


@click.command()
@study_argument
@click.option("--to", "to", type=FOLDER, required=True, metavar="DIR", help="The folder to write into.")
@ledger_option
@as_json
def tensorboard(study: str | None, to: Path, ledger: str, as_json: bool) -> None:
    """Write learning curves, figures and choices of STUDY for TensorBoard. Again, it adds what is new."""
    from nas.records import Ledger
    from nas.searching.tensorboard import study_to_tensorboard

    with Ledger(ledger, create=False) as book:
        told = study_to_tensorboard(book, the_study(book, study).name, to)
    _say(told, f"tensorboard --logdir {shlex.quote(str(to))}", as_json)


@click.command()
@study_argument
@click.option("--to", "to", envvar="MLFLOW_TRACKING_URI", required=True, metavar="URI", help="The tracking URI.")
@click.option("--experiment", metavar="NAME", help="The experiment to write into; the benchmark's if not given.")
@ledger_option
@as_json
def mlflow(study: str | None, to: str, experiment: str | None, ledger: str, as_json: bool) -> None:
    """Write STUDY as runs of MLflow: its own, and below it one for each trial. Again, it adds what is new.

    URI is sqlite:///mlflow.db, a server's, or what MLFLOW_TRACKING_URI says.
    """
    from nas.records import Ledger, without_password
    from nas.trackers import to_mlflow

    with Ledger(ledger, create=False) as book:
        told = to_mlflow(book, the_study(book, study).name, to, experiment=experiment)
    _say(told, f"mlflow ui --backend-store-uri {shlex.quote(without_password(to))}", as_json)


def _say(told: "Told", look: str, as_json: bool) -> None:
    """Print what a tracker was told, and how to look at it."""
    if as_json:
        click.echo(json.dumps(vars(told)))
        return
    rest = [f"{told.known:,} were there already"] if told.known else []
    rest += [f"{told.waiting:,} have not ended"] if told.waiting else []
    click.echo(f"Wrote {told.added:,} trial{'s' * (told.added != 1)}" + (f"; {', '.join(rest)}." if rest else "."))
    if told.added or told.known:
        click.echo(f"Look at them:\n  {look}")
