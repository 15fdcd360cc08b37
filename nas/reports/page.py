"""A study as one HTML page that needs no network and no server: the order, the evidence behind it, and the way to do it again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.benchmark import Objective
from nas.ranking import Table, rank
from nas.ranking.agreement import Audit, audit_of
from nas.ranking.steps import steps
from nas.records import FIGURES, OF_MEMBERS, OF_PRIVACY, SCORES, Ledger, StudyEntry, Trial
from nas.records.schema import STAGES
from nas.reports import matters
from nas.reports.assets import asset, policy, scripts, templates
from nas.reports.board import board
from nas.reports.certainty import certainty_words
from nas.reports.command import commands, finals_command
from nas.reports.curves import HEIGHT, WIDTH, curve_objective
from nas.reports.drawing import Drawing, drawing
from nas.reports.explanations import Explained, explained
from nas.reports.losses import lost
from nas.reports.origin import asked, definition, evidence, question
from nas.reports.outcome import funnel, outcome, taken_over
from nas.reports.robustness import held
from nas.reports.rows import rows_data
from nas.reports.samples import made
from nas.reports.steps import steps_table
from nas.reports.tables import show, title
from nas.reports.times import clock, work
from nas.reports.trials import duration
from nas.reports.trust import SIZE, trust
from nas.reports.writing import replace_file
from nas.space import Space, space_to_yaml

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


def write_report(ledger: Ledger, study: str, out: Path, *, live: Live | None = None) -> Path:
    """Write the page of `study` to `out`, all of it or nothing; returns `out`. Equal studies give equal bytes.

    Raises:
        LedgerError: there is no such study.
        ReportError: the file cannot be written.
    """
    entry = ledger.study(study)
    trials = ledger.trials(entry)
    tables = rank((entry, trial) for trial in trials)
    audited = any(trial.stage == "audit" for trial in trials)
    audit = audit_of(ledger, study, tables=tables) if audited else None
    text = render(entry, trials, tables=tables, audit=audit, live=live, explanations=explained(ledger, tables))
    replace_file(out, text.encode("utf-8", "replace"), "the report")
    return out


def render(
    entry: StudyEntry,
    trials: Sequence[Trial],
    *,
    tables: Sequence[Table] | None = None,
    audit: Audit | None = None,
    live: Live | None = None,
    explanations: Sequence[Explained] = (),
) -> str:
    """The page of a study and its trials.

    `tables` are those of its leaderboard, where they are known already; `live` is for a page that is written again and again;
    `explanations` are those of its finalists.
    """
    style, script = asset("page.css"), scripts()
    if explanations:
        style += asset("explained.css")
    environment = templates()
    environment.globals["duration"] = duration
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    tables = rank((entry, trial) for trial in trials) if tables is None else tables
    space = entry.space
    context = (
        _head(entry, space, trials, tables, audit) | _boards(entry, trials, tables) | _course(trials) | _origin(entry, trials)
    )
    context |= {"drawings": list(_drawings(space, tables)), "trust": trust(audit) if audit else None, "ranks_size": SIZE}
    context["made"] = made(tables)
    below = steps(entry, trials)
    context["steps"] = steps_table(below, [Objective(**one) for one in entry.definition["objectives"]]) if below else None
    context["held"] = held(trials)
    context["explained"] = explanations
    context |= {"effects": matters.what_matters(entry, trials), "marginal_size": (matters.WIDTH, matters.HEIGHT)}
    context["links"] = [(section, text) for section, text, there in _links(context) if there]
    page = environment.get_template("page.html")
    return page.render(context, style=style, script=script, policy=policy(style, script), live=live)


def _links(context: dict[str, Any]) -> list[tuple[str, str, object]]:
    """Id, title, and whether there is such a section."""
    return [
        ("finals", "Finalists", context["finals"]),
        ("confirmed", "The best again", context["confirmed"]),
        ("steps", "Steps", context["steps"]),
        ("held", "How they hold", context["held"]),
        ("search", "Leaderboard", True),
        ("plots", "Trade-offs", context["boards"]),
        ("curves", "Learning curves", context["curved"]),
        ("choices", "Choices", context["boards"]),
        ("trust", "Can it be believed?", context["trust"]),
        ("architectures", "Architectures", context["drawings"]),
        ("made", "What they made", context["made"]),
        ("explained", "What answers rest on", context["explained"]),
        ("course", "How it went", True),
        ("lost", "Without a score", context["lost"]),
        ("origin", "How to do it again", True),
    ]


def _head(
    entry: StudyEntry, space: Space, trials: Sequence[Trial], tables: Sequence[Table], audit: Audit | None
) -> dict[str, Any]:
    """What was asked, and what came of it."""
    search = [trial for trial in trials if trial.stage == "search"]
    return {
        "study": entry.name,
        "outcome": [text for text in _outcome(entry, search, tables, audit) if text],
        "asked": asked(entry),
        "question": question(entry, space),
        "yaml": space_to_yaml(space),
    }


def _outcome(entry: StudyEntry, search: Sequence[Trial], tables: Sequence[Table], audit: Audit | None) -> Iterator[str]:
    """Who won, how sure that is, and whether the search may be believed."""
    yield outcome(tables, entry.definition["benchmark"], search)
    if tables:
        yield certainty_words(tables[0])
    if audit:
        yield audit.sentence


def _boards(entry: StudyEntry, trials: Sequence[Trial], tables: Sequence[Table]) -> dict[str, Any]:
    """Leaderboards, what scripts draw, and the trials that are on no leaderboard."""
    objective = curve_objective(entry.definition, trials)
    by_stage: dict[str, list[Any]] = {stage: [] for stage in STAGES}
    for n, table in enumerate(tables):
        by_stage[table.stage].append(board(tables, n, objective))
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


def _meanings(tables: Sequence[Table]) -> list[tuple[str, str]]:
    """What the columns mean that evaluations of every benchmark can give."""
    shown = {name for table in tables for row in table.rows for name in row.figures}
    known = {**FIGURES, **OF_PRIVACY, **OF_MEMBERS, **SCORES}
    return [(title(name), kind.meaning) for name, kind in known.items() if name in shown]
