r"""Sheets as LaTeX for a paper: booktabs' rules, numbers in mathematics, and no sign of a cell that LaTeX would take for its own.

Whatever is not in the fonts that every LaTeX has stands as a question mark, so that it compiles.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from nas.errors import printable
from nas.reports.outcome import SHORT
from nas.reports.sheets import KNEE, ON_FRONT, Cell, Heading, Sheet
from nas.reports.tables import NOT_MEASURED

_SIGNS: Mapping[str, str] = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",  # after a line's end it would begin an option
    "]": "{]}",
    "*": "{*}",
    ON_FRONT: r"$\blacklozenge$",
    KNEE: r"$\bigstar$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≈": r"$\approx$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "−": r"$-$",
    "·": r"$\cdot$",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "…": r"\ldots{}",
}

_NUMBER = re.compile(r"-?[\d,]*\.?\d+(e[+-]?\d+)?")

HEAD = r"""% Needs \usepackage[T1]{fontenc}, \usepackage{booktabs} and \usepackage{amssymb}.
"""


def to_latex(sheets: Sequence[Sheet]) -> str:
    """`sheets` as floats one after the other, below the packages that they need; labels are tab:STUDY-STAGE, numbered from 2."""
    names: dict[str, int] = {}
    parts = []
    for sheet in sheets:
        names[sheet.name] = names.get(sheet.name, 0) + 1
        label = sheet.name if names[sheet.name] == 1 else f"{sheet.name}-{names[sheet.name]}"
        parts.append(_sheet(sheet, label))
    return HEAD + "\n".join(parts)


def _sheet(sheet: Sheet, label: str) -> str:
    caption = " ".join([f"{sheet.caption}.", *sheet.notes])
    lines = [
        r"\begin{table}",
        r"  \centering\small",
        f"  \\caption{{{escaped(caption)}}}",
        f"  \\label{{tab:{re.sub('[^A-Za-z0-9.-]', '-', label)}}}",
        f"  \\begin{{tabular}}{{{''.join('r' if heading.right else 'l' for heading in sheet.headings)}}}",
        r"    \toprule",
        f"    {' & '.join(_heading(heading) for heading in sheet.headings)} \\\\",
        r"    \midrule",
        *(f"    {' & '.join(_cell(cell) for cell in row)} \\\\" for row in sheet.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
        "",
    ]
    return "\n".join(lines)


def _heading(heading: Heading) -> str:
    text = heading.text if heading.text.startswith("FLOP") else heading.text[:1].upper() + heading.text[1:]
    return escaped(text)


def _cell(cell: Cell) -> str:
    if cell.text == NOT_MEASURED:
        return "--"
    if not _NUMBER.fullmatch(cell.text):
        text = escaped(cell.text)
        return f"\\texttt{{{text[:SHORT]}}}" if cell.code else f"\\textbf{{{text}}}" if cell.best else text
    text = _mathematics(cell.text)
    text = f"\\mathbf{{{text}}}" if cell.best else text
    spread = f" \\pm {_mathematics(cell.spread)}" if cell.spread else ""
    return f"${text}{spread}$" if cell.best or spread or not cell.text.isdigit() else text


def _mathematics(number: str) -> str:
    """A number as it stands between dollars."""
    digits, _, power = number.partition("e")
    text = digits.replace(",", "{,}")
    return f"{text} \\times 10^{{{int(power)}}}" if power else text


def escaped(text: str) -> str:
    """`text` on one line, as LaTeX that shows it as it is."""
    line = "".join(map(_sign, printable(text)))
    return re.sub("([-,])(?=\\1)", r"\1{}", line)  # which in pairs are other signs


def _sign(sign: str) -> str:
    if sign in _SIGNS:
        return _SIGNS[sign]
    if sign.isascii():
        return sign
    # Latin letters with their accents, which LaTeX reads in UTF-8.
    return sign if "LATIN" in unicodedata.name(sign, "") and ord(sign) < 0x180 else "?"
