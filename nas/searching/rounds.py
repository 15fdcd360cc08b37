"""Rounds: what comes of their candidates is heard together, in the order of the numbers, whichever ended first."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from nas.records import Record, Trial
from nas.searching.driving import Work


@dataclass
class Round:
    """The round under way; without a `size` there are none, and each result is heard at once."""

    size: int | None
    end: int = 0
    """The number after its last."""
    open: set[int] = field(default_factory=set)
    """Numbers that have no result yet."""
    heard: dict[int, tuple[Work, Trial, Record]] = field(default_factory=dict)
    """Number → what came of it, and has not been told."""
    fresh: int = 0
    """Of its candidates those that have, or may get, a new result."""

    def begin(self, number: int) -> None:
        """Be in the round of `number`."""
        if self.size is not None:
            self.end = (number // self.size + 1) * self.size

    def takes(self, number: int) -> bool:
        """Whether `number` may be asked for before what is open has been told."""
        return self.size is None or number < self.end

    @property
    def holds(self) -> bool:
        """Whether anything of it is still to be told."""
        return bool(self.open or self.heard)

    def told(self) -> Iterator[tuple[Work, Trial, Record]]:
        """What came of it, in the order of the numbers; the round is then over."""
        heard = [self.heard[number] for number in sorted(self.heard)]
        self.heard.clear()
        self.fresh = 0
        yield from heard
