"""`nas spaces`: list, show, check and begin search spaces, before anything is trained."""

import json
import os
import shlex
from pathlib import Path
from typing import Any

import click

from nas.cli.printing import FOLDER, Ordered, as_json, console, print_list, print_rules, status

_MOST = 10**300
"""Sizes from here on are told by their magnitude in JSON too: a number that no float holds is none to most readers."""


def _short(count: float | None) -> bool:
    return count is not None and count < _MOST


def _from_group(ctx: click.Context, _: click.Parameter, folders: tuple[Path, ...]) -> tuple[Path, ...] | None:
    """What is given here, or to the group; None for the folders of NAS_SPACE_PATH."""
    above = ctx.parent.params.get("space_path") if ctx.parent else None
    return folders or above or None


space_path = click.option(
    "--space-path",
    type=FOLDER,
    multiple=True,
    metavar="DIR",
    callback=_from_group,
    help="Look for spaces here too (NAME.yaml, NAME/space.yaml); may be repeated. NAS_SPACE_PATH, if not given.",
)


@click.group(cls=Ordered, invoke_without_command=True)
@as_json
@space_path
@click.pass_context
def spaces(ctx: click.Context, as_json: bool, space_path: tuple[Path, ...] | None) -> None:
    """List the search spaces that are found; look into one, check it, or begin one of your own."""
    if ctx.invoked_subcommand is not None:
        return
    from nas.space import known_spaces, resolve_space, size_if_counted, size_text

    def describe(name: str) -> dict[str, Any]:
        space = resolve_space(name, space_path)
        count = size_if_counted(space)
        return {
            "name": name,
            "version": space.version,
            "accepts": ", ".join(space.accepts),
            "architectures": count if as_json and _short(count) else size_text(count),
            "summary": space.summary,
        }

    print_list(known_spaces(space_path), describe, json_too=as_json)


@spaces.command()
@click.argument("name")
@space_path
@as_json
def show(name: str, space_path: tuple[Path, ...] | None, as_json: bool) -> None:
    """Draw the tree of NAME, or of a YAML file: layers, options, choices, repeats, alternatives, branches, cells."""
    from nas.reports.tree import papers, tree
    from nas.space import resolve_space, size_if_counted, size_text, space_to_data

    space = resolve_space(name, space_path)
    if not as_json:
        console().print(tree(space))
        return
    count = size_if_counted(space)
    data = space_to_data(space)
    data["architectures"] = count if _short(count) else size_text(count)
    click.echo(json.dumps({**data, "papers": papers(space)}, indent=1))


@spaces.command()
@click.argument("name")
@click.option("--on", metavar="BENCHMARK", help="Try it on this benchmark's input and output, not on small ones of our own.")
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    metavar="N",
    help="Random architectures to train a step of.",
)
@space_path
@as_json
def check(name: str, on: str | None, samples: int, space_path: tuple[Path, ...] | None, as_json: bool) -> None:
    """Check NAME, or a YAML file, against the rules of nas.testing.SpaceContract: a line a rule.

    Exit status 1 where a rule is broken, 2 where the space cannot be read.
    """
    from nas.models import check_layers
    from nas.searching import resolve_benchmark
    from nas.space import resolve_space
    from nas.testing import check_space

    space = resolve_space(name, space_path)
    check_layers(space)
    signatures = (resolve_benchmark(on).signature,) if on else ()
    print_rules(check_space(space, signatures=signatures, samples=samples), as_json=as_json)


@spaces.command()
@click.argument("name")
@click.option("--on", required=True, metavar="BENCHMARK", help="What the networks are fed and must give.")
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="TEXT",
    help='Such as "params <= 50e3"; may be repeated. Limits of the space count too.',
)
@click.option(
    "--samples",
    type=click.IntRange(min=100, max=1_000_000),
    default=10_000,
    show_default=True,
    metavar="N",
    help="Architectures to look at of a space that is too large to be looked at whole.",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of the samples.")
@space_path
@as_json
def feasibility(
    name: str,
    on: str,
    limits: tuple[str, ...],
    samples: int,
    seed: int,
    space_path: tuple[Path, ...] | None,
    as_json: bool,
) -> None:
    """Tell how large the networks of NAME are at BENCHMARK, what limits leave, and which choices change nothing; trains nothing.

    Exit status 1 where a limit is met by no network.
    """
    from nas.cli.holdings import survey_data, survey_text
    from nas.models import check_layers, survey
    from nas.searching import check_input, check_limits, resolve_benchmark
    from nas.space import Limit, resolve_space

    space = resolve_space(name, space_path)
    benchmark = resolve_benchmark(on)
    check_input(space, benchmark)
    check_layers(space)
    asked = tuple(dict.fromkeys((*space.limits, *map(Limit.parse, limits))))
    check_limits(asked, benchmark)
    with status() as say:
        found = survey(space, benchmark.signature, asked, samples=samples, seed=seed, on_progress=say)
    if as_json:
        click.echo(json.dumps(survey_data(found), indent=1))
    else:
        title = f"{space.name} v{space.version} on {benchmark.name} v{benchmark.version}"
        console().print(survey_text(found, title))
    if found.impossible:
        raise click.exceptions.Exit(1)


@spaces.command()
@click.argument("name")
@click.option(
    "--accepts",
    type=click.Choice(["image", "sequence", "tokens", "waveform", "features", "query"]),
    default="image",
    show_default=True,
    help="What its networks are fed.",
)
@click.option("--to", type=FOLDER, default=Path(), metavar="DIR", help="Where to write the folder NAME; here, if not given.")
def new(name: str, accepts: str, to: Path) -> None:
    """Write a package NAME with a space to begin with: it passes `check` and can be installed with pip."""
    from nas.cli.scaffold import write_space

    folder = write_space(name, accepts, to)
    place = shlex.quote(str(folder))
    path = place if os.sep in str(folder) else f"./{place}"  # pip looks for a mere name on its index
    click.echo(f"Wrote {folder}. Next:\n  nas spaces check {name} --space-path {place}\n  pip install {path}")


@spaces.command()
def schema() -> None:
    """Print the JSON schema of a space's YAML file, for editors: every layer with its options."""
    from nas.models.glossary import layer_schemas
    from nas.space.schema import space_schema

    click.echo(json.dumps(space_schema(layer_schemas()), indent=1))
