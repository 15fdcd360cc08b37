"""A study as one HTML page that needs no network and no server: the order, the evidence behind it, and the way to do it again."""

import base64
import hashlib
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote as percent

import jinja2
from markupsafe import Markup

from nas.benchmark import Objective
from nas.errors import LedgerError
from nas.files import write_whole
from nas.ranking import Table, rank
from nas.records import FIGURES, SCORES, Ledger, StudyEntry, Trial
from nas.reports.board import DETAILED, board
from nas.reports.command import commands, finals_command
from nas.reports.curves import HEIGHT, WIDTH, curve_objective
from nas.reports.losses import lost
from nas.reports.origin import definition, evidence, question
from nas.reports.outcome import funnel, outcome, taken_over
from nas.reports.plots import BEST, learning_curves
from nas.reports.scatter import progress_plot, table_plots
from nas.reports.tables import title
from nas.space import space_to_yaml


def write_report(ledger: Ledger, study: str, out: Path) -> Path:
    """Write the page of `study` to `out`, all of it or nothing; returns `out`. Equal studies give equal bytes.

    Raises:
        LedgerError: there is no such study, or the file cannot be written.
    """
    entry = ledger.study(study)
    text = render(entry, ledger.trials(entry))
    replace_file(out, text.encode("utf-8", "replace"))
    return out


def render(entry: StudyEntry, trials: Sequence[Trial]) -> str:
    """The page of a study and its trials."""
    style, script = asset("page.css"), asset("page.js")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nas.reports", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    tables = rank((entry, trial) for trial in trials)
    context = _head(entry, trials, tables) | _boards(entry, trials, tables) | _origin(entry, trials)
    page = environment.get_template("page.html")
    return page.render(context, style=style, script=script, policy=policy(style, script))


def asset(name: str, room: str = "nas.reports") -> Markup:
    """A file of ours, from the templates of a room, that stands in the page as it is."""
    return Markup((files(room) / "templates" / name).read_text(encoding="utf-8"))  # noqa: S704 - our own file


def policy(style: str, script: str = "") -> str:
    """Nothing is fetched; only this style and this script count, if there is one."""
    runs = f"script-src {_hash(script)}; " if script else ""
    return f"default-src 'none'; style-src {_hash(style)}; {runs}img-src data:; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _head(entry: StudyEntry, trials: Sequence[Trial], tables: Sequence[Table]) -> dict[str, Any]:
    """What was asked, and what came of it."""
    space = entry.space
    search = [trial for trial in trials if trial.stage == "search"]
    return {
        "study": entry.name,
        "outcome": outcome(tables, entry.definition["benchmark"], search),
        "question": question(entry, space),
        "yaml": space_to_yaml(space),
        "funnel": funnel(search),
        "taken_over": taken_over(search),
    }


def _boards(entry: StudyEntry, trials: Sequence[Trial], tables: Sequence[Table]) -> dict[str, Any]:
    """Leaderboards, plots, curves, and the trials that are on none."""
    keyed = [(f"b{n}", table) for n, table in enumerate(tables)]
    search = [(key, table) for key, table in keyed if table.stage == "search"]
    objective = curve_objective(entry.definition, trials)
    return {
        "looked_up": "table" in entry.definition["benchmark"],
        "finals": [board(table, key, objective) for key, table in keyed if table.stage == "final"],
        "confirmed": [board(table, key, objective) for key, table in keyed if table.stage == "confirm"],
        "boards": [board(table, key, objective) for key, table in search],
        **_plots(trials, search),
        "curves": _curves(entry, trials),
        "best": BEST,
        "detailed": DETAILED,
        "spark": (WIDTH, HEIGHT),
        "meanings": _meanings(tables),
        "lost": lost(trials, Objective(**entry.definition["objectives"][0])),
    }


def _plots(trials: Sequence[Trial], search: Sequence[tuple[str, Table]]) -> dict[str, Any]:
    """The plots of the search, by the table that they belong to, and what page.js draws them from."""
    progress = progress_plot([trial for trial in trials if trial.stage == "search"], search, "progress")
    plots = {key: tuple(table_plots(table, key)) for key, table in search}
    drawn = [*([progress] if progress else []), *(plot for some in plots.values() for plot in some)]
    return {"progress": progress, "plots": plots, "data": {plot.key: plot.data() for plot in drawn}}


def _origin(entry: StudyEntry, trials: Sequence[Trial]) -> dict[str, Any]:
    return {
        "definition": definition(entry),
        "evidence": evidence(entry, trials),
        "commands": commands(entry, trials),
        "finals_command": finals_command(entry),
    }


def _curves(entry: StudyEntry, trials: Sequence[Trial]) -> str:
    """The learning curves of the search as a data URI; empty where there are none."""
    search = [trial for trial in trials if trial.stage == "search"]
    objective = curve_objective(entry.definition, search)
    if objective is None:
        return ""
    return data_uri(learning_curves(search, objective))


def data_uri(image: bytes) -> str:
    """An SVG as the source of an image in a page."""
    return "data:image/svg+xml," + percent(image.decode().replace('"', "'"), safe=" !$'()*+,-./:;=?@_~")


def _meanings(tables: Sequence[Table]) -> list[tuple[str, str]]:
    """What the columns mean that evaluations of every benchmark can give."""
    shown = {name for table in tables for row in table.rows for name in row.figures}
    return [(title(name), kind.meaning) for name, kind in {**FIGURES, **SCORES}.items() if name in shown]


def replace_file(out: Path, content: bytes) -> None:
    """Write beside `out`, then take its place, so that a reader never sees half a page."""
    if not os.path.isdir(out.parent):  # unlike Path.is_dir, False for a name that no folder can have
        raise LedgerError(f"The report's folder {out.parent} does not exist; make it first.")
    if os.path.isdir(out):
        raise LedgerError(f"The report is one file, {out} is a folder; name a file in it.")
    try:
        write_whole(content, out)
    except OSError as error:
        raise LedgerError(f"The report {out} cannot be written: {error.strerror or type(error).__name__}.") from error
