"""Networks of several modalities classify, also where one is missing, and share a space: trained, stopped, measured, counted."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from toy_rows import INPUT, SPACE, architecture, benchmark, evaluator, rows, task

from nas.benchmark import Budget, Features, Image, Recipe
from nas.errors import BenchmarkError, Interrupted, ModelError
from nas.evaluation import Evaluator
from nas.models import build, cost, plan
from nas.models.layers.modality import SharedSpace
from nas.profiling import latency
from nas.protocols.contrastive import Comparison, Contrastive, Encoders, Lacking, contrastive_loss, find_encoders
from nas.protocols.retrieval import Recall
from nas.space import parse_space
from nas.training import Checkpoints

BUDGET = Budget(epochs=2)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr("nas.evaluation.candidate.load_task", lambda *_: task())


def comparison(**options: Any) -> Comparison:
    return Comparison(task(), Recipe(batch_size=8, learning_rate=0.01), 3, given=INPUT, read=INPUT.names, **options)


# What is measured


def test_a_finalist_tells_accuracy_with_and_without_each_modality_and_recall_in_every_direction() -> None:
    record = evaluator(Recipe(batch_size=8, learning_rate=0.03))(architecture(), budget=Budget(epochs=10), seed=0, final=True)
    assert record.outcome == "complete", record.error
    names = INPUT.names
    expected = {"accuracy", "loss", *(f"accuracy_without_{name}" for name in names)}
    means = {f"recall_at_{k}" for k in (1, 5, 10)}
    alone = {f"accuracy_with_{name}_alone" for name in names}
    ways = {f"recall_at_{k}_{one}_to_{other}" for k in (1, 5, 10) for one in names for other in names if one != other}
    told = {split: {n.partition("_")[2] for n in record.figures if n.startswith(f"{split}_")} for split in ("validation", "test")}
    assert told == {"validation": expected | means, "test": expected | means | alone | ways}
    assert record.figures["test_accuracy"] > 0.8, "of three classes"
    assert record.figures["test_recall_at_1"] > 0.5
    assert all(record.figures[f"test_accuracy_without_{name}"] > 0.5 for name in names)


def test_without_a_shared_space_nothing_is_said_of_recall() -> None:
    record = evaluator()(architecture(weight=0), budget=BUDGET, seed=0)
    assert record.outcome == "complete", record.error
    assert not [name for name in record.figures if "recall" in name]


def test_what_is_missing_is_zeros_and_the_rest_is_as_it_was() -> None:
    examples = rows(5, 0).inputs
    seen = Lacking(nn.Identity(), [INPUT.span("series")])(examples)
    assert not seen[:, 16:22].any()
    assert torch.equal(seen[:, :16], examples[:, :16])
    assert torch.equal(seen[:, 22:], examples[:, 22:])


def test_recall_is_what_a_count_by_hand_gives() -> None:
    """One asks from its own side; three of four answer first what belongs to them, and the fourth second."""
    sides = torch.eye(4)
    other = torch.eye(4)
    other[3] = torch.tensor([0.0, 0.0, 0.9, 0.1])
    other[2] = torch.tensor([0.0, 0.0, 0.0, 1.0])
    meter = Recall(["a", "b"], by_class=False, by_direction=True)
    for part in torch.stack([sides, other], dim=1).split(3):
        meter.update(part, torch.zeros(len(part), dtype=torch.int64))
    found = meter.compute()
    assert found["recall_at_1_a_to_b"] == 2 / 4
    assert found["recall_at_5_a_to_b"] == 1
    assert found["recall_at_1"] == pytest.approx((found["recall_at_1_a_to_b"] + found["recall_at_1_b_to_a"]) / 2)


def test_a_space_that_is_one_point_finds_nothing_and_by_class_all_of_a_class_count() -> None:
    targets = torch.arange(20) % 2
    for by_class in (False, True):
        meter = Recall(["a", "b"], by_class=by_class, by_direction=False)
        meter.update(torch.ones(20, 2, 4), targets)
        assert meter.compute() == {"recall_at_1": 0, "recall_at_5": 0, "recall_at_10": 0}
    meter = Recall(["a", "b"], by_class=True, by_direction=False)
    meter.update(nn.functional.one_hot(targets, 4).float()[:, None].expand(-1, 2, -1), targets)
    assert meter.compute()["recall_at_1"] == 1
    with pytest.raises(BenchmarkError, match="got none"):
        Recall(["a", "b"], by_class=True, by_direction=False).compute()


# The loss


def test_the_contrastive_loss_of_pairs_is_that_of_clip() -> None:
    """Symmetric cross-entropy with the own pair as the class (Radford et al. 2021, fig. 3)."""
    vectors = torch.randn(6, 2, 5)
    images, texts = nn.functional.normalize(vectors, dim=-1).unbind(1)
    logits, labels = images @ texts.T / 0.07, torch.arange(6)
    expected = (nn.functional.cross_entropy(logits, labels) + nn.functional.cross_entropy(logits.T, labels)) / 2
    present, alike = torch.ones(6, 2, dtype=torch.bool), torch.eye(6, dtype=torch.bool)
    assert torch.allclose(contrastive_loss(vectors, present, alike, 0.07), expected, atol=1e-5)


def test_examples_that_lack_a_modality_are_left_out_of_its_pairs_alone() -> None:
    vectors, alike = torch.randn(6, 2, 5), torch.eye(6, dtype=torch.bool)
    present = torch.ones(6, 2, dtype=torch.bool)
    present[4:, 1] = False
    found = contrastive_loss(vectors, present, alike, 0.1)
    assert torch.allclose(found, contrastive_loss(vectors[:4], present[:4], alike[:4, :4], 0.1))
    present[:, 1] = False
    assert contrastive_loss(vectors, present, alike, 0.1) == 0


def test_the_loss_is_the_tasks_and_a_weighed_comparison() -> None:
    chosen = architecture(rate=0)
    model = build(SPACE, chosen, benchmark().signature, seed=0).eval()
    encoders = find_encoders(plan(SPACE, chosen, benchmark().signature))
    assert encoders == Encoders("encoders", INPUT.names, (4, 3, 2))
    given, wanted = rows(8, 0).inputs, rows(8, 0).targets
    lone = comparison().loss(model, given, wanted)
    losses = [
        comparison(space=SharedSpace(weight=weight, temperature=0.2), encoders=encoders, by_class=True).loss(model, given, wanted)
        for weight in (1.0, 3.0)
    ]
    assert torch.allclose(losses[1] - lone, 3 * (losses[0] - lone), atol=1e-5)
    assert losses[0] > lone


def test_modalities_are_dropped_at_their_rate_but_never_all_and_by_the_given_chance_alone() -> None:
    given, wanted = rows(900, 0).inputs, rows(900, 0).targets
    given[:, 22:] = 1
    method = comparison(dropout=0.5)
    first, _ = method.prepare(given, wanted, torch.Generator().manual_seed(3))
    torch.manual_seed(9)
    again, _ = method.prepare(given, wanted, torch.Generator().manual_seed(3))
    assert torch.equal(first, again)
    kept = torch.stack([first[:, INPUT.span(name)].ne(0).any(dim=1) for name in INPUT.names], dim=1)
    assert kept.any(dim=1).all()
    assert kept.float().mean(0).sub(0.5 + 0.125).abs().max() < 0.06  # half of them, and an eighth that would have lost all
    assert torch.equal(comparison().prepare(given, wanted, torch.Generator())[0], given)


# Stopping, failing, counting


@pytest.mark.parametrize("fusion", ["modality_fusion", "cross_modal_block"])
def test_a_training_that_was_killed_within_an_epoch_goes_on_to_the_same_weights(fusion: str, tmp_path: Path) -> None:
    whole = evaluator()(architecture(fusion=fusion), budget=BUDGET, seed=3)
    taken: list[object] = []
    with pytest.raises(Interrupted):
        evaluator()(
            architecture(fusion=fusion),
            budget=BUDGET,
            seed=3,
            on_step=taken.append,
            checkpoints=Checkpoints(tmp_path, 1e9),
            stopping=lambda: len(taken) == 8,  # of 6 an epoch
        )
    found = evaluator()(architecture(fusion=fusion), budget=BUDGET, seed=3, checkpoints=Checkpoints(tmp_path, 1e9))
    assert found.outcome == whole.outcome == "complete"
    assert found.weights_sha256 == whole.weights_sha256
    assert "Went on from a checkpoint after step 8 of 12." in found.notes
    tell = [name for name in whole.figures if name.startswith("validation_")]
    assert [found.figures[name] for name in tell] == [whole.figures[name] for name in tell]


def test_a_training_of_another_temperature_does_not_go_on_from_it() -> None:
    one, other = (
        comparison(space=SharedSpace(temperature=t), encoders=Encoders("encoders", INPUT.names, (4, 3, 2))) for t in (0.1, 0.2)
    )
    assert one.identity != other.identity


def test_what_is_not_finite_is_a_record() -> None:
    record = evaluator(Recipe(batch_size=8, learning_rate=1e30))(architecture(), budget=BUDGET, seed=0)
    assert record.outcome == "failed"
    assert record.error is not None
    assert record.error.kind == "diverged"


def test_memory_that_does_not_suffice_is_a_record_since_a_batch_that_is_compared_is_in_one_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Comparison, "loss", full)
    record = evaluator()(architecture(), budget=BUDGET, seed=0)
    assert record.error is not None
    assert record.error.kind == "out_of_memory"
    with pytest.raises(BenchmarkError, match="Examples of a batch are compared with each other"):
        evaluator(Recipe(batch_size=8, learning_rate=0.01, accumulation=2))(architecture(), budget=BUDGET, seed=0)


def test_a_candidates_flops_are_those_of_a_hand_count() -> None:
    """Of an encoder's linear layers, of values and gates of three modalities, and of the head."""
    macs = 4 * 4 * 8 + 3 * 2 * 8 + (3 * 8 * 8 + 3 * 8 * 3 * 8) + 8 * 3
    record = evaluator()(architecture(), budget=Budget(epochs=1), seed=0)
    assert record.figures["flops"] == 2 * macs == 2 * cost(SPACE, architecture(), benchmark().signature).macs


# What does not fit


def test_the_protocol_is_for_several_modalities_and_pairs_of_two_kinds() -> None:
    space = parse_space("name: one\nversion: 1\naccepts: image\nlayers: [head]\n")
    with pytest.raises(BenchmarkError) as caught:
        Evaluator(space, benchmark(input=Image(1, 4, 4)), device="cpu")  # before there is a candidate
    assert str(caught.value) == "The protocol 'contrastive' is for several modalities, got an image of 1×4×4 in toy_rows."
    with pytest.raises(BenchmarkError, match=r"has pairs of one 'example' or of one 'class', got 'rows' in toy_rows\.$"):
        evaluator(protocol_options={"pairs": "rows"})


def test_a_space_without_encoders_cannot_be_shared() -> None:
    text = """
name: none
version: 1
accepts: modalities
layers:
  - modality: {name: image}
  - shared_space
  - head
"""
    space = parse_space(text)
    record = Evaluator(space, benchmark(), device="cpu")(space.architecture({}), budget=BUDGET, seed=0)
    assert record.error is not None
    assert record.error.kind == "wrong_shape"
    assert record.error.message.startswith("A shared space needs an encoder of each modality, got none;")
    with pytest.raises(ModelError):
        find_encoders(plan(space, space.architecture({}), benchmark().signature))


def test_a_network_of_one_modality_is_measured_with_it_alone() -> None:
    space = parse_space("name: one\nversion: 1\naccepts: modalities\nlayers: [modality: {name: image}, head]\n")
    record = Evaluator(space, benchmark(), device="cpu")(space.architecture({}), budget=BUDGET, seed=0, final=True)
    assert {name for name in record.figures if name.startswith("test_")} == {"test_accuracy", "test_loss"}
    assert math.isfinite(record.figures["test_loss"])
    assert Contrastive.stackable is False
    assert benchmark().signature.output == Features(3)


def test_networks_of_several_modalities_have_zero_cost_scores() -> None:
    names = ("synflow", "naswot", "snip", "grad_norm", "jacob_cov", "zen")
    record = evaluator_with(proxies=names)(architecture(), budget=Budget(epochs=1), seed=0)
    assert record.outcome == "complete", record.error
    assert {name for name in names if name in record.figures} >= {"synflow", "snip", "grad_norm"}


def evaluator_with(**options: Any) -> Evaluator:
    return Evaluator(SPACE, benchmark(), device="cpu", **options)
