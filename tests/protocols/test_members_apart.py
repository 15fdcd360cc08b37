"""Members of a network that learn by losses of their own, and answer together."""

from pathlib import Path

import pytest
import torch
from torch import nn
from toy_rows import INPUT, benchmark, rows, task

from nas.benchmark import Budget, Recipe
from nas.errors import Interrupted, ModelError
from nas.evaluation import Evaluator
from nas.models import build, cost, plan
from nas.profiling import latency
from nas.protocols.contrastive import Comparison, Member, find_members
from nas.space import Space, parse_space
from nas.training import Checkpoints

MEMBERS = """
name: members
version: 1
accepts: modalities
layers:
  - modality_dropout: {rate: 0.5}
  - own_losses
  - parallel: members
    branches:
      looks: [modality: {name: image}, patch_embedding: {size: 2, features: 8}, head]
      reads: [modality: {name: text}, ngram_bag: {features: 8, longest: 2, buckets: 30}, head]
"""
SPACE = parse_space(MEMBERS)
WANTED = benchmark().signature.output


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr("nas.evaluation.candidate.load_task", lambda *_: task())


def network(space: Space = SPACE) -> nn.Module:
    return build(space, space.architecture({}), benchmark().signature, seed=0)


def comparison(members: str | None) -> Comparison:
    recipe = Recipe(batch_size=8, learning_rate=0.01, label_smoothing=0.1)
    return Comparison(task(), recipe, 3, given=INPUT, read=["image", "text"], members=members)


def test_the_loss_is_the_mean_of_each_as_if_the_other_answered_alike() -> None:
    model, examples = network(), rows(8, 0)
    branches = model.get_submodule("members.branches")
    answers = [branches.get_submodule(name)(examples.inputs) for name in ("looks", "reads")]
    assert torch.allclose(model(examples.inputs), answers[0] + answers[1])
    said = [member(examples.inputs) for member in Member.of(model, "members")]
    assert torch.allclose(sum(said) / 2, model(examples.inputs))
    expected = sum(nn.functional.cross_entropy(2 * answer, examples.targets, label_smoothing=0.1) for answer in answers) / 2
    assert torch.allclose(comparison("members").loss(model, examples.inputs, examples.targets), torch.as_tensor(expected))


@pytest.mark.parametrize(("members", "alike"), [("members", True), (None, False)])
def test_what_one_learns_hangs_on_no_other_where_losses_are_their_own(members: str | None, alike: bool) -> None:
    examples, found = rows(8, 0), []
    for scale in (1, 5):
        model = network()
        with torch.no_grad():
            for parameter in model.get_submodule("members.branches.reads").parameters():
                parameter.mul_(scale)
        comparison(members).loss(model, examples.inputs, examples.targets).backward()
        looks = model.get_submodule("members.branches.looks")
        found.append(torch.cat([parameter.grad.flatten() for parameter in looks.parameters() if parameter.grad is not None]))
    assert torch.allclose(found[0], found[1]) == alike


def test_members_are_counted_as_branches_and_a_candidate_is_measured_with_modalities_missing() -> None:
    evaluator = Evaluator(SPACE, benchmark(), device="cpu")
    record = evaluator(SPACE.architecture({}), budget=Budget(epochs=2), seed=0)
    assert record.outcome == "complete", record.error
    assert (
        record.figures["flops"]
        == 2 * (4 * 4 * 8 + 8 * 3 + 8 * 3)
        == cost(SPACE, SPACE.architecture({}), benchmark().signature).flops
    )
    assert {"validation_accuracy", "validation_accuracy_without_image", "validation_accuracy_without_text"} <= set(record.figures)


def test_a_training_of_members_that_was_killed_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    evaluator, chosen, taken = Evaluator(SPACE, benchmark(), device="cpu"), SPACE.architecture({}), list[object]()
    whole = evaluator(chosen, budget=Budget(epochs=2), seed=3)
    with pytest.raises(Interrupted):
        evaluator(
            chosen,
            budget=Budget(epochs=2),
            seed=3,
            on_step=taken.append,
            checkpoints=Checkpoints(tmp_path, 1e9),
            stopping=lambda: len(taken) == 8,  # of 6 an epoch
        )
    found = evaluator(chosen, budget=Budget(epochs=2), seed=3, checkpoints=Checkpoints(tmp_path, 1e9))
    assert found.weights_sha256 == whole.weights_sha256
    assert "Went on from a checkpoint after step 8 of 12." in found.notes


def test_a_training_without_losses_of_their_own_is_another() -> None:
    assert comparison("members").identity != comparison(None).identity


@pytest.mark.parametrize(
    "changed",
    [
        MEMBERS + "  - linear: {features: 3}\n",
        MEMBERS.replace("members\n    branches", "members\n    merge: multiply\n    branches"),
    ],
    ids=["something behind", "multiplied"],
)
def test_what_adds_up_no_answers_has_no_members(changed: str) -> None:
    space = parse_space(changed)
    with pytest.raises(ModelError) as caught:
        find_members(plan(space, space.architecture({}), benchmark().signature), WANTED)
    assert str(caught.value) == (
        "Losses of their own are for branches that are added up, and the network ends in none; let it end in a `parallel` that "
        "merges by `add`, each branch in a `head`."
    )
    record = Evaluator(space, benchmark(), device="cpu")(space.architecture({}), budget=Budget(epochs=1), seed=0)
    assert record.error is not None
    assert record.error.kind == "wrong_shape"


def test_members_share_no_space() -> None:
    space = parse_space(f"name: both\nversion: 1\naccepts: modalities\nlayers:\n  - own_losses\n  - shared_space\n{JOINED}")
    record = Evaluator(space, benchmark(), device="cpu")(space.architecture({}), budget=Budget(epochs=1), seed=0)
    assert record.error is not None
    assert record.error.message == "Members with losses of their own share no space; leave `own_losses` or `shared_space` out."


JOINED = """
  - parallel: encoders
    merge: join
    branches:
      image: [modality: {name: image}, patch_embedding: {size: 2, features: 8}]
      text: [modality: {name: text}, embedding: {features: 8}]
  - parallel: members
    branches: {one: [head], other: [head]}
"""
