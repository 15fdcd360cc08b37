"""`nas export`: a trial as a folder to take home."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.printing import FOLDER, print_grid
from nas.cli.printing import as_json as json_option
from nas.cli.stopping import stoppable
from nas.cli.study import ledger_option
from nas.cli.training import watched

if TYPE_CHECKING:
    from nas.exporting import HandedOver


@click.command()
@click.argument("trial")
@click.option(
    "--to", type=FOLDER, required=True, metavar="DIR", help="The folder to write; it must not be there yet, or be empty."
)
@click.option(
    "--formats",
    metavar="NAMES",
    help="Some of source, program and onnx, with commas between them; if not given, all that can be are written.",
)
@click.option("--untrained", is_flag=True, help="Write the architecture alone, its weights drawn at random.")
@click.option(
    "--weights", type=FOLDER, metavar="FILE", help="Weights to write, such as weights.safetensors of `nas train --out`."
)
@click.option("--device", metavar="NAME", help="Where it is trained again, if it must be; the trial's own if not given.")
@click.option("--data", type=FOLDER, metavar="DIR", help="The folder that the benchmark's data lie in.")
@json_option
@ledger_option
def export(trial: str, to: Path, formats: str | None, as_json: bool, **given: Any) -> None:
    """Write a network as a folder that needs torch alone: source, weights, torch.export program, ONNX graph and model card.

    \b
    nas export STUDY --to winner             the winner: the best finalist, or without finals the best of the search
    nas export STUDY:17 --to trial17         trial 17 of the search
    nas export STUDY:0fa3c8d2 --to …         an architecture by the beginning of its id: its longest training
    nas export STUDY:id:31 --to small        what was made of a finalist, by its id in the ledger

    Weights that finals kept are taken; else the trial is trained again from its record, which says whether the same comes out.
    Each form's outputs are compared with the network's before anything is there.
    """  # noqa: D301 - click reads the character itself: lines are kept as they are
    from nas.searching import export as write

    named = None if formats is None else [name.strip() for name in formats.split(",")]
    with stoppable(), watched(quiet=as_json) as watcher:
        done = write(trial, to, formats=named, on_event=watcher, on_step=watcher.step, say=watcher.say, **given)
    if as_json:
        click.echo(json.dumps(_data(done), indent=1))
    else:
        _print(done)


def _data(done: "HandedOver") -> dict[str, Any]:
    from nas.exporting import figures_data

    return {"folder": done.folder.resolve().name, "files": list(done.files), **figures_data(done.origin, done.forms)}


def _print(done: "HandedOver") -> None:
    click.echo(f"{done.origin.title}. {done.origin.weights}")
    print_grid(
        [
            {
                "file": one.file,
                "largest difference": f"{one.difference:.1e}" if one.difference else "0",
                "latency ms": f"{one.latency.median_ms:.3f} ({one.latency.low_ms:.3f} to {one.latency.high_ms:.3f})",
            }
            for one in done.forms.written
        ]
    )
    for reason in done.forms.left_out.values():
        click.echo(f"Left out: {reason}")
    if done.forms.latency.disturbed:
        click.echo(f"≈ {done.forms.latency.disturbed}")
    click.echo(f"Wrote {done.folder}: {', '.join(done.files)}.")
