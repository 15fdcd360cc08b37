"""The table of the fault suite, as a page to read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from frame import Row

HEAD = """\
# What the harness survives

Faults that are done to real processes, databases and files, how often, and what came of it. `make faults` does all of it again,
and `python tests/faults/long_form.py --only ROW` one row; a short form is among the tests.
"""


def page(data: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """The page of what is known of `rows`; those that were never tried are told as such."""
    known = {row.name: data["rows"][row.name] for row in rows if row.name in data["rows"]}
    lines = [HEAD, "| test | goal | result | times | seconds | |", "|---|---|---|---|---|---|"]
    lines += [_line(row, known.get(row.name)) for row in rows]
    if missed := [(row, known[row.name]["missed"]) for row in rows if known.get(row.name, {}).get("missed")]:
        lines += ["", "## What was missed", ""]
        lines += [f"- **{_cell(row.test)}**: {_cell(sentence)}" for row, sentences in missed for sentence in sentences]
    lines += ["", "## How it is done", ""]
    lines += [f"- `{row.name}`, **{_cell(row.test)}**. {row.how}" for row in rows]
    lines += ["", "## Where and when", "", *_origin(data, known.values())]
    return "\n".join(lines) + "\n"


def _line(row: Row, came: Mapping[str, Any] | None) -> str:
    if came is None:
        cells = [row.test, row.goal, "not run yet", "", "", ""]
    elif "not_run" in came:
        cells = [row.test, row.goal, f"not run: {came['not_run']}", "", "", ""]
    else:
        met = "met" if came["passed"] else "**missed**"
        cells = [row.test, row.goal, came["result"], f"{came['times']:,}", f"{came['seconds']:,.0f}", met]
    return f"| {' | '.join(map(_cell, cells))} |"


def _origin(data: Mapping[str, Any], known: Iterable[Mapping[str, Any]]) -> list[str]:
    commits, dates = {}, set()
    for came in known:
        commits.setdefault(came["commit"] or "unknown", None)
        dates.add(came["date"][:10])
    machine, versions = data.get("machine") or {}, data.get("versions") or {}
    memory = f", {machine['memory_gib']} GiB" if machine.get("memory_gib") else ""
    days = min(dates, default="never") if len(dates) < 2 else f"{min(dates)} to {max(dates)}"
    return [
        f"- {machine.get('processor', 'unknown')}, {machine.get('cores', '?')} cores{memory}, {machine.get('system', '')}",
        f"- {', '.join(f'{name} {version}' for name, version in versions.items())}",
        f"- commit {', '.join(commits) or 'unknown'}; {days}",
        "- `make faults`; [reliability.json](reliability.json) has each row with its commit, date, seconds and counts",
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
