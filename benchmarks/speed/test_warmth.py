"""The first candidate of a process against the tenth, in processes that were warmed and in processes that were not.

One architecture, as the first of its process and as the tenth of another, after nine others, so that torch knows its shapes as
little here as there. In seconds of the processor, latency sampled as briefly as can be: what is left is what a candidate costs.
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
warming = time.process_time() - begin
rng = random.Random(0)
one, *others = [space.sample(rng) for _ in range(10)]
for architecture in [one] if sys.argv[2] == "first" else [*others, one]:
    begin = time.process_time()
    evaluate(architecture, budget=Budget(epochs=1, fraction=0.1), seed=0)
print(json.dumps([warming, time.process_time() - begin]))
"""


def seconds(*how: str) -> tuple[float, float]:
    """Of warming, and of the architecture, as `how` says: "warm" or "cold", "first" or "tenth"."""
    told = subprocess.run([sys.executable, "-c", CANDIDATES, *how], capture_output=True, text=True, check=True).stdout
    warming, candidate = json.loads(told)
    return warming, candidate


def test_the_first_candidate_is_no_slower_than_the_tenth(benchmark: BenchmarkFixture, lines: list[str]) -> None:
    first: list[tuple[float, float]] = []
    benchmark.pedantic(lambda: first.append(seconds("warm", "first")), rounds=1 if benchmark.disabled else PROCESSES)
    tenth = [seconds("warm", "tenth") for _ in first]
    cold = [seconds("cold", "first") for _ in first]
    found, without = (median(one / ten for (_, one), (_, ten) in zip(side, tenth, strict=True)) for side in (first, cold))
    warming = median(spent for spent, _ in first)
    lines.append(f"first candidate / tenth: {found:.2f} (goal <= {GOAL}) after {warming:.2f} s of warming, {without:.2f} without")
    benchmark.extra_info |= {"ratio": found, "goal": GOAL, "cold": without}
    if not benchmark.disabled:
        assert found <= GOAL
