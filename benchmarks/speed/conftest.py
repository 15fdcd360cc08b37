"""What every suite here shares: the fixture that measures two sides in turns, and the ratios printed at the end."""

import time

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from turns import Clock, Prepare, Side, SideBySide, ratio, take_turns

LINES = pytest.StashKey[list[str]]()
"""One line a ratio, for the end of the run."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LINES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in sorted(config.stash[LINES]):
        terminalreporter.write_line(line)


@pytest.fixture
def lines(pytestconfig: pytest.Config) -> list[str]:
    """What is printed at the end of the run."""
    return pytestconfig.stash[LINES]


@pytest.fixture
def clock(request: pytest.FixtureRequest) -> Clock:
    """The one that the mark `benchmark(timer=…)` gives pytest-benchmark too."""
    marks = [mark.kwargs["timer"] for mark in request.node.iter_markers("benchmark") if "timer" in mark.kwargs]
    return marks[0] if marks else time.perf_counter


@pytest.fixture
def side_by_side(benchmark: BenchmarkFixture, clock: Clock, pytestconfig: pytest.Config) -> SideBySide:
    """Measures two sides in turns, notes their ratio, and holds it to the goal."""

    def measure(name: str, ours: Side, theirs: Side, *, goal: float, rounds: int, prepare: Prepare = tuple) -> None:
        seconds = take_turns(benchmark, ours, theirs, prepare, rounds, clock)
        if benchmark.disabled:
            return  # each side ran once, to see that it runs; a single run measures nothing
        found = ratio(benchmark.stats.stats.data, seconds)
        line = f"{name}: ratio {found:.2f} (goal <= {goal:.2f})"
        benchmark.extra_info |= {"ratio": found, "goal": goal, "theirs_seconds": seconds}
        pytestconfig.stash[LINES].append(line)
        assert found <= goal, line

    return measure
