"""`nas doctor`: is this machine fit for runs, and what would make it fitter."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from nas.cli.printing import as_json, console
from nas.cli.study import ledger_option

if TYPE_CHECKING:
    from nas.doctor import Check

PROBLEM = 1
"""Exit status where something will not work."""


@click.command()
@ledger_option
@as_json
def doctor(ledger: str, as_json: bool) -> None:
    """Check Python, packages, GPU, memory, disk, ledger and plugins, and say what would be better.

    Nothing is changed. Exit status 1 where something will not work.
    """
    from nas.doctor import examine

    checks = []
    if as_json:
        checks = list(examine(ledger))
        click.echo(json.dumps([check.to_data() for check in checks], indent=1))
    else:
        for check in examine(ledger):
            checks.append(check)
            _print(check)
        click.echo("\n" + _sum(checks))
    if any(check.verdict == "problem" for check in checks):
        raise click.exceptions.Exit(PROBLEM)


def _print(check: "Check") -> None:
    if not sys.stdout.isatty():
        click.echo(f"{check.verdict:7}  {check.name:13}  {check.found}" + (f" → {check.change}" if check.change else ""))
        return
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=7)
    grid.add_column(width=13)
    grid.add_column()
    style = {"ok": "green", "advice": "yellow", "problem": "bold red"}[check.verdict]
    grid.add_row(Text(check.verdict, style=style), Text(check.name), Text(check.found))
    if check.change:
        grid.add_row("", "", Text(f"→ {check.change}", style=style))
    console().print(grid)


def _sum(checks: Sequence["Check"]) -> str:
    problems, advised = (sum(check.verdict == kind for check in checks) for kind in ("problem", "advice"))
    words = [f"{problems} problem{'s' * (problems != 1)}"] if problems else []
    words += [f"{advised} piece{'s' * (advised != 1)} of advice"] if advised else []
    return f"{' and '.join(words)}." if words else "All is well."
