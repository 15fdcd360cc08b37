"""`nas explain`: what a finalist's answers rest on."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.printing import FOLDER, print_grid, status
from nas.cli.printing import as_json as json_option
from nas.cli.study import ledger_option
from nas.errors import ExplainError

if TYPE_CHECKING:
    from nas.reports.explanations import Explanation


@click.command()
@click.argument("trial")
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="NAME",
    help="integrated-gradients (if not given), occlusion, activations, or an explainer of a plugin; may be repeated.",
)
@click.option("--examples", type=int, default=8, show_default=True, metavar="N", help="Of validation, evenly spread over it.")
@click.option("--to", type=FOLDER, metavar="PATH", help="Write a page (NAME.html), or a folder with page, pictures and JSON.")
@click.option(
    "--weights", type=FOLDER, metavar="FILE", help="Weights to explain, such as weights.safetensors of `nas train --out`."
)
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:N or mps; chosen by itself if not given.")
@click.option("--data", type=FOLDER, metavar="DIR", help="The folder that the benchmark's data lie in.")
@json_option
@ledger_option
def explain(trial: str, methods: tuple[str, ...], to: Path | None, as_json: bool, **given: Any) -> None:
    """Show what a finalist's answers rest on, and whether that hangs on what it has learned.

    \b
    nas explain STUDY                        the winner, whose weights finals kept
    nas explain STUDY:0fa3c8d2b1e45f60       an architecture by its id
    nas explain STUDY --method occlusion --to why.html

    Explanations are held against those of the same network with weights drawn anew: an explainer that says the same of both tells
    of the inputs and not of the network. They are kept beside the ledger, and `nas report` shows them.
    """  # noqa: D301 - click reads the character itself: lines are kept as they are
    from nas.searching import explain as explain_trial
    from nas.searching.explaining import METHOD

    if to is not None and to.suffix != ".html":
        from nas.files import vacant

        vacant(to)  # before anything is explained
    with status() as say:
        say("Explaining …")
        found = explain_trial(trial, methods=methods or (METHOD,), **given)
    if to is not None:
        _write(found, trial, methods, given, to)
    if as_json:
        click.echo(json.dumps([_data(one) for one in found], indent=1, allow_nan=False))
        return
    for one in found:
        _print(one)
    if to is not None:
        click.echo(f"Wrote {to}.")


def _data(explanation: "Explanation") -> dict[str, Any]:
    """Plain data, without pictures."""
    data = explanation.to_data()
    for example in data["examples"]:
        view = example["view"]
        del view["given"], view["over"]
    return {**data, "sentence": explanation.sentence}


def _print(explanation: "Explanation") -> None:
    click.echo(f"{explanation.title} · {explanation.split} of {explanation.benchmark} · {explanation.tells}")
    print_grid(
        [
            {
                "example": example.number,
                "answer": example.answer + (f" ({100 * example.share:.0f} %)" if example.share is not None else ""),
                "wanted": example.wanted,
                "output": f"{example.output:.2f}",
                "of nothing": f"{example.baseline:.2f}",
                "sum": f"{example.total:.2f}" if example.error is not None else "–",
                "completeness error": f"{example.error:.2g}" if example.error is not None else "–",
                "drawn anew": f"{alike:.2f}",
                "rests on": example.view.told,
            }
            for example, alike in zip(explanation.examples, explanation.check.each, strict=True)
        ]
    )
    click.echo(explanation.sentence)


def _write(found: "tuple[Explanation, ...]", trial: str, methods: tuple[str, ...], given: dict[str, Any], to: Path) -> None:
    """The page, or a folder of all."""
    from nas.reports.explanations import write_explanations, write_parts

    line = ["nas", "explain", trial, *(word for method in methods for word in ("--method", method))]
    line += ["--examples", str(given["examples"]), "--to", to.name]
    headline, command = f"Why {trial} answers as it does", shlex.join(line)
    if to.suffix == ".html":
        write_explanations(found, headline, command, to)
        return
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExplainError(f"{to} cannot be written to: {error.strerror}.") from error
    write_parts(found, to)
    write_explanations(found, headline, command, to / "index.html")
