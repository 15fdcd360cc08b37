"""`nas benchmarks`: list and check benchmarks, and make one of one's own data."""

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.printing import FOLDER, Ordered, as_json, print_list, print_rules, status
from nas.errors import BenchmarkError

if TYPE_CHECKING:
    from nas.datasets.making import Made

FIRST = {
    "image": "residual_cnn",
    "waveform": "audio_cnn",
    "tokens": "hybrid_sequence",
    "features": "tabular_mlp",
    "query": "knowledge_graph",
}
"""What a benchmark feeds → the space to begin with, where it is installed."""


@click.group(cls=Ordered, invoke_without_command=True)
@as_json
@click.pass_context
def benchmarks(ctx: click.Context, as_json: bool) -> None:
    """List the benchmarks that are found; check one, or make one of your own data."""
    if ctx.invoked_subcommand is not None:
        return
    from nas.datasets import find_benchmark, known_benchmarks

    def describe(name: str) -> dict[str, Any]:
        benchmark = find_benchmark(name)
        shape = str(benchmark.signature.input)
        floor = ", ".join(f"{figure} {value:g}" for figure, value in benchmark.floor.items())
        return {
            "name": name,
            "version": benchmark.version,
            "input": shape,
            "floor": f"{floor} ({benchmark.floor_by})" if floor else "",
            "summary": benchmark.summary,
        }

    print_list(known_benchmarks(), describe, json_too=as_json)


def _size(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """Height and width of WIDTHxHEIGHT, or of one side."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,4})(?:[x×](\d{1,4}))?", value.strip().lower())
    sides = (int(match[2] or match[1]), int(match[1])) if match else (0, 0)
    if not all(1 <= side <= 1_024 for side in sides):
        raise BenchmarkError(f"A size is WIDTHxHEIGHT of 1 to 1024 pixels, such as 32 or 64x48, got {value!r}.")
    return sides


@benchmarks.command()
@click.argument("name")
@click.option(
    "--from",
    "place",
    type=FOLDER,
    required=True,
    metavar="FOLDER",
    help="The data: a folder, or the file of a table or of triples. They stay where they are.",
)
@click.option("--kind", metavar="KIND", help="images, audio, text, table, triples or pairs; found by itself if not given.")
@click.option("--to", type=FOLDER, default=Path(), metavar="DIR", help="Where to write the folder NAME; here, if not given.")
@click.option("--size", callback=_size, metavar="WxH", help="Of pictures: 32 or 64x48 pixels; up to 64 a side if not given.")
@click.option("--grey/--colour", default=None, help="Pictures in one channel or three; as they are if not given.")
@click.option("--rate", type=click.IntRange(1_000, 192_000), metavar="HZ", help="Of sounds: samples a second.")
@click.option("--seconds", type=click.FloatRange(0.01, 600), metavar="S", help="Of sounds: how long each is.")
@click.option("--text", metavar="COLUMN", help="Of texts, captions and sources: the column that holds them.")
@click.option("--target", metavar="COLUMN", help="Of texts, tables and pairs: the column that is to be told.")
@click.option(
    "--length",
    type=click.IntRange(1, 100_000),
    metavar="N",
    help="Of texts and captions: how many words of each are read; of pairs of texts, characters.",
)
@click.option("--without", multiple=True, metavar="COLUMN", help="Of tables: leave this column out; may be repeated.")
@click.option(
    "--skip-unreadable", "skip", is_flag=True, help="Leave out what cannot be read, links that lead out, and incomplete rows."
)
@click.option("--licence", metavar="TEXT", help="Of the data; reports and model cards tell it.")
@click.option("--replace", is_flag=True, help="Where there is a benchmark NAME already, make its next version.")
@as_json
def new(name: str, place: Path, to: Path, grey: bool | None, replace: bool, as_json: bool, **given: Any) -> None:
    """Write a benchmark NAME of your own data, which runs at once: `--on ./NAME`.

    \b
    pictures   FOLDER/CLASS/*.png, .jpg, …     one size, in grey or colours
    sounds     FOLDER/CLASS/*.wav              one rate and length
    texts      a CSV or JSONL of text, label   words of a vocabulary
    tables     a CSV of numbers and a target   classes, or a number to be told
    triples    a TSV of head, relation, tail   which entity is at the other end
    pairs      a CSV or JSONL of two texts     the one written of the other: translation
               or of pictures' files and       each finds the other: retrieval
               their captions

    Splits that are there (train, validation and test: folders, or files of a table) are kept; what is missing is drawn,
    stratified, with a fixed seed. What was found is said, a linear model is fitted for comparison, and digests are kept of all.
    """  # noqa: D301 - click reads the character itself: lines are kept as they are
    from nas.datasets.gathered import Wishes
    from nas.datasets.making import make_benchmark

    wishes = Wishes(channels=None if grey is None else 1 if grey else 3, **given)
    with status() as say:
        made = make_benchmark(name, place, to, replace=replace, wishes=wishes, say=say)
    if as_json:
        click.echo(json.dumps(_data(made, to / name), indent=1))
        return
    for line in made.found:
        click.echo(line)
    for line in made.warned:
        click.echo(f"Note: {line}")
    click.echo(f"Wrote {to / name}. Next:" + "".join(f"\n  {step}" for step in _next(made, to / name)))


def _data(made: "Made", where: Path) -> dict[str, Any]:
    """What was made and written to `where` as plain data, ready for JSON."""
    benchmark = made.benchmark
    return {
        **benchmark.to_data(),
        "path": str(where),
        "examples": dict(made.sizes),
        "examples_by_class": dict(made.counts),
        "found": list(made.found),
        "warnings": list(made.warned),
        "next": _next(made, where),
    }


def _next(made: "Made", where: Path) -> list[str]:
    """The commands to go on with, where the benchmark lies in `where`."""
    from nas.datasets.making import SPACE

    place = shlex.quote(str(where) if len(where.parts) > 1 else f"./{where}")
    own = where / SPACE
    space = shlex.quote(str(own)) if own.is_file() else _space(made.benchmark.signature.kinds)
    study = made.benchmark.name
    return [
        f"nas benchmarks check {place}",
        f"nas search {space} --on {place} --study {study}",
    ]


def _space(kinds: tuple[str, ...]) -> str:
    """A space that accepts one of `kinds`."""
    from nas.errors import NasError
    from nas.space import known_spaces, resolve_space

    known = known_spaces()
    if first := next((FIRST[kind] for kind in reversed(kinds) if FIRST.get(kind) in known), None):
        return first
    for name in known:
        try:
            if set(resolve_space(name).accepts) & set(kinds):
                return name
        except NasError:
            continue
    return "SPACE"


@benchmarks.command()
@click.argument("name")
@click.option("--data", type=FOLDER, metavar="DIR", help="The folder that its data lie in.")
@as_json
def check(name: str, data: Path | None, as_json: bool) -> None:
    """Check NAME, or the folder of a benchmark, against the rules of nas.testing.BenchmarkContract: a line a rule.

    Exit status 1 where a rule is broken, 2 where the benchmark or its data cannot be read.
    """
    from nas.searching import resolve_benchmark
    from nas.testing import check_benchmark
    from nas.training import load_task

    benchmark = resolve_benchmark(name)
    load_task(benchmark, data)
    print_rules(check_benchmark(benchmark, data=data), as_json=as_json)
