"""The commands. What is heavy is imported where it is used, so that `nas --help` and `nas rank` answer at once."""

import errno
import math
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.audit import audit
from nas.cli.benchmarks import benchmarks
from nas.cli.cluster import SLURM, array, check_array, given_words, submit_array, submitted
from nas.cli.compare import compare
from nas.cli.derive import check_methods, compress, compress_finalists, derive, print_study_steps, show_steps
from nas.cli.diff import diff
from nas.cli.doctor import doctor
from nas.cli.effects import effects
from nas.cli.events import told
from nas.cli.explain import explain
from nas.cli.export import export
from nas.cli.layers import layers
from nas.cli.means import amount, means, measure_option, places, usual_workers
from nas.cli.plot import plot
from nas.cli.printing import FOLDER, Ordered, complain, console
from nas.cli.privacy import privacy
from nas.cli.profile import profile
from nas.cli.rank import rank
from nas.cli.report import report
from nas.cli.reproduce import reproduce
from nas.cli.robustness import robustness
from nas.cli.score import score
from nas.cli.spaces import space_path, spaces
from nas.cli.stopping import INTERRUPTED
from nas.cli.study import ledger_option
from nas.cli.table import table
from nas.cli.trackers import mlflow, optuna, tensorboard
from nas.cli.training import tensorboard_option, train
from nas.cli.trials import trial, trials
from nas.cli.watch import stop, watch
from nas.errors import NasError, Parked
from nas.files import from_here

if TYPE_CHECKING:
    from nas.searching import Event, OnEvent, SearchConfig, Study

PARKED = 75
"""Exit status of a run that its ledger stopped, and that goes on by the same command: EX_TEMPFAIL of sysexits.h."""

NOTHING = 1
"""Exit status of a run without one complete training, so that a script does not take it for a success."""


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""A disk that takes nothing more, be it under standard output."""


class _Group(Ordered):
    """What a user can mend is one line and exit status 2."""

    words: tuple[str, ...] = ()
    """What it was given."""

    def main(self, *args: Any, **options: Any) -> Any:
        given = args[0] if args else options.get("args")
        self.words = tuple(sys.argv[1:] if given is None else given)
        try:
            status = super().main(*args, **{**options, "standalone_mode": False})
        except Parked as error:
            complain(str(error))
            _say_how_to_go_on()
            status = PARKED
        except NasError as error:
            status = complain(str(error))
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else "nas"
            status = complain(f"{error.format_message()} See `{path} --help`.")
        except click.ClickException as error:
            status = complain(error.format_message())
        except (KeyboardInterrupt, click.Abort):
            status = INTERRUPTED
        except OSError as error:
            if error.errno not in _FULL:
                raise
            status = complain(f"Nothing more can be written: {error.strerror}; make room, and give the same command again.")
            with suppress(OSError):  # what standard output still holds would be tried again at the end
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(status if isinstance(status, int) else 0)


@click.group(
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="nas-harness", prog_name="nas")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Search network architectures, measure them, and rank them.

    \b
    nas search residual_cnn --on digits --limit "params <= 50e3"
    nas finals STUDY
    nas report STUDY --out leaderboard.html
    """  # noqa: D301 - click reads the character itself: lines are kept as they are
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


_checkpoint = click.option(
    "--checkpoint",
    type=float,
    metavar="SECONDS",
    help="How often the training under way is written down, to go on within it after a kill; 60 if not given, 0 for never.",
)


main.add_command(spaces)
main.add_command(layers)
main.add_command(profile)
main.add_command(score)


main.add_command(benchmarks)
main.add_command(train)


@main.command()
@click.argument("space", required=False)
@click.option("--on", metavar="BENCHMARK", help="A benchmark, its folder (./NAME), or a table's file: .csv, .csv.gz, .parquet.")
@space_path
@click.option("--config", type=FOLDER, help="A YAML file of these options; what is given here goes before it.")
@click.option("--strategy", metavar="NAME", help="auto (default), tpe, random, or another; the README lists them.")
@click.option(
    "--pruner",
    metavar="NAME",
    help="Stop candidates that fall behind: none (default), median, asha, hyperband; wilcoxon between replicates; pareto with "
    "several objectives, once they can no longer reach the front.",
)
@click.option("--trials", type=int, metavar="N", help="Different architectures to evaluate; 20 if not given.")
@click.option(
    "--confirm",
    type=int,
    metavar="N",
    help="How many of the trials train the best five again from other seeds; with auto and 50 or more a tenth if not given.",
)
@click.option(
    "--begin-with",
    multiple=True,
    metavar="ARCHITECTURE",
    help="Evaluate this one first: its choices as JSON, a file of them, or STUDY:NUMBER; may be repeated.",
)
@click.option("--proposals", type=int, metavar="N", help="Most proposals, infeasible and repeated ones included.")
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="TEXT",
    help='Such as "params <= 50e3" or "latency_ms <= 5"; may be repeated.',
)
@click.option("--objective", "objectives", multiple=True, metavar="FIGURE", help="Steer by this figure instead; may be repeated.")
@click.option("--proxy", "proxies", multiple=True, metavar="NAME", help="A zero-cost score to have as a figure; may be repeated.")
@measure_option
@click.option("--seed", type=int, metavar="N", help="Of the strategy and of the training; 0 if not given.")
@click.option("--replicates", type=int, metavar="N", help="Trainings of each candidate, whose means count; 1 if not given.")
@click.option(
    "--together",
    type=click.Choice(["never", "auto", "always"]),
    help="Train a small network's replicates at once: never (if not given), where three steps say it is faster, or always.",
)
@click.option("--study", metavar="NAME", help="The study's name; the same name goes on with it.")
@amount
@means
@places
@array
@click.option(
    "--synchronous",
    type=int,
    metavar="K",
    help="Propose in rounds of K, so that equal seeds give equal studies however many workers there are.",
)
@_checkpoint
@click.option("--data", type=FOLDER, metavar="DIR", help="The folder that the benchmark's data lie in.")
@click.option("--ledger", metavar="URL", help="Where studies are kept; NAS_LEDGER, or sqlite:///nas.sqlite.")
@tensorboard_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON event a line for scripts.")
def search(
    config: Path | None,
    tensorboard: Path | None,
    as_json: bool,
    tasks: int | None,
    task_minutes: int | None,
    cluster_options: tuple[str, ...],
    **given: Any,
) -> None:
    """Search SPACE (a name, or the path of a YAML file) for the best network on a benchmark.

    On a table of trained architectures nothing is trained, and SPACE may be left out: it is the table's.

    Ctrl-C ends the search with what was found; the same command goes on with it.
    """
    from nas.searching import SearchConfig, Study, run
    from nas.tables import is_table_file

    options = SearchConfig.options_of(config) if config is not None else {}
    options |= {key: value for key, value in given.items() if value is not None and value != ()}
    if "workers" not in options and not is_table_file(options.get("on")):
        options["workers"] = usual_workers()
    on_slurm = options.get("on_cluster") == SLURM
    of_array: dict[str, Any] = {"tasks": tasks, "task_minutes": task_minutes, "cluster_options": cluster_options}
    check_array(on_slurm=on_slurm, **of_array)
    asked = SearchConfig.make(**{**options, "on_cluster": None} if on_slurm else options)
    name = asked.study_name
    if on_slurm:
        submit_array(given_words(), asked, ledger=asked.ledger, study=name, as_json=as_json, **of_array)
        return
    next_steps = [*_finals_step(asked), f"nas report {name} --out leaderboard.html"]
    with _board(tensorboard) as board, _closing(Study(name, asked.ledger), as_json, next_steps) as tell:

        def on_event(event: "Event") -> None:
            tell(event)
            board(event)

        run(asked, on_event=on_event)


def _finals_step(asked: "SearchConfig") -> list[str]:
    """The command for finals; none on a table whose trainings the search reads itself, as those that confirm its best."""
    from nas.datasets import FolderBenchmark, is_at_hand
    from nas.searching.confirming import TOP
    from nas.tables import TableBenchmark

    if isinstance(asked.on, FolderBenchmark) and not is_at_hand(asked.on):
        return [f"nas finals {asked.study_name} --data {shlex.quote(str(from_here(asked.on.home)))}"]
    if not isinstance(asked.on, TableBenchmark):
        data = "" if asked.data is None else f" --data {shlex.quote(str(asked.data))}"
        return [f"nas finals {asked.study_name}{data}"]
    left = asked.on.evaluator().trainings - 1 - math.ceil(asked.confirmations / TOP)
    if left < 1:
        return []
    folder = asked.on.table.folder
    seeds = " --seeds 1" if left < 2 else ""
    return [f"nas finals {asked.study_name}{seeds}" + (f" --data {shlex.quote(folder)}" if folder != "." else "")]


@main.command()
@click.argument("study")
@click.option("--top", type=int, default=3, show_default=True, metavar="N", help="How many architectures.")
@click.option(
    "--seeds",
    type=int,
    metavar="N",
    help="Trainings of each in the mean, 2 if not given: two for all, others for those hardest to tell from the first.",
)
@click.option("--trainings", type=int, metavar="N", help="Trainings of all together, in place of --seeds.")
@click.option("--even", is_flag=True, help="Train all with equally many seeds.")
@click.option(
    "--confident",
    type=float,
    metavar="P",
    help="Train no more once the first is the first with this probability, such as 0.95; all if not given.",
)
@measure_option
@click.option(
    "--compress",
    "methods",
    multiple=True,
    metavar="METHOD",
    help="Then make smaller ones of the finalists, as `nas compress --how METHOD` does; may be repeated.",
)
@means
@places
@array
@_checkpoint
@click.option("--data", type=FOLDER, metavar="DIR", help="The folder that the benchmark's data lie in.")
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON event a line for scripts.")
def finals(
    study: str,
    as_json: bool,
    tasks: int | None,
    task_minutes: int | None,
    cluster_options: tuple[str, ...],
    methods: tuple[str, ...],
    **options: Any,
) -> None:
    """Train the best of STUDY again from scratch, longer and with new seeds, and read the test data.

    Which seeds are trained follows from validation data alone; the same command goes on with them, on several machines too.
    """
    from nas.searching import Study, finals

    options = {key: value for key, value in options.items() if value is not None and value != ()}
    if "workers" not in options and "table" not in Study(study, options["ledger"]).entry.definition["benchmark"]:
        options["workers"] = usual_workers()
    if methods:
        check_methods(methods)
    of_array: dict[str, Any] = {"tasks": tasks, "task_minutes": task_minutes, "cluster_options": cluster_options}
    if submitted(study, options, as_json=as_json, **of_array):
        return
    with _closing(Study(study, options["ledger"]), as_json, [f"nas report {study} --out leaderboard.html"]) as on_event:
        if "measures" in options and not as_json:
            options["on_asked"] = lambda trial, done, of: click.echo(f"Asking how {trial.title} holds, {done + 1} of {of}.")
        finals(study, on_event=on_event, **options)
        if methods:
            compress_finalists(study, methods, on_event=on_event, **options)
    if methods and not as_json:
        print_study_steps(study, options["ledger"])


main.add_command(compress)
main.add_command(derive)
main.add_command(show_steps)
main.add_command(robustness)
main.add_command(audit)
main.add_command(watch)
main.add_command(stop)
main.add_command(trials)
main.add_command(trial)
main.add_command(reproduce)
main.add_command(rank)


main.add_command(effects)
main.add_command(report)
main.add_command(explain)
main.add_command(privacy)
main.add_command(export)
main.add_command(table)
main.add_command(plot)
main.add_command(optuna)
main.add_command(tensorboard)
main.add_command(mlflow)
main.add_command(diff)
main.add_command(compare)
main.add_command(doctor)


@contextmanager
def _board(folder: Path | None) -> Iterator["OnEvent"]:
    """Where events go that TensorBoard shall show."""
    from nas.searching import following, to_tensorboard

    if folder is None or following():
        yield lambda _: None
    else:
        with to_tensorboard(folder) as board:
            yield board


@contextmanager
def _closing(study: "Study", as_json: bool, next_steps: list[str]) -> Iterator["OnEvent"]:
    """Where a run's events go; after it, interrupted or not, the leaderboard and what to do next are printed."""
    from nas.searching import following

    interrupted = False
    ended: Event | None = None

    with told(as_json) as on_event:

        def listen(event: "Event") -> None:
            nonlocal ended
            ended = event if type(event).__name__ == "RunEnded" else ended
            on_event(event)

        try:
            yield listen
        except KeyboardInterrupt:
            interrupted = True
    if ended and not as_json:
        print_close(study, next_steps)
    if interrupted:
        if not following():
            _say_how_to_go_on()
        raise click.exceptions.Exit(INTERRUPTED)
    if ended and not ended.progress.complete:  # type: ignore[union-attr]  # a run that has ended
        raise click.exceptions.Exit(NOTHING)


def _words() -> tuple[str, ...]:
    """What `nas` was given."""
    assert isinstance(main, _Group)  # noqa: S101 - see above
    return main.words


def _say_how_to_go_on() -> None:
    """Print the command that this process was given; no password is in it."""
    click.echo(f"Go on with:\n  {shlex.join(['nas', *_words()])}", err=True)


def print_close(study: "Study", next_steps: list[str]) -> None:
    """Print where a study stands, and what may come next, as commands that find its ledger."""
    from nas.records import DEFAULT_URL, shown_url
    from nas.reports.tables import print_tables

    tables = study.tables
    where = "" if study.ledger == DEFAULT_URL else f" --ledger {shlex.quote(shown_url(study.ledger))}"
    print_tables(tables, console(), top=10, command=f"nas rank {study.name}{where}")
    if tables:
        click.echo("Next:" + "".join(f"\n  {step}{where}" for step in next_steps))
