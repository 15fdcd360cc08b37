"""In which format a table is printed, or written to a file: the options, and what they come to."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from nas.cli.printing import FOLDER

if TYPE_CHECKING:
    from nas.ranking import Table
    from nas.records import StudyEntry, Trial
    from nas.reports.schema import Kind

Format = Literal["text", "csv", "json", "markdown", "latex", "parquet"]

ENDINGS: Mapping[str, Format] = {".csv": "csv", ".json": "json", ".md": "markdown", ".tex": "latex", ".parquet": "parquet"}
"""Of files, each with the format that it stands for."""

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be printed, or written."""

    format: Format
    out: Path | None
    """None for the terminal."""


def formats(command: Command) -> Command:
    """The options that `asked` reads."""
    for option in (
        click.option("--out", type=FOLDER, metavar="FILE", help="Write to FILE, in the format of its ending."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts: --format json."),
        click.option("--csv", "as_csv", is_flag=True, help="Print CSV: --format csv."),
        click.option("--format", "fmt", type=click.Choice(["text", *ENDINGS.values()]), help="text if not given."),
    ):
        command = option(command)
    return command


def schema_of(kind: "Kind") -> Callable[[Command], Command]:
    """The option that prints the JSON Schema of what the command prints as JSON, and does nothing else."""

    def print_schema(context: click.Context, _: click.Parameter, wanted: bool) -> None:
        if wanted:
            from nas.reports.schema import read_schema

            click.echo(json.dumps(read_schema(kind), indent=1))
            context.exit()

    words = "Print the JSON Schema of what --json prints."
    return click.option("--schema", is_flag=True, is_eager=True, expose_value=False, callback=print_schema, help=words)


def asked(fmt: Format | None, as_csv: bool, as_json: bool, out: Path | None) -> Asked:
    """The one format that the options ask for.

    Raises:
        click.UsageError: they ask for several, for another than a file's ending tells or none, or for bytes on a terminal.
    """
    flags: Mapping[Format, bool] = {"csv": as_csv, "json": as_json}
    wanted = [*dict.fromkeys([*([fmt] if fmt else []), *(name for name, on in flags.items() if on)])]
    if len(wanted) > 1:
        raise click.UsageError(f"A table has one format, got {' and '.join(wanted)}.")
    if out is None:
        if wanted == ["parquet"]:
            raise click.UsageError("Parquet is no text to print; write it to a file: --out FILE.parquet.")
        return Asked(format=wanted[0] if wanted else "text", out=None)
    if wanted == ["text"]:
        raise click.UsageError("Text is for a terminal; write csv, json, markdown, latex or parquet to a file.")
    if not wanted and out.suffix.lower() not in ENDINGS:
        raise click.UsageError(f"A file ends in {', '.join(ENDINGS)}, or --format says what it is; got {out.name!r}.")
    told = ENDINGS.get(out.suffix.lower())
    if wanted and told is not None and wanted != [told]:
        raise click.UsageError(f"A table has one format, got {wanted[0]} and a file for {told}, {out.name!r}.")
    return Asked(format=wanted[0] if wanted else ENDINGS[out.suffix.lower()], out=out)


def give_tables(tables: "Sequence[Table]", wanted: Asked, top: int | None, only: "Sequence[str]" = ()) -> None:
    """Print leaderboards as they are asked for, or write them; the `top` rows of each, or all.

    Raises:
        click.UsageError: figures are asked for in a format that has all of them.
    """
    if only and wanted.format in {"csv", "json", "parquet"}:
        raise click.UsageError(f"--show is for people: {wanted.format} has every figure; leave it out.")
    cut = [replace(table, rows=table.rows[:top]) for table in tables]
    match wanted.format:
        case "csv":
            from nas.reports.tables import tables_csv

            _give(tables_csv(cut), wanted)
        case "json":
            from nas.reports.tables import tables_data, to_json

            _give(to_json(tables_data(tables, top)), wanted)
        case "parquet":
            from nas.ranking import flat_rows
            from nas.reports.parquet import to_parquet
            from nas.reports.schema import LEADERBOARD

            _give(to_parquet(*flat_rows(cut), LEADERBOARD), wanted)
        case "markdown":
            from nas.reports.markdown import to_markdown
            from nas.reports.sheets import leaderboard_sheets

            _give(to_markdown(leaderboard_sheets(tables, top=top, only=only)), wanted)
        case "latex":
            from nas.reports.latex import to_latex
            from nas.reports.sheets import leaderboard_sheets

            _give(to_latex(leaderboard_sheets(tables, top=top, only=only)), wanted)


def give_trials(trials: "Sequence[Trial]", entry: "StudyEntry", wanted: Asked) -> None:
    """Print trials as they are asked for, or write them."""
    match wanted.format:
        case "csv":
            from nas.reports.trials import trials_csv

            _give(trials_csv(trials), wanted)
        case "json":
            from nas.reports.tables import to_json
            from nas.reports.trials import trials_data

            _give(to_json(trials_data(trials)), wanted)
        case "parquet":
            from nas.reports.parquet import to_parquet
            from nas.reports.schema import TRIALS
            from nas.reports.trials import trials_flat

            _give(to_parquet(*trials_flat(trials), TRIALS), wanted)
        case "markdown":
            from nas.reports.markdown import to_markdown
            from nas.reports.sheets import trials_sheet

            _give(to_markdown([trials_sheet(trials, entry)]), wanted)
        case "latex":
            from nas.reports.latex import to_latex
            from nas.reports.sheets import trials_sheet

            _give(to_latex([trials_sheet(trials, entry)]), wanted)


def _give(content: str | bytes, wanted: Asked) -> None:
    """Print `content`, or write it and say so."""
    if wanted.out is None:
        click.echo(content, nl=False)
        return
    from nas.reports.writing import replace_file

    replace_file(wanted.out, content if isinstance(content, bytes) else content.encode("utf-8", "replace"), "the table")
    click.echo(f"Wrote {wanted.out}.")
