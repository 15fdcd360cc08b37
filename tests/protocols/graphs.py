"""A small graph with a rule: nine people in a circle, each of whom knows the next and likes the one after that."""

from pathlib import Path

import pytest

from nas.benchmark import Benchmark, Budget, Objective, Recipe
from nas.profiling import latency
from nas.protocols.triples import LinkPrediction, Triple, link_prediction

PEOPLE = 9


def triples() -> list[Triple]:
    steps = {"knows": 1, "likes": 2, "hates": 4}
    return [(f"p{n}", relation, f"p{(n + by) % PEOPLE}") for n in range(PEOPLE) for relation, by in steps.items()]


def task() -> LinkPrediction:
    """27 triples, of which two are for validation and two for the test."""
    every = triples()
    return link_prediction(every[4:], every[:2], every[2:4])


def load(_: Path | None) -> LinkPrediction:
    """What a benchmark names."""
    return task()


GRAPH = task()

BENCHMARK = Benchmark(
    name="circle",
    version=1,
    summary="nine people in a circle",
    signature=GRAPH.signature,
    objectives=(Objective("validation_mrr", "maximize"),),
    budget=Budget(epochs=3),
    final_budget=Budget(epochs=3),
    recipe=Recipe(batch_size=16, learning_rate=0.02, weight_decay=0),
    task="graphs:load",
    source="here",
    licence="none",
    protocol="link_prediction",
)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time is spent on latency."""
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)
