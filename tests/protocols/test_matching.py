"""Retrieval without classes: a space in which pictures, series and texts of a group find each other."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_rows import INPUT, rows, task
from toy_rows import benchmark as classified

from nas.benchmark import Benchmark, Budget, Features, Image, Objective, Recipe, Signature
from nas.errors import BenchmarkError, Interrupted, ModelError
from nas.evaluation import Evaluator
from nas.models import build, plan
from nas.profiling import latency
from nas.protocols.contrastive import contrastive_loss
from nas.protocols.matching import Matching, Retrieval
from nas.protocols.retrieval import Recall, belonging
from nas.space import Architecture, parse_space
from nas.training import Checkpoints, Setup

BUDGET = Budget(epochs=2)

SPACE = parse_space("""
name: toy_pairs
version: 1
accepts: modalities
layers:
  - parallel: encoders
    merge: join
    branches:
      image: [modality: {name: image}, patch_embedding: {size: 2, features: 8}]
      series: [modality: {name: series}, embedding: {features: 8, dropout: 0.1}]
      text: [modality: {name: text}, embedding: {features: 8}]
  - shared_space: {temperature: [0.1, 0.2]}
  - shared_vectors
""")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr("nas.evaluation.candidate.load_task", lambda *_: retrieval())


def retrieval() -> Retrieval:
    """Rows of which those of one class belong together."""
    return Retrieval(task().examples, modalities=INPUT.names)


def benchmark(recipe: Recipe = Recipe(batch_size=8, learning_rate=0.01), **changes: Any) -> Benchmark:  # noqa: B008 - frozen
    asked: dict[str, Any] = {
        "protocol": "retrieval",
        "protocol_options": {},
        "signature": Signature(INPUT, Features(12)),
        **changes,
    }
    return replace(classified(recipe), objectives=(Objective("validation_recall_at_5", "maximize"),), **asked)


def architecture(temperature: float = 0.2) -> Architecture:
    return SPACE.architecture({"shared_space.temperature": temperature})


def evaluator(**changes: Any) -> Evaluator:
    return Evaluator(SPACE, benchmark(**changes), device="cpu")


def test_a_finalist_finds_in_every_direction_and_is_better_than_chance() -> None:
    record = evaluator(recipe=Recipe(batch_size=16, learning_rate=0.01))(
        architecture(), budget=Budget(epochs=8), seed=0, final=True
    )
    assert record.outcome == "complete", record.error
    ways = {f"recall_at_{k}_{one}_to_{other}" for k in (1, 5, 10) for one in INPUT.names for other in INPUT.names if one != other}
    means = {"recall_at_1", "recall_at_5", "recall_at_10"}
    told = {split: {n.partition("_")[2] for n in record.figures if n.startswith(f"{split}_")} for split in ("validation", "test")}
    assert told == {"validation": means, "test": means | ways}
    assert record.figures["test_recall_at_1"] > 0.45, "of three groups, a third by chance"


def test_the_network_ends_in_vectors_of_length_one_whose_products_are_the_losss_cosines() -> None:
    model = build(SPACE, architecture(), benchmark().signature, seed=0).eval()
    outputs, targets = model(rows(9, 0).inputs), rows(9, 0).targets
    vectors = retrieval().vectors(outputs)
    assert vectors.shape == (9, 3, 4)
    assert torch.allclose(vectors.norm(dim=-1), torch.ones(9, 3), atol=1e-5)
    present, alike = torch.ones(9, 3, dtype=torch.bool), belonging(targets, by_class=True)
    for temperature in (0.1, 0.2):
        found = replace(retrieval(), temperature=temperature).loss(outputs, targets, 0.0)
        assert torch.allclose(found, contrastive_loss(vectors, present, alike, temperature))


def test_a_candidates_temperature_is_that_of_its_loss() -> None:
    def method(temperature: float) -> Any:
        parts = plan(SPACE, architecture(temperature), benchmark().signature)
        feed = retrieval().examples
        return Matching(Setup(benchmark=benchmark(), task=retrieval(), parts=parts, feed=feed, budget=BUDGET, seed=0)).method()

    assert [method(t).task.temperature for t in (0.1, 0.2)] == [0.1, 0.2]
    assert method(0.1).identity != method(0.2).identity
    assert not method(0.1).splits


def test_a_training_that_was_killed_within_an_epoch_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    whole = evaluator()(architecture(), budget=BUDGET, seed=3)
    taken: list[object] = []
    with pytest.raises(Interrupted):
        evaluator()(
            architecture(),
            budget=BUDGET,
            seed=3,
            on_step=taken.append,
            checkpoints=Checkpoints(tmp_path, 1e9),
            stopping=lambda: len(taken) == 8,  # of 6 an epoch
        )
    found = evaluator()(architecture(), budget=BUDGET, seed=3, checkpoints=Checkpoints(tmp_path, 1e9))
    assert found.weights_sha256 == whole.weights_sha256 is not None
    assert "Went on from a checkpoint after step 8 of 12." in found.notes


def test_recall_of_many_is_that_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    vectors, targets = torch.randn(23, 2, 3, generator=generator), torch.randint(9, (23,), generator=generator)

    def found(at_once: int) -> dict[str, float]:
        monkeypatch.setattr("nas.protocols.retrieval.AT_ONCE", at_once)
        meter = Recall(["a", "b"], by_class=True, by_direction=True)
        meter.update(vectors, targets)
        return meter.compute()

    assert found(5) == found(100)


def test_what_is_no_retrieval_is_refused() -> None:
    setup = Setup(benchmark=benchmark(), task=task(), parts=(), feed=task().examples, budget=BUDGET, seed=0)
    with pytest.raises(BenchmarkError) as caught:
        Matching(setup)
    assert str(caught.value).startswith(
        "The protocol 'retrieval' is for tasks of the kind Retrieval on several modalities, got Classification on "
    )
    one = benchmark(signature=Signature(Image(1, 4, 4), Features(12)))
    with pytest.raises(BenchmarkError, match="got Retrieval on an image of 1×4×4"):
        Matching(replace(setup, benchmark=one, task=retrieval()))
    with pytest.raises(ModelError, match="a vector for each of 3 modalities is not a vector of 13 features; join as many as"):
        plan(SPACE, architecture(), Signature(INPUT, Features(13)))
