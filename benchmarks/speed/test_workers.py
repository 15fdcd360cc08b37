"""Two workers against one: the same search of small real trainings, in turns.

What is made once for all candidates, a process that loads torch and the data, is left out: it is there before the first begins.
Where other work has a core, a second worker cannot have it: such rounds say nothing, and are left out.
"""

import os
import time
from pathlib import Path
from statistics import median

import pytest
from beside import CANDIDATES, candidates_a_second

from nas.records.machine import usable_cores

pytestmark = [pytest.mark.benchmark(group="workers"), pytest.mark.timeout(900)]

ROUNDS = 3
GOAL = 1.7


FREE_CORES = 1.6
"""Of two, before and after a round that counts."""


def free_cores(seconds: float = 2.0) -> float:
    """Cores that nobody used for so long; endless where the system does not tell."""

    def idle() -> float:
        words = Path("/proc/stat").read_text().split()
        return (int(words[4]) + int(words[5])) / os.sysconf("SC_CLK_TCK")

    try:
        before = idle()
    except OSError:
        return float("inf")
    time.sleep(seconds)
    return (idle() - before) / seconds


@pytest.mark.skipif(usable_cores() < 2, reason="two workers need two cores")
def test_two_workers_train_more_candidates_than_one(lines: list[str], tmp_path: Path) -> None:
    ratios = []
    for number in range(ROUNDS):
        if free_cores() < FREE_CORES:
            continue
        one, two = (candidates_a_second(workers, f"sqlite:///{tmp_path}/{number}-{workers}.sqlite") for workers in (1, 2))
        if free_cores() >= FREE_CORES:
            ratios.append(two / one)
    if not ratios:
        pytest.skip("other work had one of the two cores in every round")
    line = f"candidates a second, 2 workers / 1, {CANDIDATES} trainings: ratio {median(ratios):.2f} (goal >= {GOAL})"
    lines.append(line)
    assert median(ratios) >= GOAL, line
