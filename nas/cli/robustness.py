"""`nas robustness`: how finalists hold against attacks and corruptions, and whether their confidence can be believed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nas.cli.printing import FOLDER, as_json, show, status
from nas.cli.stopping import stoppable
from nas.cli.study import ledger_option
from nas.errors import SearchError, quote

if TYPE_CHECKING:
    from nas.records import Trial
    from nas.searching import Asked


@click.command()
@click.argument("named", metavar="STUDY|TRIAL")
@click.option(
    "--attack", "attacks", multiple=True, type=click.Choice(["pgd", "fgsm"]), help="pgd if --eps alone is given; may be repeated."
)
@click.option("--norm", "norms", multiple=True, type=click.Choice(["linf", "l2"]), help="linf if not given; may be repeated.")
@click.option("--eps", metavar="E,E", help="How far raw inputs may be moved, such as 0,1/255,2/255,0.1.")
@click.option("--steps", type=int, metavar="N", help="Of PGD; 20 if not given.")
@click.option("--restarts", type=int, metavar="N", help="Random starts of PGD, of which the worst counts; 1 if not given.")
@click.option("--corruptions", is_flag=True, help="Every natural corruption of this kind of input by itself, severities 1 to 5.")
@click.option("--calibration", is_flag=True, help="Expected calibration error, with its interval and the reliability diagram.")
@click.option("--groups", is_flag=True, help="Accuracy on each group of examples, such as a speaker's.")
@click.option(
    "--measure",
    "measures",
    multiple=True,
    metavar="NAME",
    help="By its name, such as pgd-l2-0.5-50x5 or noise-3; may be repeated.",
)
@click.option("--split", type=click.Choice(["test", "validation"]), default="test", show_default=True, help="The data to ask on.")
@click.option(
    "--top", type=click.IntRange(min=1), metavar="N", help="How many architectures of a study; all finalists if not given."
)
@click.option(
    "--no-record", is_flag=True, help="Leave the ledger as it is; else figures join the Records, and are not measured twice."
)
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:N or mps; chosen by itself if not given.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Threads on the CPU.")
@click.option("--data", type=FOLDER, metavar="DIR", help="The folder that the benchmark's data lie in.")
@ledger_option
@as_json
def robustness(
    named: str,
    attacks: tuple[str, ...],
    norms: tuple[str, ...],
    eps: str | None,
    steps: int | None,
    restarts: int | None,
    corruptions: bool,
    calibration: bool,
    groups: bool,
    measures: tuple[str, ...],
    split: str,
    top: int | None,
    no_record: bool,
    device: str | None,
    threads: int,
    data: Path | None,
    ledger: str,
    as_json: bool,
) -> None:
    """Attack and corrupt what the finalists of STUDY, or the trainings of TRIAL, are asked about, and tell how they hold.

    \b
    nas robustness digits
    nas robustness digits --attack pgd --norm linf --norm l2 --eps 0,2/255,8/255
    nas robustness digits:97a364b4dc7475a2 --corruptions --calibration

    TRIAL is STUDY:NUMBER or STUDY:ID. Asked are networks whose weights finals kept, nothing is trained. ε is of the raw input,
    such as brightness from 0 to 1. Figures join the ledger, where `nas rank` and `nas report` find them.
    """  # noqa: D301 - click reads the character itself: lines are kept as they are
    from nas.searching import ask

    names = [*_attacks(attacks, norms, eps, steps, restarts), *measures]
    names += ["corruptions"] if corruptions else []
    names += ["ece"] if calibration else []
    names += ["worst-group"] if groups else []
    with stoppable(), status() as say:

        def on_asked(trial: "Trial", done: int, of: int) -> None:
            say(f"{done} of {of} asked; {trial.title}")

        given = {"split": split, "top": top, "ledger": ledger, "data": data, "device": device, "threads": threads}
        found = ask(named, names, each=corruptions, keep=not no_record, on_asked=on_asked, **given)  # type: ignore[arg-type]  # as declared above
    if as_json:
        click.echo(json.dumps(found.to_data(), indent=1))
        return
    _print(found)


def _attacks(
    attacks: tuple[str, ...], norms: tuple[str, ...], eps: str | None, steps: int | None, restarts: int | None
) -> list[str]:
    """The names of the attacks that these options mean.

    Raises:
        SearchError: they ask for an attack of no size, or for one that cannot be.
    """
    from nas.measures import Attack

    if eps is None:
        if attacks or norms or steps is not None or restarts is not None:
            raise SearchError("An attack has a size; give --eps, such as --eps 0,1/255,2/255.")
        return []
    sizes = [one.strip() for one in eps.split(",")]
    named = []
    for method in attacks or ("pgd",):
        if method == "fgsm" and "pgd" not in attacks and (steps is not None or restarts is not None):
            raise SearchError("FGSM takes one step from where the input is; name pgd for --steps and --restarts.")
        for norm in norms or ("linf",):
            for size in sizes:
                if not size.replace(".", "", 1).replace("/", "", 1).isdigit() or size.startswith("/") or size.endswith("/"):
                    raise SearchError(
                        f"--eps are numbers of at least 0 with commas between, such as 0,1/255,0.1, got {quote(eps)}."
                    )
                more = {"steps": steps, "restarts": restarts or 1} if method == "pgd" else {}
                named.append(Attack.of(method, norm, size, **more).name)  # type: ignore[arg-type]  # click has looked
    return named


def _print(found: "Asked") -> None:
    from nas.errors import printable
    from nas.reports.robustness import DEVIATION, answers_grid, grouped, groups_grid, reliability_grid

    benchmark = found.benchmark
    distances = [f"distances in {found.unit}"] if set(benchmark.signature.kinds) - {"tokens"} else []
    click.echo(printable(" · ".join([f"{benchmark.name} v{benchmark.version}", f"{found.split} data", *distances])))
    show(answers_grid(found.answers, found.split, found.measures))
    if any(len(some) > 1 for some in grouped(found.answers).values()):
        click.echo(DEVIATION)
    if any(one.groups for one in found.answers):
        click.echo()
        show(groups_grid(found.answers))
    alone = found.answers[0] if len(grouped(found.answers)) == 1 else None
    if alone is not None and alone.calibration is not None:
        record = alone.trial.record
        click.echo(f"\nReliability, of seed {record.seed if record else 0}:")
        show(reliability_grid(alone))
    for line in found.without:
        click.echo(printable(line))
