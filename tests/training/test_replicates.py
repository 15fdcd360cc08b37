import copy
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from little import AUGMENTED, RECIPE, TASK, examples, network
from torch import Tensor, nn

from nas.benchmark import Budget, Objective, Recipe
from nas.errors import BenchmarkError
from nas.records import Epoch
from nas.training import Method, Ranks, Training, evaluate, replicates, train, train_replicates
from nas.training.stacking import Stack

SEEDS = [3, 5, 7]
SGD = Recipe(batch_size=16, learning_rate=0.05, optimizer="sgd")


class Recurring(nn.Module):
    """A GRU over the rows of a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(4, 6, batch_first=True)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        states_NHF: Tensor = self.cell(images_NCHW.squeeze(1))[0]
        return states_NHF[:, -1]


def recurrent() -> nn.Module:
    return nn.Sequential(Recurring(), nn.ReLU(), nn.Linear(6, 2))


class Attending(nn.Module):
    """A transformer over the rows of a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
        self.mix = nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 2))

    def forward(self, images_NCHW: Tensor) -> Tensor:
        outputs: Tensor = self.mix(self.block(images_NCHW.squeeze(1)).mean(1))
        return outputs


def convolution(dropout: float = 0.0) -> nn.Module:
    """Batch normalisation takes away what a bias before it adds, whose gradient is then rounding alone."""
    convolution = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    return nn.Sequential(convolution, nn.Flatten(), nn.Dropout(dropout), nn.Linear(64, 2))


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))


def alike(make: Callable[[], nn.Module] = convolution, count: int = 3) -> list[nn.Module]:
    """Networks of one architecture, each with its own weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return [make() for _ in range(count)]


def trained(
    models: list[nn.Module], *, recipe: Recipe = RECIPE, budget: Budget | None = None, seeds: list[int] = SEEDS, **given: Any
) -> list[Training]:
    budget = budget or Budget(epochs=3)
    method = Method(TASK, recipe, given.pop("classes", 0))
    return train_replicates(models, method, examples(), examples(20, seed=1), budget=budget, seeds=seeds, **given)


def trained_alone(
    models: list[nn.Module], *, recipe: Recipe = RECIPE, budget: Budget | None = None, seeds: list[int] = SEEDS, **given: Any
) -> list[Training]:
    budget, method = budget or Budget(epochs=3), Method(TASK, recipe, given.pop("classes", 0))
    return [
        train(model, method, examples(), examples(20, seed=1), budget=budget, seed=seed, **given)
        for model, seed in zip(models, seeds, strict=True)
    ]


def weights(models: list[nn.Module]) -> list[Tensor]:
    return [value for model in models for value in model.state_dict().values()]


def equal(one: list[nn.Module], other: list[nn.Module]) -> bool:
    return all(torch.equal(*pair) for pair in zip(weights(one), weights(other), strict=True))


def timeless(training: Training) -> Training:
    """What does not depend on the clock."""
    return replace(training, seconds=0, notes=(), curve=tuple(replace(point, seconds=0) for point in training.curve))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each call of a stack had."""
    seen = list[int]()
    forward = Stack.forward

    def watched(stack: Stack, inputs_B: Tensor) -> Tensor:
        seen.append(len(inputs_B))
        return forward(stack, inputs_B)

    monkeypatch.setattr(Stack, "forward", watched)
    return seen


@pytest.mark.parametrize("make", [convolution, perceptron, recurrent, Attending])
def test_networks_that_train_together_become_what_they_become_alone(make: Callable[[], nn.Module], calls: list[int]) -> None:
    """But for rounding; nine steps of three networks on batches of 13 or 14.

    By SGD, since AdamW makes whole steps of gradients that are nothing but rounding, as of the bias of attention's keys.
    """
    together, alone = alike(make), alike(make)
    found, expected = trained(together, recipe=SGD, together="always"), trained_alone(alone, recipe=SGD)
    torch.testing.assert_close(weights(together), weights(alone), rtol=1e-3, atol=1e-5)
    assert calls[-9:] == [42, 39, 39] * 3
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.notes[0].startswith("Trained together: 3 networks together were ")
        assert [point.train_loss for point in ours.curve] == pytest.approx([point.train_loss for point in theirs.curve], rel=1e-3)
        assert [point.figures for point in ours.curve] == [pytest.approx(point.figures, rel=1e-3) for point in theirs.curve]
        assert (ours.steps, ours.ended) == (theirs.steps, theirs.ended)
        assert 0 < ours.seconds == ours.curve[-1].seconds


@pytest.mark.parametrize(
    "recipe",
    [
        AUGMENTED,
        replace(SGD, mixup=0.4, cutmix=1.0),
        SGD,
        replace(SGD, momentum=0.0, weight_decay=0.1, label_smoothing=0.1),
        replace(SGD, gradient_norm=0.1, l1=1e-3, l2=1e-2),
        replace(SGD, ema=0.9, schedule="poly"),
        replace(RECIPE, optimizer="lamb"),
        replace(RECIPE, optimizer="lion", learning_rate=1e-4),
        replace(RECIPE, weight_decay=5.0, schedule="step"),
    ],
)
def test_together_follows_every_detail_of_the_recipe(recipe: Recipe) -> None:
    together, alone = alike(), alike()
    trained(together, recipe=recipe, classes=2, together="always")
    trained_alone(alone, recipe=recipe, classes=2)
    torch.testing.assert_close(weights(together), weights(alone), rtol=1e-3, atol=1e-5)


def test_half_precision_trains_together() -> None:
    together, alone = alike(perceptron), alike(perceptron)
    (first, *_) = trained(together, precision="bfloat16", together="always")
    trained_alone(alone, precision="bfloat16")
    assert first.notes[0].startswith("Trained together")
    torch.testing.assert_close(weights(together), weights(alone), rtol=0.05, atol=0.01)


def test_one_after_another_is_what_train_does_bit_for_bit() -> None:
    ours, theirs = alike(network), alike(network)
    found = trained(ours, recipe=AUGMENTED, together="never")
    expected = trained_alone(theirs, recipe=AUGMENTED)
    assert equal(ours, theirs)
    assert [timeless(one) for one in found] == [timeless(one) for one in expected]
    assert {one.notes for one in found} == {("Trained one after another: as asked.",)}


def test_together_repeats_bit_for_bit_and_leaves_the_random_state() -> None:
    """With dropout, drawn for all from the first seed."""
    one, other, state = alike(network), alike(network), torch.get_rng_state()
    trained(one, recipe=AUGMENTED, together="always")
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    trained(other, recipe=AUGMENTED, together="always")
    assert equal(one, other)


def test_networks_of_equal_weights_part_as_their_seeds_do() -> None:
    models = [alike(count=1)[0] for _ in SEEDS]
    trained(models, together="always")
    losses = {evaluate(model, TASK, examples(20, seed=1), "validation")["validation_loss"] for model in models}
    assert len(losses) == 3


def test_networks_that_came_out_go_on_alone() -> None:
    """They share no memory, and train on as any other."""
    models = alike()
    trained(models, together="always")
    before = copy.deepcopy(models[1:])
    trained_alone([models[0], *alike(count=2)])
    assert equal(models[1:], before)


def test_a_report_stops_one_training_and_the_others_go_on(calls: list[int]) -> None:
    told = list[tuple[int, int]]()

    def report(number: int, point: Epoch) -> bool:
        told.append((number, point.epoch))
        return number == 1 and point.epoch == 2

    together, alone = alike(), alike()
    found = trained(together, together="always", report=report)
    trained_alone(alone)
    assert [one.ended for one in found] == ["complete", "pruned", "complete"]
    assert [len(one.curve) for one in found] == [3, 2, 3]
    assert sorted(told) == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 1), (2, 2), (2, 3)]
    assert calls[-4:] == [39, 28, 26, 26]
    torch.testing.assert_close(weights([together[0], together[2]]), weights([alone[0], alone[2]]), rtol=1e-3, atol=1e-5)


def test_the_last_that_goes_on_trains_by_itself(calls: list[int]) -> None:
    together, alone = alike(), alike()
    found = trained(together, together="always", report=lambda number, _: number < 2)
    trained_alone(alone)
    assert [len(one.curve) for one in found] == [1, 1, 3]
    assert calls[-3:] == [42, 39, 39]
    torch.testing.assert_close(weights(together[2:]), weights(alone[2:]), rtol=1e-3, atol=1e-5)


def test_one_that_diverges_leaves_the_others_as_they_are() -> None:
    together, alone = alike(perceptron), alike(perceptron)
    given = {"budget": Budget(epochs=60), "together": "always"}
    with torch.no_grad():
        together[1][3].bias.fill_(float("inf"))
    found = trained(together, **given)
    trained_alone(alone, budget=Budget(epochs=60))
    assert [one.ended for one in found] == ["complete", "diverged", "complete"]
    assert (found[1].problem, found[1].steps) == ("the loss was nan at step 1 of 180.", 1)
    torch.testing.assert_close(weights([together[0], together[2]]), weights([alone[0], alone[2]]), rtol=1e-2, atol=1e-3)


def test_each_has_a_patience_of_its_own() -> None:
    given = {"recipe": replace(SGD, patience=1), "budget": Budget(epochs=12)}
    objective = Objective("validation_accuracy", "maximize")
    together, alone = alike(perceptron), alike(perceptron)
    found = trained(together, objective=objective, together="always", **given)
    expected = trained_alone(alone, objective=objective, **given)
    assert [len(one.curve) for one in found] == [len(one.curve) for one in expected]
    assert len({len(one.curve) for one in found}) > 1
    torch.testing.assert_close(weights(together), weights(alone), rtol=1e-3, atol=1e-5)


class Small(nn.Module):
    """A memory that holds a batch, and not three, from the n-th time on."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = [after]

    def __deepcopy__(self, _: object) -> "Small":
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        self.left[0] -= len(inputs) > 20
        if self.left[0] < 0 and len(inputs) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return inputs


def test_where_memory_ends_they_go_on_one_after_another() -> None:
    """A forward pass that compares and three steps that are timed; then there is memory for five steps of nine."""
    full = Small(after=4 + 5)
    together, alone = alike(), alike()
    for model in together:
        model.insert(0, full)
    found = trained(together, together="always")
    trained_alone(alone)
    assert {one.notes[1:] for one in found} == {("Out of memory at step 6: trained one after another within each step.",)}
    assert [one.steps for one in found] == [9, 9, 9]
    torch.testing.assert_close(weights(together), weights(alone), rtol=1e-3, atol=1e-5)


def test_other_errors_are_raised() -> None:
    class Wrong(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            raise ValueError("wrong")

    models = alike()
    for model in models:
        model.append(Wrong())
    with pytest.raises(ValueError, match=r"^wrong$"):
        trained(models, together="always")


LONG = Budget(epochs=60)
"""180 steps; 167 are enough to find out which way three networks train faster."""


@pytest.mark.parametrize(("gain", "together"), [(0.0, True), (1e9, False)])
def test_they_train_together_where_that_was_faster_over_a_few_steps(
    monkeypatch: pytest.MonkeyPatch, calls: list[int], gain: float, together: bool
) -> None:
    """The first call of the stack compares, and three are timed."""
    monkeypatch.setattr(replicates, "GAIN", gain)
    (first, *_) = trained(alike(), budget=LONG)
    told = "3 networks together were [0-9.]+ times as fast over 3 steps."
    assert re.fullmatch(f"Trained {'together' if together else 'one after another'}: {told}", first.notes[0])
    assert len(calls) == 1 + 3 + 180 * together


def test_finding_out_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the networks, nor what dropout draws, nor the order, nor the global random state."""
    monkeypatch.setattr(replicates, "GAIN", 1e9)
    ours, theirs, state = alike(network), alike(network), torch.get_rng_state()
    found = trained(ours, recipe=AUGMENTED, budget=LONG)
    assert torch.equal(torch.get_rng_state(), state)
    expected = trained_alone(theirs, recipe=AUGMENTED, budget=LONG)
    assert equal(ours, theirs)
    assert [timeless(one) for one in found] == [timeless(one) for one in expected]


class Centred(nn.Module):
    """Each example less the mean of its batch."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs - inputs.mean(0)


class Turning(nn.Module):
    """Asks what it is given, in training alone."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * (1.0 if not self.training or len(inputs) < 20 else 2.0)


SLOW = "a step takes [0-9]+ ms, and above 0 ms little is shared"


@pytest.mark.parametrize(
    ("part", "given", "why"),
    [
        (None, {"together": "never"}, "as asked"),
        (None, {"ranks": Ranks(rank=0, size=1), "seeds": [1], "together": "always"}, "there is one network"),
        (None, {"recipe": replace(RECIPE, accumulation=2), "together": "always"}, "batches are trained in parts"),
        (None, {"budget": Budget(epochs=60, steps=166)}, "166 steps are too few to find out .*, which takes 167"),
        (None, {"budget": LONG, "most": 100}, "they have 174 parameters, more than 100"),
        (None, {"budget": LONG, "longest": 0.0}, SLOW),
        (Centred, {"together": "always"}, "an example's output depends on the others of its batch"),
        (Turning, {"together": "always"}, "step 1 together has a loss of [0-9.]+, alone of [0-9.]+"),
    ],
)
def test_what_speaks_against_together_is_told_and_they_train_as_alone(
    monkeypatch: pytest.MonkeyPatch, part: type[nn.Module] | None, given: dict[str, Any], why: str
) -> None:
    if "most" in given:
        monkeypatch.setattr(replicates, "MOST_PARAMETERS", given["most"])
    if "longest" in given:
        monkeypatch.setattr(replicates, "LONGEST_STEP", given["longest"])
    given = {name: value for name, value in given.items() if name not in ("most", "longest")}
    seeds = given.pop("seeds", SEEDS)
    ours, theirs = alike(count=len(seeds)), alike(count=len(seeds))
    if part is not None:
        for model in (*ours, *theirs):
            model.append(part())
    found = trained(ours, seeds=seeds, **given)
    detail = {name: value for name, value in given.items() if name not in ("together", "ranks")}
    trained_alone(theirs, seeds=seeds, **detail)
    assert equal(ours, theirs)
    for one in found:
        assert re.fullmatch(f"Trained one after another: {why}.", one.notes[-1])


def test_each_network_has_a_seed() -> None:
    with pytest.raises(BenchmarkError, match=r"^Each network has a seed, got 2 networks and 3 seeds.$"):
        trained(alike(count=2))
    with pytest.raises(BenchmarkError, match=r"^Each network has a seed, got 0 networks and 0 seeds.$"):
        trained([], seeds=[])


def test_replicates_are_of_one_architecture() -> None:
    with pytest.raises(BenchmarkError, match=r"^Replicates are networks of one architecture, got weights of different names"):
        trained([convolution(), perceptron()], seeds=[0, 1])


def test_seconds_are_shares_of_the_time_together() -> None:
    begin = time.perf_counter()
    found = trained(alike(), together="always")
    assert 0 < sum(one.seconds for one in found) < time.perf_counter() - begin


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_networks_train_together_on_the_gpu() -> None:
    device = torch.device("cuda")
    together, alone = ([model.to(device) for model in alike()] for _ in range(2))
    on, state = examples().to(device), torch.cuda.get_rng_state(device)
    given, method = {"budget": Budget(epochs=3)}, Method(TASK, AUGMENTED)
    validation = examples(20, seed=1).to(device)
    found = train_replicates(together, method, on, validation, seeds=SEEDS, together="always", **given)
    for model, seed in zip(alone, SEEDS, strict=True):
        train(model, method, on, validation, seed=seed, **given)
    assert all(one.notes[0].startswith("Trained together") for one in found)
    torch.testing.assert_close(weights(together), weights(alone), rtol=1e-2, atol=1e-3)
    assert torch.equal(torch.cuda.get_rng_state(device), state)
