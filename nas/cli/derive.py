"""`nas compress` and `nas derive`: trials made of finalists, measured beside them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.events import told
from nas.cli.means import means, places, usual_workers
from nas.cli.printing import FOLDER, console, print_list
from nas.cli.printing import as_json as as_json_option
from nas.cli.stopping import INTERRUPTED
from nas.cli.study import ledger_option, study_argument, the_study, with_ledger
from nas.errors import SearchError, quote

if TYPE_CHECKING:
    from collections.abc import Callable

NOTHING = 1
"""Exit status where not one child is complete."""


def _options(command: "Callable[..., Any]") -> "Callable[..., Any]":
    """What both commands take."""
    decorators: list[Callable[[Callable[..., Any]], Callable[..., Any]]] = [
        click.argument("trial", required=False),
        click.option("--how", "methods", multiple=True, metavar="METHOD", help="By what; may be repeated. --list names them."),
        click.option(
            "--set", "settings", multiple=True, metavar="OPTION=VALUE", help="An option of the method; may be repeated."
        ),
        click.option(
            "--teacher", "teachers", multiple=True, metavar="TRIAL", help="A finalist to learn from too; may be repeated."
        ),
        click.option("--seeds", type=int, metavar="N", help="Children of the first N trainings alone; of all if not given."),
        click.option("--list", "listing", is_flag=True, help="List the methods and their options, and make nothing."),
        means,
        places,
        click.option(
            "--checkpoint",
            type=float,
            metavar="SECONDS",
            help="How often a training under way is written down; 60 if not given, 0 for never.",
        ),
        click.option("--data", type=FOLDER, metavar="DIR", help="The folder that the benchmark's data lie in."),
        ledger_option,
        click.option("--json", "as_json", is_flag=True, help="Print one JSON event a line for scripts, the steps last."),
    ]
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


@click.command()
@_options
def compress(**given: Any) -> None:
    """Make finalists smaller or faster: quantise, prune, or teach a smaller one. TRIAL is STUDY (its winner) or STUDY:ID.

    \b
    nas compress STUDY --how int8-weights --how magnitude
    nas compress STUDY:0fa3c8d2b1e45f60 --how structured --set share=0.5
    nas compress --list

    Each training of the finalist has a child of its seed, which is a trial of its own, measured as its parent was and beside it.
    The same command goes on after a kill. A method that brings nothing on this device says so in its row.
    """  # noqa: D301 - click reads the character itself: lines are kept as they are
    _run(family="compression", **given)


@click.command()
@_options
@click.option("--recipe", multiple=True, metavar="OPTION=VALUE", help="For --how retrain: an option of training; repeatable.")
def derive(recipe: tuple[str, ...], **given: Any) -> None:
    """Make trials of finalists by any method, such as training them again by another recipe. TRIAL is STUDY or STUDY:ID.

    \b
    nas derive STUDY --how retrain --recipe mixup=0.2
    nas derive --list
    """  # noqa: D301 - see above
    _run(family=None, recipe=recipe, **given)


@click.command("steps")
@study_argument
@as_json_option
@ledger_option
def show_steps(study: str | None, as_json: bool, ledger: str) -> None:
    """Print the finalists of STUDY and what was made of them side by side: what each step costs, and what it brings.

    Score, size and latency of each, with intervals over seeds and differences to its parent; then memory, how it holds against
    attacks and corruptions, and what it gives away of its training data, as far as that was measured.
    """
    from nas.records import Ledger

    with Ledger(ledger, create=False) as book:
        name = the_study(book, study).name
        again = with_ledger(f"nas compress {name}", book)
    if not print_study_steps(name, ledger, as_json=as_json) and not as_json:
        click.echo(f"Nothing is made of finalists of {name} yet; `{again}` and `nas derive` make smaller ones and others.")


def _run(
    *,
    family: str | None,
    trial: str | None,
    methods: tuple[str, ...],
    settings: tuple[str, ...],
    listing: bool,
    as_json: bool,
    ledger: str,
    data: Path | None,
    recipe: tuple[str, ...] = (),
    **given: Any,
) -> None:
    if listing:
        _list(family, as_json=as_json)
        return
    if trial is None or not methods:
        raise SearchError(f"Name a {'finalist' if trial is None else 'method with --how'}; `--list` names the methods.")
    options = _pairs(settings, "--set") | ({"changes": _pairs(recipe, "--recipe")} if recipe else {})
    from nas.records import Ledger
    from nas.searching import derive as make

    if family is not None:
        check_methods(methods)
    chosen = {name: value for name, value in given.items() if value not in (None, ())}
    chosen.setdefault("workers", usual_workers())
    interrupted = False
    with told(as_json) as on_event:
        try:
            make(trial, methods, options=options, ledger=ledger, data=data, on_event=on_event, **chosen)
        except KeyboardInterrupt:
            interrupted = True
    study = trial.partition(":")[0]
    complete = print_study_steps(study, ledger, as_json=as_json)
    if interrupted:
        with Ledger(ledger, create=False) as book:
            again = with_ledger(f"nas rank {study}", book)
        click.echo(f"Go on with the same command; `{again}` tells so far.", err=True)
        raise click.exceptions.Exit(INTERRUPTED)
    if not complete:
        raise click.exceptions.Exit(NOTHING)


def check_methods(names: tuple[str, ...]) -> None:
    """Refuse methods that do not compress.

    Raises:
        NasError: names one.
    """
    from nas.searching import methods as known

    for name, kind in known(names).items():
        if kind.family != "compression":
            raise SearchError(f"{name} is no compression; `nas derive TRIAL --how {name}` does it.")


def compress_finalists(study: str, methods: tuple[str, ...], *, top: int, ledger: str, **options: Any) -> None:
    """Make children of the `top` finalists by these methods; `options` are those that the finals had."""
    from nas.searching import Study
    from nas.searching import derive as make

    table = next((table for table in Study(study, ledger).tables if table.stage == "final"), None)
    known = {"device", "threads", "precision", "compile", "loading", "workers", "checkpoint", "data", "on_event"}
    names = [f"{study}:{row.architecture.id}" for row in (table.rows if table else ())[:top]]
    if names:
        make(names, methods, ledger=ledger, **{name: value for name, value in options.items() if name in known})


def _pairs(texts: tuple[str, ...], option: str) -> dict[str, Any]:
    """Option → value of texts such as "share=0.5"."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise SearchError(f"{option} is OPTION=VALUE, such as share=0.5, got {quote(text)}.")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _list(family: str | None, *, as_json: bool) -> None:
    from nas import registry
    from nas.searching import methods

    names = [name for name, kind in methods().items() if family is None or kind.family == family]

    def describe(name: str) -> dict[str, Any]:
        kind = methods([name])[name]
        options = {key: field.default if not field.is_required() else "required" for key, field in kind.model_fields.items()}
        told = ", ".join(f"{key}={json.dumps(value)}" if value != "required" else key for key, value in options.items())
        row = {"method": name, "does": kind.summary, "options": options if as_json else told}
        return row if as_json or family else {**row, "of": registry.title(registry.DERIVATIONS, name).rpartition(" of ")[2]}

    print_list(names, describe, json_too=as_json)


def print_study_steps(study: str, ledger: str, *, as_json: bool = False) -> int:
    """Print the study's steps; returns how many children are complete."""
    from nas.benchmark import Objective
    from nas.ranking.steps import steps
    from nas.records import Ledger
    from nas.reports.steps import print_steps, steps_data

    with Ledger(ledger, create=False) as book:
        entry = book.study(study)
        found = steps(entry, book.trials(entry))
    if as_json:
        click.echo(json.dumps({"event": "steps", "study": study, "steps": steps_data(found)}))
    else:
        print_steps(found, [Objective(**one) for one in entry.definition["objectives"]], console())
    return sum(len(step.trials) for step in found if step.parent is not None)
