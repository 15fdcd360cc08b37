"""What came of doing trials again, for a terminal."""

from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nas.errors import printable
from nas.ranking import Summary
from nas.records import Reproduction, Trial, Verdict
from nas.records.reproduction import Check, short
from nas.reports.tables import NOT_MEASURED, show, title

VERDICTS: tuple[Verdict, ...] = ("bit-equal", "within tolerance", "different")

STYLES: dict[Verdict, str] = {"bit-equal": "green", "within tolerance": "yellow", "different": "red"}


def name_of(trial: Trial) -> str:
    """Which trial it is, in a few words."""
    return f"{trial.stage} trial {trial.number} of {trial.study}"


def reproduction_text(trial: Trial, result: Reproduction) -> RenderableType:
    """Each check in its order, and the verdict in a sentence."""
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, justify in (("check", "left"), ("then", "right"), ("now", "right"), ("verdict", "left")):
        grid.add_column(name, justify=justify, no_wrap=name != "verdict", overflow="fold")  # type: ignore[arg-type]
    for check in result.checks:
        cells = [printable(title(check.what)), _value(check, check.then), _value(check, check.now), _words(check)]
        style = "" if check.equal or check.kind == "measured" else "dim" if check.equal is None else "" if check.holds else "red"
        grid.add_row(*(Text(cell, style=style) for cell in cells))
    derived = trial.record.derived if trial.record else None
    how = f", {printable(derived.words)}" if derived else ""
    head = Text(f"{name_of(trial)}, architecture {trial.architecture.id}{how}", style="bold")
    return Group(head, grid, Text(printable(result.sentence), style=STYLES[result.verdict]))


def verdicts_line(results: Sequence[Reproduction]) -> str:
    """How many of them there are of each verdict: "19 of 20 bit-equal, 1 within tolerance"."""
    counts = Counter(result.verdict for result in results)
    told = [f"{counts[verdict]} {verdict}" for verdict in VERDICTS[1:] if counts[verdict]]
    return ", ".join([f"{counts['bit-equal']} of {len(results)} bit-equal", *told]) + "."


def _value(check: Check, value: object) -> str:
    if value is None:
        return NOT_MEASURED
    if isinstance(value, int | float) and not isinstance(value, bool):
        if check.kind == "figure" and check.equal is False:
            return f"{value:.6g}"
        return show(check.what, Summary(mean=value, deviation=None, count=1))
    return printable(short(value))


def _words(check: Check) -> str:
    if check.kind == "measured":
        if isinstance(check.then, int | float) and isinstance(check.now, int | float) and check.then:
            change = 100 * (check.now / check.then - 1)
            told = "equal" if check.equal else f"{change:+.0f} %"
            return f"{told}; {check.basis}" if check.basis else told
        return check.basis
    if check.equal is None:
        return "not in the record" if check.then is None else "not known now"
    if check.equal:
        return "equal"
    if check.kind == "figure" and check.difference is not None and check.tolerance is not None:
        sign = "≤" if check.holds else ">"
        return f"|Δ| {check.difference:.2g} {sign} {check.tolerance:.2g}, {check.basis}"
    apart = f", by up to {check.difference:.2g}" if check.difference is not None else ""
    return f"other{apart}" + (f", {check.basis}" if check.basis else "")
