"""A study as one HTML page that needs no network and no server: the order, the evidence behind it, and the way to do it again."""

import base64
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from nas.records.schema import STAGES
from nas.reports.board import board
from nas.reports.command import commands, finals_command
from nas.reports.curves import HEIGHT, WIDTH, curve_objective
from nas.reports.drawing import Drawing, drawing
from nas.reports.losses import lost
from nas.reports.origin import definition, evidence, question
from nas.reports.outcome import funnel, outcome, taken_over
from nas.reports.rows import rows_data
from nas.reports.tables import show, title
from nas.reports.times import clock, work
from nas.reports.trials import duration
from nas.space import Space, space_to_yaml

SCRIPTS = (
    "elements",
    "rows",
    "view",
    "leaderboard",
    "filters",
    "axes",
    "points",
    "curves",
    "parallel",
    "boards",
    "theme",
    "age",
    "main",
)
"""The page's scripts, in an order in which each finds what it needs."""

DRAWN = 5
"""Architectures that are drawn."""


@dataclass(frozen=True, kw_only=True)
class Live:
    """What a page says of itself while the study goes on."""

    written_at: str
    """For people, to the second."""
    stamp: str
    """The same moment as ISO 8601 has it."""
    every: int
    """Seconds after which it is read again."""


def write_report(ledger: Ledger, study: str, out: Path) -> Path:
    """Write the page of `study` to `out`, all of it or nothing; returns `out`. Equal studies give equal bytes.

    Raises:
        LedgerError: there is no such study, or the file cannot be written.
    """
    entry = ledger.study(study)
    text = render(entry, ledger.trials(entry))
    replace_file(out, text.encode("utf-8", "replace"))
    return out


def render(entry: StudyEntry, trials: Sequence[Trial], live: Live | None = None) -> str:
    """The page of a study and its trials; `live` where it is written anew as the study goes on."""
    style, script = asset("page.css"), scripts()
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nas.reports", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["duration"] = duration
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    tables = rank((entry, trial) for trial in trials)
    space = entry.space
    context = _head(entry, space, trials, tables) | _boards(entry, trials, tables) | _course(trials) | _origin(entry, trials)
    context["drawings"] = list(_drawings(space, tables))
    context["links"] = [(section, text) for section, text, there in _links(context) if there]
    page = environment.get_template("page.html")
    return page.render(context, style=style, script=script, policy=policy(style, script), live=live)


def scripts() -> Markup:
    """The page's scripts as one, which leaves nothing behind."""
    parts = Markup("\n").join(asset(f"{name}.js") for name in SCRIPTS)
    return Markup('\n"use strict";\n(() => {\n') + parts + Markup("})();\n")


def asset(name: str, room: str = "nas.reports") -> Markup:
    """A file of ours, from the templates of a room, that stands in the page as it is."""
    return Markup((files(room) / "templates" / name).read_text(encoding="utf-8"))  # noqa: S704 - our own file


def policy(style: str, script: str = "") -> str:
    """Nothing is fetched; only this style and this script count, if there is one."""
    runs = f"script-src {_hash(script)}; " if script else ""
    return f"default-src 'none'; style-src {_hash(style)}; {runs}img-src data:; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _links(context: dict[str, Any]) -> list[tuple[str, str, object]]:
    """Id, title, and whether there is such a section."""
    return [
        ("finals", "Finalists", context["finals"]),
        ("confirmed", "The best again", context["confirmed"]),
        ("search", "Leaderboard", True),
        ("plots", "Trade-offs", context["boards"]),
        ("curves", "Learning curves", context["curved"]),
        ("choices", "Choices", context["boards"]),
        ("architectures", "Architectures", context["drawings"]),
        ("course", "How it went", True),
        ("lost", "Without a score", context["lost"]),
        ("origin", "How to do it again", True),
    ]


def _head(entry: StudyEntry, space: Space, trials: Sequence[Trial], tables: Sequence[Table]) -> dict[str, Any]:
    """What was asked, and what came of it."""
    search = [trial for trial in trials if trial.stage == "search"]
    return {
        "study": entry.name,
        "outcome": outcome(tables, entry.definition["benchmark"], search),
        "question": question(entry, space),
        "yaml": space_to_yaml(space),
    }


def _boards(entry: StudyEntry, trials: Sequence[Trial], tables: Sequence[Table]) -> dict[str, Any]:
    """Leaderboards, what scripts draw, and the trials that are on no leaderboard."""
    objective = curve_objective(entry.definition, trials)
    by_stage: dict[str, list[Any]] = {stage: [] for stage in STAGES}
    for n, table in enumerate(tables):
        by_stage[table.stage].append(board(table, f"b{n}", objective))
    data = rows_data(entry, tables, trials, objective)
    return {
        "looked_up": "table" in entry.definition["benchmark"],
        "finals": by_stage["final"],
        "confirmed": by_stage["confirm"],
        "boards": by_stage["search"],
        "rows_count": len(data["rows"]["id"]),
        "data": data,
        "curved": bool(data["curves"] and data["curves"]["rows"]),
        "spark": (WIDTH, HEIGHT),
        "meanings": _meanings(tables),
        "lost": lost(trials, Objective(**entry.definition["objectives"][0])),
    }


def _course(trials: Sequence[Trial]) -> dict[str, Any]:
    """How proposals ended, and where the time went."""
    search = [trial for trial in trials if trial.stage == "search"]
    return {"funnel": funnel(search), "taken_over": taken_over(search), "work": work(trials), "clock": clock(trials)}


def _drawings(space: Space, tables: Sequence[Table]) -> Iterator[tuple[str, str, Drawing]]:
    """The best of the first leaderboard that can be drawn: id, its first objective, and the drawing."""
    for row in tables[0].rows[:DRAWN] if tables else ():
        found = drawing(space, row.architecture)
        if found is not None:
            figure = tables[0].objectives[0].figure
            yield row.architecture.id, f"rank {row.rank}, {title(figure)} {show(figure, row.figures[figure])}", found


def _origin(entry: StudyEntry, trials: Sequence[Trial]) -> dict[str, Any]:
    return {
        "definition": definition(entry),
        "evidence": evidence(entry, trials),
        "commands": commands(entry, trials),
        "finals_command": finals_command(entry),
    }


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
