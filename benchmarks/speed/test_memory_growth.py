"""A hundred candidates one after another in one process: what stays in memory once each is done.

Every candidate is counted twice, built, measured, trained and validated. The first ten are not looked at: with them libraries
load what they need, and the allocator takes what it will use again.
"""

import random

import pytest

from nas.benchmark import Budget
from nas.device import resident_bytes
from nas.evaluation import Evaluator
from nas.searching import resolve_benchmark, resolve_space

pytestmark = [pytest.mark.benchmark(group="memory"), pytest.mark.timeout(900)]

FIRST = 10
CANDIDATES = 100
MOST_MIB = 50


@pytest.mark.skipif(resident_bytes() is None, reason="the system does not tell how much memory a process holds")
def test_a_hundred_candidates_leave_nothing_behind(lines: list[str]) -> None:
    space, benchmark = resolve_space("residual_cnn"), resolve_benchmark("digits")
    evaluate = Evaluator(space, benchmark, device="cpu")
    chance = random.Random(0)  # noqa: S311 - no secret
    budget = Budget(epochs=1, fraction=0.1)
    held = []
    for _ in range(FIRST + CANDIDATES):
        record = evaluate(space.sample(chance), budget=budget, seed=0)
        assert record.outcome == "complete"
        held.append(resident_bytes() or 0)
    growth = (held[-1] - held[FIRST - 1]) / 2**20
    line = f"resident memory after {CANDIDATES} more candidates: {growth:+.1f} MiB (goal <= {MOST_MIB})"
    lines.append(line)
    assert growth <= MOST_MIB, line
