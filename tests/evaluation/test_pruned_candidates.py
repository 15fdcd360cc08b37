"""Candidates that are left untrained, or stopped between their replicates."""

import json
from collections.abc import Mapping
from statistics import fmean

import pytest

from benchmarks.digits import BENCHMARK
from nas.benchmark import Budget
from nas.evaluation import Evaluator
from nas.records import Record
from nas.space import parse_space

BUDGET = Budget(epochs=2, fraction=0.1)
SPACE = parse_space("{name: tiny, version: 1, accepts: image, layers: [conv: {features: [4, 8]}, head]}")
ARCHITECTURE = SPACE.architecture({"conv.features": 4})


def evaluator(replicates: int = 1) -> Evaluator:
    return Evaluator(SPACE, BENCHMARK, device="cpu", replicates=replicates)


def again(record: Record) -> Record:
    return Record.from_data(json.loads(json.dumps(record.to_data())))


def test_a_candidate_may_be_left_untrained_by_what_is_known_before() -> None:
    told: list[Mapping[str, float]] = []
    record = evaluator()(ARCHITECTURE, budget=BUDGET, seed=0, on_known=lambda figures: bool(told.append(figures)) or True)
    (figures,) = told
    assert {"params", "flops", "latency_ms", "peak_memory_bytes"} <= figures.keys()
    assert dict(figures) == dict(record.figures)
    assert (record.outcome, record.curve, record.latency is None) == ("pruned", (), False)
    assert record.notes[-1] == "It was not trained: by what is known before, it could not reach the Pareto front."
    assert again(record) == record


def test_what_is_known_before_training_changes_nothing_where_it_is_let_on() -> None:
    given = {"budget": BUDGET, "seed": 3}
    record = evaluator()(ARCHITECTURE, on_known=lambda _: False, **given)  # type: ignore[arg-type]
    plain = evaluator()(ARCHITECTURE, **given)  # type: ignore[arg-type]
    assert record.outcome == "complete"
    assert [point.figures for point in record.curve] == [point.figures for point in plain.curve]


def test_replicates_may_be_stopped_and_have_the_mean_of_those_that_were_trained() -> None:
    told: list[tuple[int, float]] = []

    def on_replicate(number: int, figures: Mapping[str, float]) -> bool:
        told.append((number, figures["validation_loss"]))
        return number == 1

    record = evaluator(4)(ARCHITECTURE, budget=BUDGET, seed=5, on_replicate=on_replicate, final=True)
    whole = evaluator(4)(ARCHITECTURE, budget=BUDGET, seed=5)
    assert (record.outcome, whole.outcome) == ("pruned", "complete")
    assert [one.seed for one in record.replicates] == [5, 6]
    assert [one.figures for one in record.replicates] == [one.figures for one in whole.replicates[:2]]
    assert told == [(number, one.figures["validation_loss"]) for number, one in enumerate(record.replicates)]
    assert record.figures["validation_loss"] == fmean(loss for _, loss in told)
    assert record.notes[-1] == "It was stopped after 2 of 4 replicates, of which figures are means."
    assert "test_accuracy" not in record.figures
    assert again(record) == record


def test_a_candidate_whose_last_replicate_is_told_to_be_the_last_is_complete() -> None:
    record = evaluator(2)(ARCHITECTURE, budget=BUDGET, seed=5, on_replicate=lambda number, _: number == 1)
    assert (record.outcome, len(record.replicates)) == ("complete", 2)


@pytest.mark.parametrize("which", ["on_known", "on_replicate"])
def test_an_error_of_who_is_told_is_none_of_the_candidates(which: str) -> None:
    def told(*_: object) -> bool:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match=r"^the disk is full$"):
        evaluator(2)(ARCHITECTURE, budget=BUDGET, seed=0, **{which: told})  # type: ignore[arg-type]
