"""`nas train`: one architecture, trained by itself."""

import json
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.means import amount, means, measure_option
from nas.cli.printing import FOLDER, complain, console, print_grid, status
from nas.cli.spaces import space_path
from nas.cli.stopping import stoppable

if TYPE_CHECKING:
    from nas.searching import Event, OnEvent, Trained
    from nas.training import Loop

DEAR = 10
"""Operators of a trace that are printed."""

FAILED = 1
"""Exit status of a training that is not complete."""

tensorboard_option = click.option(
    "--tensorboard", type=FOLDER, metavar="DIR", help="Write learning curves and figures into DIR, for TensorBoard."
)


@click.command()
@click.argument("space")
@click.argument("architecture", required=False)
@click.option("--on", required=True, metavar="BENCHMARK", help="What to train it on.")
@click.option("--random", "random_seed", type=int, metavar="SEED", help="Draw the architecture at random from SEED.")
@click.option("--seed", type=int, metavar="N", help="Of the weights and of the training; 0 if not given.")
@click.option("--test", is_flag=True, help="Read the test data too, once the network is trained.")
@click.option("--out", type=FOLDER, metavar="DIR", help="Write weights.safetensors and record.json into DIR.")
@click.option("--trace", type=FOLDER, metavar="FILE", help="Write a profiler's trace of some steps, for chrome://tracing.")
@tensorboard_option
@measure_option
@amount
@means
@space_path
@click.option("--data", type=FOLDER, metavar="DIR", help="The folder that the benchmark's data lie in.")
@click.option("--ledger", metavar="URL", help="Where STUDY is looked for; NAS_LEDGER, or sqlite:///nas.sqlite.")
@click.option("--json", "as_json", is_flag=True, help="Print the architecture and its whole record as JSON.")
def train(tensorboard: Path | None, as_json: bool, **given: Any) -> None:
    """Train one ARCHITECTURE of SPACE (a name, or the path of a YAML file), and print its figures.

    ARCHITECTURE is its choices as JSON, a file of them (such as record.json), or STUDY:NUMBER or STUDY:ID, a trial of a study.
    Without it, the first architecture is trained: the first value of every choice.

    Exit status 1 where the training fails.
    """
    from nas.searching import following, to_tensorboard, train_one

    options = {key: value for key, value in given.items() if value is not None and value != ()}
    with ExitStack() as stack:
        stack.enter_context(stoppable())
        listeners: list[OnEvent] = []
        if tensorboard is not None and not following():
            listeners.append(stack.enter_context(to_tensorboard(tensorboard)))
        watcher = stack.enter_context(watched(quiet=as_json))

        def on_event(event: "Event") -> None:
            watcher(event)
            for listen in listeners:
                listen(event)

        trained = train_one(on_event=on_event, on_step=watcher.step, **options)
    if trained is not None:
        _print(trained, given["out"], given["trace"], as_json=as_json)


@contextmanager
def watched(*, quiet: bool) -> Iterator["Watcher"]:
    """What prints a line an epoch, unless it is to be `quiet`, and on a terminal says how far the training is."""
    if quiet:
        with status() as say:
            yield Watcher(say, lambda _: None)
    elif sys.stdout.isatty():
        from rich.text import Text

        screen = console()
        with screen.status("") as live:  # one console for both, so that neither is written into the other
            yield Watcher(lambda words: live.update(Text(words)), lambda line: screen.print(Text(line)))
    else:
        yield Watcher(lambda _: None, click.echo)


class Watcher:
    """Listens to one training."""

    def __init__(self, say: Callable[[str], None], tell: Callable[[str], None]) -> None:
        """`say` shows what is so for now, `tell` prints what stays."""
        self.say = say
        self.tell = tell
        self.begun = time.monotonic()
        self.first = 0
        """The first step that was seen of the training under way."""
        self.under_way: Callable[[], Loop | None] = lambda: None
        self.left = ""

    def step(self, loop: "Loop") -> None:
        """Tell how far it is, and by the time of the steps so far how much is left."""
        from nas.reports.trials import duration

        if self.under_way() is not loop:  # a candidate may be trained in stages
            self.under_way, self.first, self.begun = weakref.ref(loop), loop.at.step, time.monotonic()
            return
        each = (time.monotonic() - self.begun) / (loop.at.step - self.first)
        self.left = f"{duration(each * (loop.steps - loop.at.step))} left"
        self.say(f"step {loop.at.step:,} of {loop.steps:,}, {self.left}")

    def __call__(self, event: "Event") -> None:
        """Tell what it means."""
        from nas.searching import EpochEnded, RunBegun

        if isinstance(event, RunBegun):
            self.tell(event.headline)
        elif isinstance(event, EpochEnded):
            point = event.epoch
            told = "  ".join(f"{name} {value:.4f}" for name, value in point.told.items())
            self.tell(f"epoch {point.epoch:>3} of {event.epochs}  {told}  {point.seconds:.1f} s  {self.left}".rstrip())


def _print(trained: "Trained", out: Path | None, trace: Path | None, *, as_json: bool) -> None:
    record = trained.record
    operators = [vars(operator) for operator in trained.operators]
    if as_json:
        click.echo(json.dumps({**trained.to_data(), "operators": operators}, indent=1))
    else:
        from nas.records import FIGURES

        units = {name: kind.unit for name, kind in FIGURES.items()}
        figures = record.figures.items()
        console().print(json.dumps(dict(trained.architecture.choices)), markup=False, highlight=False, soft_wrap=True)
        print_grid([{"figure": name, "value": f"{value:,.6g}", "unit": units.get(name, "")} for name, value in figures])
        for note in record.notes:
            click.echo(note)
        if operators:
            click.echo("\nThe dearest operators of the steps that were traced:")
            print_grid(
                [
                    {**row, "milliseconds": f"{row['milliseconds']:.3f}", "share": f"{row['share']:.1%}"}
                    for row in operators[:DEAR]
                ]
            )
        if trace is not None and operators:
            click.echo(f"Wrote {trace}; chrome://tracing and ui.perfetto.dev show it.")
        if out is not None:
            click.echo(f"Wrote {out / 'record.json'}" + (f" and {out / 'weights.safetensors'}." if trained.model else "."))
    if record.error is not None:
        complain(f"The training failed: {record.error.kind}: {record.error.message}")
        raise click.exceptions.Exit(FAILED)
