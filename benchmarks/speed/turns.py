"""Two sides measured in turns on one machine in one run, so that their ratio holds where seconds do not.

Other work on the machine comes and goes: what slows one side slows the other, which runs directly before or after it.
So each round gives a ratio, and the median of these is the figure. On a busy machine it strays less than the ratio of the
two best times, since there no run of more than a few milliseconds is left alone.
"""

from collections.abc import Callable
from statistics import median
from typing import Any, Protocol

from pytest_benchmark.fixture import BenchmarkFixture

Side = Callable[..., None]
Clock = Callable[[], float]
Prepare = Callable[[], tuple[Any, ...]]


class SideBySide(Protocol):
    """The fixture `side_by_side`."""

    def __call__(self, name: str, ours: Side, theirs: Side, *, goal: float, rounds: int, prepare: Prepare = tuple) -> None:
        """Fail where ours takes more than `goal` times theirs.

        `prepare` makes the arguments of each run anew; making them is not timed.
        """


def take_turns(benchmark: BenchmarkFixture, ours: Side, theirs: Side, prepare: Prepare, rounds: int, clock: Clock) -> list[float]:
    """Measure ours as pytest-benchmark does, and theirs directly before each of its rounds; returns the times of theirs."""
    seconds: list[float] = []

    def their_turn() -> tuple[tuple[Any, ...], dict[str, Any]]:
        arguments = prepare()
        begin = clock()
        theirs(*arguments)
        seconds.append(clock() - begin)
        return prepare(), {}

    benchmark.pedantic(ours, setup=their_turn, rounds=rounds)
    return seconds


def ratio(ours: list[float], theirs: list[float]) -> float:
    """The median, over the rounds, of our time as a multiple of theirs."""
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))
