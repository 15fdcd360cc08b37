"""Two workers against one: the same search of small real trainings, in turns.

What is made once for all candidates, a process that loads torch and the data, is left out: it is there before the first begins.
"""

from pathlib import Path
from statistics import median

import pytest
from beside import CANDIDATES, candidates_a_second

from nas.records.machine import usable_cores

pytestmark = [pytest.mark.benchmark(group="workers"), pytest.mark.timeout(900)]

ROUNDS = 3
GOAL = 1.7


@pytest.mark.skipif(usable_cores() < 2, reason="two workers need two cores")
def test_two_workers_train_more_candidates_than_one(lines: list[str], tmp_path: Path) -> None:
    ratios = []
    for number in range(ROUNDS):
        one, two = (candidates_a_second(workers, f"sqlite:///{tmp_path}/{number}-{workers}.sqlite") for workers in (1, 2))
        ratios.append(two / one)
    line = f"candidates a second, 2 workers / 1, {CANDIDATES} trainings: ratio {median(ratios):.2f} (goal >= {GOAL})"
    lines.append(line)
    assert median(ratios) >= GOAL, line
