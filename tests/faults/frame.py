"""The frame of the fault suite: each row of its table says what is done to the harness, how often, and what must come of it.

    Row.run(Scene) → Outcome      what was counted, and each way in which the goal was missed

To add a row: write a function of a Scene that returns an Outcome, put a `Row` of it into the ROWS of its module, and that module
into `rows.py`. The short form is then among the tests, and the long form in `make faults`.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postgres import Server


class NotHere(Exception):
    """What a row needs is not on this machine; says what."""


def _no_server() -> "Server":
    raise NotHere("no PostgreSQL server was started")


@dataclass
class Scene:
    """Where a row plays, and how often."""

    folder: Path
    """An empty one."""
    times: int
    """How often the fault is to strike."""
    rng: random.Random = field(default_factory=random.Random)
    tell: Callable[[int], None] = lambda _: None
    """Is told, now and then, how often it has struck."""
    server: "Callable[[], Server]" = _no_server
    """A PostgreSQL server that runs. Raises NotHere where there is none."""
    short: bool = False
    """Whether it is among the tests, where seconds are dear and other work goes on."""

    def sqlite(self, name: str = "nas") -> str:
        """The URL of a ledger in the folder."""
        return f"sqlite:///{self.folder}/{name}.sqlite"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a row."""

    times: int
    """How often the fault struck."""
    result: str
    """What was counted, as the table says it."""
    counts: Mapping[str, float]
    """The same for machines."""
    missed: Sequence[str] = ()
    """Each way in which the goal was missed, as a sentence."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A fault, and what the harness must do about it."""

    name: str
    """For the command line: a slug."""
    test: str
    """What is done, as the table says it."""
    goal: str
    how: str
    """How it is done and counted, in a sentence or two."""
    short: int
    """How often in the tests; 0 to leave it out there."""
    long: int
    """How often in `make faults`."""
    run: Callable[[Scene], Outcome]
    slow: bool = False
    """Whether the short form takes more than ten seconds."""


def spread(seconds: Sequence[float]) -> str:
    """Median and largest, in words."""
    return f"median {median(seconds):.2f} s, longest {max(seconds):.2f} s" if seconds else "never"
