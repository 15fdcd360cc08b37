"""What an audit tells of a search, as the page draws it."""

from dataclasses import dataclass

from nas.ranking.agreement import Audit, Audited
from nas.reports.figures import face
from nas.reports.tables import number

SIZE = 260
"""Of the plot of ranks, within its axes; in pixels."""


@dataclass(frozen=True)
class Dot:
    """An audited architecture: its rank in the search across, and after full training up."""

    x: float
    y: float
    told: str


@dataclass(frozen=True, kw_only=True)
class Trust:
    """The section of a page."""

    sentence: str
    facts: tuple[tuple[str, str], ...]
    dots: tuple[Dot, ...]
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    readings: tuple[tuple[str, str], ...]
    """Epochs of full training, and how the order after them agrees with that at its end."""


def trust(audit: Audit) -> Trust:
    """The section of `audit`."""
    cheap, real = face(audit.cheap.figure), face(audit.real.figure)

    def told(value: float, figure: str) -> str:
        return number(value / face(figure).scale, face(figure).digits)

    rows = [
        (
            str(row.cheap_rank if row.cheap_rank is not None else "pruned"),
            str(row.real_rank),
            row.architecture.id,
            told(row.cheap, audit.cheap.figure),
            told(row.real, audit.real.figure),
            str(row.seeds),
            f"{row.weight:.3g}",
        )
        for row in (*audit.rows, *audit.pruned)
    ]
    return Trust(
        sentence=audit.sentence,
        facts=tuple(_facts(audit)),
        dots=tuple(_dot(row, n, len(audit.rows)) for n, row in enumerate(audit.rows)),
        headers=(
            "rank in the search",
            "rank in full",
            "architecture",
            f"{cheap.title}, {audit.cheap_budget}",
            f"{real.title}, {audit.real_budget}",
            "seeds",
            "stands for",
        ),
        rows=tuple(rows),
        readings=tuple((f"{reading.epochs:,}", f"{reading.tau:.2f}") for reading in audit.readings),
    )


def _dot(row: Audited, place: int, count: int) -> Dot:
    """Among those audited, which is what both ranks are of here."""
    room = max(1, count - 1)
    told = f"{row.architecture.id}: number {place + 1} by the search, {row.real_rank} in full"
    return Dot(round(place / room * SIZE, 1), round((row.real_rank - 1) / max(room, row.real_rank - 1) * SIZE, 1), told)


def _facts(audit: Audit) -> list[tuple[str, str]]:
    figure = face(audit.real.figure)
    pruned = f", and {len(audit.pruned)} that were pruned" if audit.pruned else ""
    facts = [("Trained in full", f"{len(audit.rows)} of {audit.architectures:,} architectures{pruned}")]
    if audit.tau is not None and audit.low is not None and audit.high is not None:
        facts.append(("Kendall's τ", f"{audit.tau:.2f} (95 % {audit.low:.2f} to {audit.high:.2f})"))
    if audit.ceiling is not None:
        facts.append(("A perfect order's τ", f"{audit.ceiling:.2f}, since full training has luck too"))
    if audit.regret is not None:
        short = f"{audit.regret:.3g} {figure.words}: the best audited against what the search puts first"
        facts.append(("Regret", short if audit.regret else "none: what the search puts first is the best of those audited"))
    if audit.noise is not None:
        facts.append(("Luck of training", f"{audit.noise:.2g} {figure.words}, standard deviation from seed to seed"))
    if audit.readings:
        enough = f"from {audit.enough:,} epochs on" if audit.enough is not None else "at none of the epochs that were read"
        facts.append(("Orders as full training does", f"{enough} (τ of at least 0.8)"))
    return facts
