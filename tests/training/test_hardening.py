"""Training on attacked and on corrupted examples: what is trained on, what it costs, and that it helps."""

import math
from dataclasses import replace

import pytest
import torch
from little import RECIPE, TASK, examples, linear, network, trained
from torch import Tensor, nn

from nas.benchmark import Budget, Recipe
from nas.errors import BenchmarkError
from nas.measures import read_measure
from nas.robustness import Scale
from nas.training import Classification, Examples, Method, Stepper, train_replicates
from nas.training.hardening import corrupt_some, harden

UNIT = replace(TASK, scale=Scale(low=0.0, high=2.0))


def recipe(**options: object) -> Recipe:
    return replace(RECIPE, **options)  # type: ignore[arg-type]


class Watching(nn.Module):
    """A linear network that keeps what it was fed."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = linear()
        self.fed: list[Tensor] = []

    def forward(self, inputs: Tensor) -> Tensor:
        self.fed.append(inputs.detach().clone())
        return self.inner(inputs)


def test_the_batch_that_is_trained_on_is_the_attacks_last_and_within_epsilon() -> None:
    model, batch = Watching(), examples(16)
    stepper = Stepper(model, Method(UNIT, recipe(adversarial="pgd-linf-0.2")))
    stepper(batch.inputs, batch.targets)
    assert len(model.fed) == 8  # seven steps, and the training's own pass
    moved = (model.fed[-1] - batch.inputs).abs()
    assert moved.max() <= 0.2 + 1e-6
    assert moved.mean() > 0.1
    with torch.no_grad():
        losses = [TASK.loss(model.inner(one), batch.targets, 0.0).item() for one in (batch.inputs, model.fed[-1])]
    assert losses[1] > losses[0]


def test_fgsm_in_training_starts_at_random_and_goes_to_the_rim() -> None:
    batch, found = examples(16), recipe(adversarial="fgsm-linf-0.1").attack
    assert found is not None
    ones = [harden(linear(), TASK, batch.inputs, batch.targets, found) for _ in range(2)]
    assert not torch.equal(*ones)
    far = (ones[0] - batch.inputs).abs()
    assert far.max() <= 0.1 + 1e-6
    assert far.isclose(torch.tensor(0.1), atol=1e-5).double().mean() > 0.55  # five of eight starts are cut at the rim


def test_gradients_of_weights_are_those_of_the_attacked_batch_alone() -> None:
    batch, stepper = examples(16), Stepper(linear(), Method(UNIT, recipe(adversarial="fgsm-linf-0.3")))
    torch.manual_seed(1)
    attack = stepper.recipe.attack
    assert attack is not None
    attacked = harden(stepper.model, UNIT, batch.inputs, batch.targets, attack)
    TASK.loss(stepper.model(attacked), batch.targets, 0.0).backward()
    expected = [weight.grad.clone() for weight in stepper.model.parameters() if weight.grad is not None]
    torch.manual_seed(1)
    stepper(batch.inputs, batch.targets)
    assert all(torch.equal(weight.grad, own) for weight, own in zip(stepper.model.parameters(), expected, strict=True))


def test_equal_seeds_give_equal_weights_and_others_others() -> None:
    def weights(seed: int) -> Tensor:
        model = network()
        trained(model, recipe=recipe(adversarial="pgd-l2-0.5-3", corrupt=0.5), seed=seed)
        return torch.cat([value.flatten().double() for value in model.state_dict().values()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_a_network_trained_against_an_attack_withstands_it_better() -> None:
    """One number tells the classes for sure, fifteen others a little more clearly, and an attack turns these at no cost."""
    chance = torch.Generator().manual_seed(0)

    def drawn(count: int) -> Examples:
        targets = torch.arange(count) % 2
        signs = (2 * targets - 1).float()[:, None]
        weak = 0.15 * signs + 0.1 * torch.randn((count, 15), generator=chance)
        return Examples(torch.cat((0.5 * signs, weak), 1).view(count, 1, 4, 4), targets)

    on, test = drawn(200), drawn(200)
    attack = read_measure("pgd-linf-0.3-10").attack
    assert attack is not None
    found = []
    for options in ({}, {"adversarial": "pgd-linf-0.3"}):
        model = linear()
        trained(model, recipe=recipe(learning_rate=0.05, **options), on=on, budget=Budget(epochs=6))
        moved = harden(model, TASK, test.inputs, test.targets, attack)
        found.append((model(moved).argmax(1) == test.targets).double().mean().item())
    assert found[0] < 0.5
    assert found[1] > 0.9


def test_a_share_of_a_batch_is_corrupted_and_the_rest_left_to_the_bit() -> None:
    inputs = examples(400).inputs
    changed = corrupt_some(inputs, UNIT, 0.3, torch.Generator().manual_seed(2))
    other = changed.ne(inputs).flatten(1).any(1)
    assert other.double().mean().item() == pytest.approx(0.3, abs=0.08)
    seen = {corrupt_some(inputs, UNIT, 1.0, torch.Generator().manual_seed(seed)).double().sum().item() for seed in range(12)}
    assert len(seen) > 6  # kinds and severities are drawn


def test_texts_whose_spelling_is_not_known_lose_words_and_have_no_typos() -> None:
    words = torch.arange(1, 41).expand(30, -1)
    for seed in range(6):
        left = corrupt_some(words, TASK, 1.0, torch.Generator().manual_seed(seed))
        assert all(sorted(row) == row for row in left.tolist())
    with pytest.raises(BenchmarkError, match=r"Inputs of \(3,\) are not corrupted; leave corrupt out"):
        corrupt_some(torch.zeros(2, 3), TASK, 1.0, torch.Generator())


def test_mixed_targets_are_attacked_too() -> None:
    model = linear()
    ended = trained(model, recipe=recipe(adversarial="fgsm-linf-0.1", mixup=0.4), classes=2)
    assert math.isfinite(ended.figures["validation_loss"])


def test_the_attacks_passes_count_in_a_budget_of_flops() -> None:
    assert Method(TASK, RECIPE).effort == 1
    assert Method(TASK, recipe(adversarial="fgsm-linf-0.1")).effort == pytest.approx(5 / 3)
    assert Method(TASK, recipe(adversarial="pgd-linf-0.1-6")).effort == 5
    # A batch of 13 or 14 of 40: three passes of 10 FLOPs an example are 400, of which 4,000 allow ten; with the attack two.
    options = {"budget": Budget(epochs=100, flops=4_000.0), "forward_flops": 10.0}
    assert trained(linear(), **options).steps == 10
    assert trained(linear(), recipe=recipe(adversarial="pgd-linf-0.1-6"), **options).steps == 2


def test_replicates_that_are_attacked_train_one_after_another_and_say_why() -> None:
    task: Classification = TASK
    ended = train_replicates(
        [linear(), linear()],
        Method(task, recipe(adversarial="fgsm-linf-0.1")),
        examples(),
        examples(20, seed=1),
        budget=Budget(epochs=1),
        seeds=[0, 1],
        together="always",
    )
    assert ended[0].notes == ("Trained one after another: each is attacked by itself.",)
