"""Sheets as Markdown, as GitHub reads it: whatever a cell says stays text."""

import re
from collections.abc import Sequence

from nas.errors import printable
from nas.reports.sheets import Cell, Sheet

_SIGNS = re.compile(r"[\\`*_{}\[\]<>|~$#&!^]|:(?=//)|(?<=www)\.|@", re.IGNORECASE)
"""What could begin something else than text: emphasis, code, links, tags, formulas, mentions, cells."""


def to_markdown(sheets: Sequence[Sheet]) -> str:
    """`sheets` one after the other, each with its caption over it and what its signs mean below."""
    return "\n".join(_sheet(sheet) for sheet in sheets)


def _sheet(sheet: Sheet) -> str:
    lines = [
        f"**{escaped(sheet.caption)}**",
        "",
        _line([escaped(heading.text) for heading in sheet.headings]),
        _line(["---:" if heading.right else "---" for heading in sheet.headings]),
        *(_line([_cell(cell) for cell in row]) for row in sheet.rows),
        "",
        *([" ".join(map(escaped, sheet.notes)), ""] if sheet.notes else []),
    ]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text = escaped(cell.text) + (f" ± {escaped(cell.spread)}" if cell.spread else "")
    if cell.code and cell.text.isalnum():
        return f"`{cell.text}`"
    return f"**{text}**" if cell.best else text


def escaped(text: str) -> str:
    """`text` on one line, as Markdown that shows it as it is."""
    line = _SIGNS.sub(lambda sign: "&#64;" if sign[0] == "@" else f"\\{sign[0]}", printable(text))
    return re.sub(r"^([-+=]|\d+(?=[.)]))", r"\\\1", line) if re.match(r"[-+=]\s|\d+[.)]\s", line) else line
