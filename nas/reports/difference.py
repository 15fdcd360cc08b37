"""Two studies side by side, as text and as plain data."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table as RichTable
from rich.text import Text

from nas.errors import printable
from nas.ranking.difference import Difference, Reach
from nas.ranking.loss import Finding
from nas.reports.figures import face

UNSURE = ("not told apart", "luck not known")

LONGEST = 100
"""Letters of a value that is told."""


def difference_lines(found: Difference) -> Iterator[Text | RichTable]:
    """What people read."""
    yield Text(f"{found.a} → {found.b}", style="bold")
    yield Text("\nWhat differs")
    if found.changes:
        yield _changes(found)
    else:
        yield Text("  nothing")
    for evidence in dict.fromkeys(one.evidence for one in found.findings):
        shown = [one for one in found.findings if one.evidence == evidence and (one.counts or one.verdict != "equal")]
        if shown:
            yield Text(f"\n{evidence[:1].upper()}{evidence[1:]}")
            yield _findings(found, shown)
    if not found.comparable:  # which the command says, with the reasons
        return
    yield Text()
    if any(one.low != one.high for one in found.findings):
        yield Text(
            f"All intervals of figures that count hold together with {found.confidence:.0%}; what is in brackets does not count."
        )
    yield from map(Text, notes(found))
    yield Text()
    yield Text(verdict(found), style="bold")


def notes(found: Difference) -> Iterator[str]:
    """What does not fit into a table, a line each."""
    if found.volumes is not None:
        first, second = (volume.share for volume in found.volumes)
        up_to = ", ".join(f"{name} {value:.4g}" for name, value in found.volumes[0].reference.items())
        yield f"Hypervolume up to {up_to}: {first:.2%} of the box of the first front, {second:.2%} of that of the second."
    if found.reach is not None:
        yield from _reach(found, found.reach)
    if any(one.relative for one in found.findings):
        yield "× is a multiple of the time of the reference network, which was measured in between."
    for left in found.left:
        yield f"Not compared, {left.what}: {left.why}."


def _reach(found: Difference, reach: Reach) -> Iterator[str]:
    ends = (
        (found.a, found.b, reach.b, reach.a_reaches_b, reach.a_evaluations),
        (found.b, found.a, reach.a, reach.b_reaches_a, reach.b_evaluations),
    )
    for one, other, best, at, whole in ends:
        told = f"after {at:,} of its {whole:,} evaluations" if at is not None else f"in none of its {whole:,} evaluations"
        yield f"{one} found as good as the best of {other} ({face(reach.figure).words} {best:.4f}) {told}."


def verdict(found: Difference) -> str:
    """The end of it, in a sentence."""
    if not found.comparable:
        return "Nothing can be compared."
    sure = f"{found.confidence:.0%}"
    if not found.worse:
        unsure = [one for one in found.findings if one.counts and one.loss > found.tolerance and one.verdict in UNSURE]
        left = f"; {_named(unsure)} may be, which cannot be told from luck" if unsure else ""
        return f"Nothing is worse{_beyond(found)} with {sure} confidence{left}."
    return f"Worse{_beyond(found)} with {sure} confidence: {_named(found.worse)}."


def _beyond(found: Difference) -> str:
    return f" by more than {found.tolerance:.3g} of the first" if found.tolerance else ""


def _named(findings: tuple[Finding, ...] | list[Finding]) -> str:
    names = {"winner": "of the winner", "pairs": "of the same architectures"}
    return ", ".join(f"{face(one.figure).words} {names[one.what]} ({one.loss:+.2%})" for one in findings)


def _changes(found: Difference) -> RichTable:
    grid = _grid("", found.a, found.b)
    for change in found.changes:
        grid.add_row(change.name, *(printable(value)[:LONGEST] for value in (change.a, change.b)))
    return grid


def _findings(found: Difference, shown: Sequence[Finding]) -> RichTable:
    grid = _grid("figure", found.a, found.b, "worse by", "from", "to", "", numbers=(1, 2, 3, 4, 5))
    for one in shown:
        ends = ("", "") if one.low == one.high else (_percent(one.low), _percent(one.high))
        words = one.verdict if one.counts else f"({one.verdict})"
        values = [_shown(one, value) for value in (one.a, one.b)]
        grid.add_row(face(one.figure).title, *values, _percent(one.loss), *ends, words)
    return grid


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:+.2%}" if share else "0"


def _shown(one: Finding, value: float) -> str:
    if one.relative:
        return f"{value:.3g}×"
    told = face(one.figure)
    return f"{value / told.scale:,.{told.digits}f}"


def _grid(*names: str, numbers: tuple[int, ...] = ()) -> RichTable:
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for n, name in enumerate(names):
        grid.add_column(printable(name), justify="right" if n in numbers else "left", overflow="fold")
    return grid


def difference_data(found: Difference) -> dict[str, Any]:
    """Plain data, ready for JSON."""
    return {**asdict(found), "worse": [asdict(one) for one in found.worse], "verdict": verdict(found)}
