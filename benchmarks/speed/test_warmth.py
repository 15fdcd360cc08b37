"""The first candidate of a process against the tenth, each in a process that was warmed and in one that was not.

The same architecture ten times, in seconds of the processor, latency sampled as briefly as can be: what is left is what a
candidate is made of.
"""

import json
import subprocess
import sys
from statistics import median

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

pytestmark = [pytest.mark.benchmark(group="start"), pytest.mark.timeout(900)]

PROCESSES = 3
GOAL = 1.25
CANDIDATES = """
import json, random, sys, time
from nas.benchmark import Budget
from nas.evaluation import Evaluator
from nas.profiling import latency
from nas.profiling.warmth import warm_process
from nas.searching import resolve_benchmark, resolve_space

latency.WARMUP_SECONDS = latency.SAMPLE_SECONDS = 0.0
space = resolve_space("residual_cnn")
evaluate = Evaluator(space, resolve_benchmark("digits"))
begin = time.process_time()
if sys.argv[1] == "warm":
    warm_process(space, evaluate.device)
seconds = [time.process_time() - begin]
architecture = space.sample(random.Random(0))
for _ in range(10):
    begin = time.process_time()
    evaluate(architecture, budget=Budget(epochs=1, fraction=0.1), seed=0)
    seconds.append(time.process_time() - begin)
print(json.dumps(seconds))
"""


def seconds(how: str) -> list[float]:
    """Of warming, and of ten candidates."""
    command = [sys.executable, "-c", CANDIDATES, how]
    told: list[float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return told


def first_to_tenth(runs: list[list[float]]) -> float:
    return median(run[1] / run[10] for run in runs)


def test_the_first_candidate_is_no_slower_than_the_tenth(benchmark: BenchmarkFixture, lines: list[str]) -> None:
    warm: list[list[float]] = []
    benchmark.pedantic(lambda: warm.append(seconds("warm")), rounds=1 if benchmark.disabled else PROCESSES)
    cold = [seconds("cold") for _ in warm]
    found = first_to_tenth(warm)
    lines.append(
        f"first candidate / tenth: {found:.2f} (goal <= {GOAL}) after {median(run[0] for run in warm):.2f} s of warming, "
        f"{first_to_tenth(cold):.2f} without"
    )
    benchmark.extra_info |= {"ratio": found, "goal": GOAL, "cold": first_to_tenth(cold)}
    if not benchmark.disabled:
        assert found <= GOAL
