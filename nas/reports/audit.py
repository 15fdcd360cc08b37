"""An audit as text and as plain data: whether a search may be believed, on which evidence, and what a better budget would be."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table as RichTable
from rich.text import Text

from nas.ranking import Audit, Audited
from nas.ranking.agreement import ENOUGH

SHORT = 8
"""Digits of an architecture's id."""

DASH = "–"


def audit_lines(audit: Audit) -> Iterator[Text | RichTable]:
    """What people read: the sentence first, then what it rests on."""
    yield Text(f"Audit of {audit.study}: {audit.real.figure} after {audit.real_budget} beside {_cheap(audit)}.\n")
    yield Text(audit.sentence, style="bold")
    yield Text()
    yield _grid(audit)
    yield Text()
    yield from map(Text, notes(audit))


def _cheap(audit: Audit) -> str:
    """What the search went by."""
    if audit.cheap == audit.real:
        return f"that after {audit.cheap_budget} in the search"
    return f"{audit.cheap.figure}, by which was searched"


def notes(audit: Audit) -> Iterator[str]:
    """What a reader of the sentence should know, a line each."""
    if audit.wanted > len(audit.rows) + len(audit.pruned):
        told = f", {audit.failed} failed" if audit.failed else ""
        told += f", {audit.elsewhere} in a setting that does not compare" if audit.elsewhere else ""
        count = len(audit.rows) + len(audit.pruned)
        yield f"{count} of the {audit.wanted} architectures of the sample are trained so far{told}."
    if audit.tops and audit.tops[0][1] > 0:
        yield f"Short of {audit.best.real:.4f}, the best audited: {', '.join(_tops(audit))}."
    if audit.pruned:
        better = sum(audit.first is not None and row.real_rank < audit.first.real_rank for row in audit.pruned)
        yield f"Of {len(audit.pruned)} that the search pruned {better or 'none'} came out better than its first."
    if audit.noise is None:
        yield "How much luck full training has is not known: nothing was trained twice; --seeds 2 tells."
    else:
        ceiling = f"; a perfect order would reach τ = {audit.ceiling:.2f}" if audit.ceiling is not None else ""
        corrected = f", and without that luck this one {audit.corrected:.2f}" if audit.corrected is not None else ""
        yield f"From seed to seed full training deviates by {audit.noise:.2g}{ceiling}{corrected}."
    if audit.readings:
        read = ", ".join(f"{one.epochs}: {one.tau:.2f}" for one in audit.readings)
        yield f"τ of the order after so many epochs of full training with that at its end: {read}."
        if audit.told:
            yield _budget(audit)


def _tops(audit: Audit) -> Iterator[str]:
    """The regret of taking the best of the first k after full training, at each k that lowers it."""
    before = float("inf")
    for k, regret in audit.tops:
        if regret < before:
            yield f"its first by {regret:.4g}" if k == 1 else f"the best of its first {k} by {regret:.4g}"
        before = min(before, regret)


def _budget(audit: Audit) -> str:
    last = audit.readings[-1].epochs
    if audit.enough is None or audit.enough == last:
        luck = " Luck alone keeps it there: more seeds tell more." if audit.ceiling is not None and audit.ceiling < ENOUGH else ""
        return f"Below {_epochs(last)} the order does not agree by τ ≥ {ENOUGH}: no cheaper budget would do.{luck}"
    return (
        f"From {_epochs(audit.enough)} on it agrees by τ ≥ {ENOUGH}: a search may do with so many. That is hopeful: both figures "
        "are of one training, and in a short run of its own the schedule of the rate is another."
    )


def _epochs(count: int) -> str:
    return f"{count:,} epoch{'s' * (count != 1)}"


def _grid(audit: Audit) -> RichTable:
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in ("rank", "trial", "architecture", "in search", "in full", "full rank", "seeds", "stands for"):
        grid.add_column(name, justify="left" if name == "architecture" else "right")
    for row in (*audit.rows, *audit.pruned):
        grid.add_row(*_cells(row))
    return grid


def _cells(row: Audited) -> Iterator[str]:
    yield "pruned" if row.cheap_rank is None else f"{row.cheap_rank:,}"
    yield f"{row.number:,}"
    yield row.architecture.id[:SHORT]
    yield f"{row.cheap:.4f}"
    yield f"{row.real:.4f}"
    yield f"{row.real_rank:,}"
    yield str(row.seeds)
    yield DASH if row.cheap_rank is None else f"{row.weight:.3g}"


def audit_data(audit: Audit) -> dict[str, Any]:
    """Plain data, ready for JSON."""
    plain = {key: value for key, value in asdict(audit).items() if key not in {"rows", "pruned", "first", "best"}}
    return {
        **plain,
        "sentence": audit.sentence,
        "within": audit.within,
        "first": _row(audit.first) if audit.first is not None else None,
        "best": _row(audit.best),
        "rows": [_row(row) for row in audit.rows],
        "pruned": [_row(row) for row in audit.pruned],
        "notes": list(notes(audit)),
    }


def _row(row: Audited) -> dict[str, Any]:
    cheap = row.cheap if row.cheap == row.cheap else None  # JSON has no NaN
    return {**vars(row), "cheap": cheap, "architecture": row.architecture.id, "choices": dict(row.architecture.choices)}
