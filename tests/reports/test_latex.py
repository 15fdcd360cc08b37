import re
import shutil
import subprocess
from pathlib import Path

import pytest
from books import Book
from hostile import HOSTILE
from test_tables import row, summary, table

from nas.reports.latex import escaped, to_latex
from nas.reports.sheets import leaderboard_sheets, trials_sheet

SPECIAL = [
    *HOSTILE,
    "100 % & $5 #1_a^b ~ {x} \\end{table}",
    '--- ,, [x] * `a\' "b" <c> |d|',
    "é ß Ł ő × ≈ ± – …",
    "\\\\[2em]",
    "%",
]

COMMANDS = (
    "begin|end|centering|small|caption|label|toprule|midrule|bottomrule|texttt|textbf|textbackslash|textasciicircum|"
    "textasciitilde|textless|textgreater|textbar|textquotesingle|textasciigrave|textendash|textemdash|ldots|"
    "pm|times|approx|leq|geq|cdot|blacklozenge|bigstar|uparrow|downarrow|mathbf"
)


def lines_of(text: str) -> list[list[str]]:
    """The cells of every row, where a row is a line that ends in two backslashes."""
    rows = [line.strip().removesuffix("\\\\").strip() for line in text.splitlines() if line.endswith("\\\\")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)&", line)] for line in rows]


def check(text: str) -> None:
    """Refuse what does not compile: braces and environments that do not pair, signs outside of mathematics, rows of other widths.

    A strict reader of the little LaTeX that is written here, which knows no command but these.
    """
    body = re.sub(r"(?<!\\)%.*", "", text)
    for name in re.findall(r"\\([A-Za-z]+)", body.replace("\\\\", "")):
        assert re.fullmatch(COMMANDS, name), name
    bare = re.sub(r"\\[\\{}$&#%_]", "", body)
    depth = 0
    for sign in bare:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    parts = bare.split("$")
    assert len(parts) % 2 == 1
    assert not [
        part
        for part in parts[::2]
        if re.search(r"[_^#]|\\(pm|times|approx|leq|geq|cdot|mathbf|blacklozenge|bigstar|uparrow|downarrow)", part)
    ]
    stack = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", body):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack
    for piece in re.findall(r"\\begin\{tabular\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        columns = len(re.match(r"\{([lr]+)\}", piece)[1])  # type: ignore[index]
        assert {len(cells) for cells in lines_of(piece)} == {columns}


def test_a_leaderboard_is_a_float_with_rules_units_and_intervals() -> None:
    first = row(1, on_front=True, figures={"validation_accuracy": summary(0.9, 0.01, 3), "params": 12_345})
    second = row(2, figures={"validation_accuracy": summary(1e15, 0.02, 3)})
    text = to_latex(leaderboard_sheets([table(first, second)]))
    check(text)
    head, one, two = lines_of(text)
    assert head == ["\\#", "Architecture", "Validation accuracy", "Parameters", "Trial"]
    assert one[:1] + one[2:] == ["1 $\\blacklozenge$", "$0.9000 \\pm 0.0100$", "$12{,}345$", "11"]
    assert one[1] == f"\\texttt{{{first.architecture.id[:8]}}}"
    assert two[2:] == ["$\\mathbf{1.000 \\times 10^{15}} \\pm 0.0200$", "--", "12"]
    for word in ("\\toprule", "\\midrule", "\\bottomrule", "\\caption{digits v1", "\\label{tab:a-search}", "{booktabs}"):
        assert word in text


def test_labels_of_several_tables_differ() -> None:
    text = to_latex(leaderboard_sheets([table(row()), table(row())]))
    assert re.findall(r"\\label\{(.*?)\}", text) == ["tab:a-search", "tab:a-search-2"]


@pytest.mark.parametrize("text", SPECIAL)
def test_a_special_sign_is_a_letter_like_others(text: str) -> None:
    hostile = row(1, study=text, choices={"kind": text})
    found = to_latex(leaderboard_sheets([table(hostile, row(2), benchmark=text, recipe=text)]))
    check(found)
    assert len(lines_of(found)) == 3


def test_two_signs_that_would_be_one_stay_two() -> None:
    assert escaped("--- ,,") == "-{}-{}- ,{},"
    assert escaped("a_b & 5 %") == r"a\_b \& 5 \%"
    assert escaped("漢 é") == "? é"


def test_it_compiles(tmp_path: Path, full: Book) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("there is no pdflatex")
    hostile = [row(n, study=text, on_front=True) for n, text in enumerate((text[:80] for text in SPECIAL), start=1)]
    tables = to_latex([*leaderboard_sheets([table(*hostile)]), trials_sheet(full.trials(), full.entry)])
    check(tables)
    packages = "\\usepackage[T1]{fontenc}\\usepackage{booktabs}\\usepackage{amssymb}"
    document = f"\\documentclass{{article}}{packages}\\begin{{document}}\n{tables}\\end{{document}}\n"
    (tmp_path / "paper.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").stat().st_size > 1_000
