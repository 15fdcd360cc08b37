"""What the commands have in common: complaints in one line, lists, tables, and where they are printed."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from nas.errors import NasError, printable

FOLDER = click.Path(path_type=Path)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


class Ordered(click.Group):
    """Commands in the order they are declared."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """As they were added; click would sort them."""
        return list(self.commands)


def complain(line: str) -> int:
    """Print what the user can mend; returns the exit status."""
    click.echo(f"nas: {printable(line)}", err=True)
    return 2


def console() -> Any:
    """Off a terminal lines are not wrapped: whoever reads them there cuts them as they like."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=240, color_system=None)


def show(picture: Any) -> None:
    """Print what rich can draw; off a terminal without the spaces that fill its lines up."""
    screen = console()
    if sys.stdout.isatty():
        screen.print(picture)
        return
    with screen.capture() as drawn:
        screen.print(picture)
    click.echo("\n".join(line.rstrip() for line in drawn.get().splitlines()))


@contextmanager
def status() -> Iterator[Callable[[str], None]]:
    """Something to hand words to that say what is under way; they are shown on a terminal, and nowhere else."""
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status("") as spinner:
        yield lambda words: spinner.update(Text(words))


def print_list(names: Iterable[str], describe: Callable[[str], dict[str, Any]], *, json_too: bool) -> None:
    """Print what is installed; one that cannot be loaded is named and does not hide the others."""
    found, broken = [], []
    for name in names:
        try:
            found.append(describe(name))
        except NasError as error:
            broken.append({"name": name, "error": str(error)})
    if json_too:
        click.echo(json.dumps([*found, *broken], indent=1))
        return
    print_grid(found)
    for row in broken:
        complain(row["error"])


def print_grid(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows of equal keys as a table."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for key in rows[0]:
        numbers = all(isinstance(row[key], int) for row in rows)
        grid.add_column(key.replace("_", " "), justify="right" if numbers else "left")
    for row in rows:
        grid.add_row(*(Text(f"{value:,}" if isinstance(value, int) else printable(value)) for value in row.values()))
    console().print(grid)


def print_rules(told: Iterable[tuple[str, str | None]], *, as_json: bool) -> None:
    """Print rules, each with what is wrong about it or None, as soon as it is known, or all as JSON; where one is broken the exit
    status is 1.
    """
    rows = []
    for rule, problem in told:
        rows.append({"rule": rule, "problem": problem})
        if not as_json:
            click.echo(f"ok     {rule}" if problem is None else f"wrong  {rule}: {problem}")
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    if any(row["problem"] is not None for row in rows):
        raise click.exceptions.Exit(1)
