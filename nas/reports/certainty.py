"""How sure a leaderboard is, in words and cells."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from nas.ranking import Row, Table
from nas.ranking.certainty import ALPHA, MOST_ROWS
from nas.reports.figures import face

TEST = "t test of all pairs by seed, corrected by step-down max-t"
"""What tells rows apart."""

_PLACES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def certainty_words(table: Table) -> str:
    """Whether the first is the first, and from whom it cannot be told, in a sentence; empty where nothing is known.

    A table of more rows than are tested says so.
    """
    first = table.rows[0].certainty if table.rows else None
    tested = [row for row in table.rows if not row.broken]
    if first is None and len(tested) > MOST_ROWS and any(len(row.trials) > 1 for row in tested):
        return (
            f"How sure this order is was not reckoned: that is done for {MOST_ROWS} rows at most, and these are {len(tested):,}."
        )
    if first is None or (len(table.rows) == 1 and first.first == 1):  # there is no other
        return ""
    chance = _probability(first.first)
    if len(table.objectives) > 1:
        return f"The first is on the true front of its objectives with a probability {chance}."
    like = [place for place, row in enumerate(table.rows, start=1) if place > 1 and row.certainty and row.certainty.like_first]
    told = f"it {'cannot' if like else 'can'} be told from {_named(like) if like else 'every other'} ({TEST}, {ALPHA:.0%})"
    return f"The first is really the first with a probability {chance}; {told.replace('5%', '5 %')}."


def _named(places: Sequence[int]) -> str:
    """The rows at these places, which are in order: "the second to fifth and the eighth"."""
    spans: list[list[int]] = []
    for place in places:
        if spans and place == spans[-1][-1] + 1:
            spans[-1].append(place)
        else:
            spans.append([place])
    words = [word for span in spans for word in _span(span)]
    return f"the {words[0]}" if len(words) == 1 else f"the {', '.join(words[:-1])} and {words[-1]}"


def _span(places: Sequence[int]) -> list[str]:
    """Places that follow each other; three or more in one."""
    ends = [_PLACES[place - 1] if place <= len(_PLACES) else f"row {place}" for place in (places[0], places[-1])]
    return ends[: len(places)] if len(places) < 3 else [f"{ends[0]} to {ends[1]}"]


def _probability(chance: float) -> str:
    """With two digits, of which neither is made up."""
    return "above 0.99" if chance > 0.99 else "below 0.01" if chance < 0.01 else f"of {chance:.2f}"


def rank_text(row: Row) -> str:
    """Its rank, with a sign where others cannot be told apart from it."""
    return row.place


def uncertain(table: Table) -> list[str]:
    """The objectives whose true mean is not known exactly."""
    known = [row.certainty.intervals for row in table.rows if row.certainty]
    return [goal.figure for goal in table.objectives if any(one[goal.figure].low < one[goal.figure].high for one in known)]


def interval_text(row: Row, figure: str) -> str:
    """The 95 % interval of the true mean of an objective, in the unit of its column; empty where it is not known."""
    found = row.certainty.intervals.get(figure) if row.certainty else None
    if found is None:
        return ""
    told = face(figure)
    low, high = (f"{end / told.scale:,.{told.digits}f}" for end in (found.low, found.high))
    return f"{low}–{high}"


def first_text(row: Row) -> str:
    """How probable it is that the row is the best, or on the true front; empty where nothing tells."""
    return row.certainty.chance if row.certainty else ""


def certainty_data(row: Row) -> dict[str, Any] | None:
    """What is known of a row as plain data, ready for JSON."""
    return {**asdict(row.certainty), "places": [*row.certainty.places]} if row.certainty else None
