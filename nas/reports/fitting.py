"""A table in as many columns as a terminal has room for: what a reader needs first stays, the rest leaves column by column.

    whole titles → a word of them a line → columns close together → without what follows from others → intervals below values
    → without further objectives → …

The first of these in which there is room for all that it has is drawn, and filled up with costs where there is room for more.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.table import Table as RichTable
from rich.text import Text

WRAPPED = 24
"""Characters that a column of words may be narrowed to, unless one word is longer."""


class Leaves(IntEnum):
    """When a column leaves a table that is too wide; of equals the last goes first."""

    FIRST = 0
    """A cost: it is there where there is room for it."""
    EARLY = 1
    """Something that people can do without, or that follows from others."""
    LATE = 2
    """What decides, but not first."""
    LAST = 3
    """What is needed to read the others."""
    NEVER = 4


@dataclass(frozen=True, kw_only=True)
class Column:
    """One of a table, with the text of each row."""

    title: str
    cells: Sequence[str]
    leaves: Leaves = Leaves.NEVER
    right: bool = True
    wraps: bool = False
    """Whether its words may go on below."""
    interval: Sequence[str] = ()
    """Of each cell's value, to be told beside or below it; none where it is not known."""


@dataclass(frozen=True)
class Look:
    """How tightly a table is drawn."""

    broken: bool = False
    """A word of a title a line."""
    close: bool = False
    """One space between columns in place of three."""
    stacked: bool = False
    """Intervals below their values."""

    def spread(self, columns: Sequence[Column]) -> list[Column]:
        """The columns as they are drawn, each interval in one of its own or below."""
        drawn: list[Column] = []
        for one in columns:
            if one.interval and self.stacked:
                both = [f"{cell}\n{beside}" for cell, beside in zip(one.cells, one.interval, strict=True)]
                drawn.append(Column(title=one.title, cells=both))
            else:
                drawn.append(one)
                drawn += [Column(title="95 % interval", cells=one.interval)] if one.interval else []
        return drawn

    def title(self, column: Column) -> str:
        """As it is written above."""
        return re.sub(r" (?!%)", "\n", column.title) if self.broken else column.title

    def width(self, columns: Sequence[Column]) -> int:
        """Of the whole table."""
        drawn = self.spread(columns)
        return sum(map(self._width, drawn)) + (1 if self.close else 3) * (len(drawn) - 1)

    def _width(self, column: Column) -> int:
        texts = [self.title(column), *column.cells]
        whole = max(cell_len(line) for text in texts for line in text.split("\n"))
        if not column.wraps:
            return whole
        return max(min(whole, WRAPPED), *(cell_len(word) for text in texts for word in text.split() or [""]))

    def draw(self, columns: Sequence[Column], styles: Sequence[str]) -> RichTable:
        """The table; `styles` are those of its rows."""
        grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 0 if self.close else 1))
        drawn = self.spread(columns)
        for one in drawn:
            justify: Literal["left", "right"] = "right" if one.right else "left"
            grid.add_column(Text(self.title(one)), justify=justify, no_wrap=not one.wraps)
        for place, style in enumerate(styles):
            grid.add_row(*(Text(one.cells[place], style=style) for one in drawn))
        return grid


def fit(columns: Sequence[Column], styles: Sequence[str], width: int) -> tuple[RichTable, list[str]]:
    """The table in which there is room for most, and the titles of what it leaves out; there is a width that none fits in."""
    needed = [one for one in columns if one.leaves is not Leaves.FIRST]
    rungs = [*_rungs(needed)]
    look, shown = next(((look, some) for look, some in rungs if look.width(some) <= width), rungs[-1])
    if len(shown) == len(needed):
        for one in columns:
            more = [other for other in columns if other in shown or other is one]
            if one.leaves is Leaves.FIRST and look.width(more) > width:
                break
            shown = more
    return look.draw(shown, styles), [one.title for one in columns if one not in shown]


def _rungs(needed: Sequence[Column]) -> Iterator[tuple[Look, list[Column]]]:
    """Ways to draw what is needed, each narrower than the one before."""
    shown = [*needed]
    yield Look(), shown
    yield Look(broken=True), shown
    look = Look(broken=True, close=True)
    yield look, shown
    for leaves in (Leaves.EARLY, Leaves.LATE, Leaves.LAST):
        for one in [one for one in reversed(needed) if one.leaves is leaves]:
            shown = [other for other in shown if other is not one]
            yield look, shown
        if not look.stacked:
            look = Look(broken=True, close=True, stacked=True)
            yield look, shown
