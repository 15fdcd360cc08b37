import json
import subprocess
import sys
from typing import Any

import pytest
import torch

from nas.errors import SpaceError
from nas.profiling.warmth import warm_process
from nas.space import Layer, Space

CANDIDATE = """
import gc, json, sys
from nas.benchmark import Budget
from nas.evaluation import Evaluator
from nas.profiling.warmth import warm_process
from nas.searching import resolve_benchmark, resolve_space
import random

space = resolve_space("residual_cnn")
evaluate = Evaluator(space, resolve_benchmark("digits"))
if {warm}:
    warm_process(space, evaluate.device)
before, tracked = set(sys.modules), len(gc.get_objects())
record = evaluate(space.sample(random.Random(0)), budget=Budget(epochs=1, fraction=0.05), seed=0)
told = dict(outcome=record.outcome, imported=sorted(set(sys.modules) - before), tracked=tracked)
print(json.dumps(told))
"""


def first_candidate(*, warm: bool) -> Any:
    """What a fresh process tells of its first candidate."""
    done = subprocess.run([sys.executable, "-c", CANDIDATE.format(warm=warm)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.slow
def test_the_first_candidate_of_a_warm_process_imports_nothing_and_leaves_little_to_search_for_garbage() -> None:
    told = first_candidate(warm=True)
    assert told["outcome"] == "complete"
    assert told["imported"] == []
    assert told["tracked"] < 10_000  # of a million objects that torch and its company are made of


def tiny(layer: str) -> Space:
    return Space(name="tiny", version=1, accepts="image", layers=(Layer(layer, {}),))


def test_warming_leaves_random_numbers_as_they_were() -> None:
    before = torch.get_rng_state()
    warm_process(tiny("head"), torch.device("cpu"))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_layer_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SpaceError, match="hed"):
        warm_process(tiny("hed"), torch.device("cpu"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_warmed_too() -> None:
    device = torch.device("cuda", torch.cuda.device_count() - 1)
    warm_process(tiny("head"), device)
    assert torch.cuda.memory_reserved(device) > 0
