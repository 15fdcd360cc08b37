import math
import random
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.benchmark import Budget, Recipe
from nas.records import Epoch
from nas.training import Classification, Examples, Split, train
from nas.training.loop import Report, Training, evaluate, make_optimizer, set_rate, take_step

TASK = Classification(lambda _: pytest.fail("train is given its examples"))
RECIPE = Recipe(batch_size=16, learning_rate=0.01)


def examples(count: int = 40, side: int = 4, seed: int = 0) -> Examples:
    """Pictures of noise, bright or dark; which of the two is the class."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % 2
    noise_NCHW = torch.rand(count, 1, side, side, generator=generator)
    return Examples(noise_NCHW + targets[:, None, None, None], targets)


def network(seed: int = 0, side: int = 4) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(0.3), nn.Linear(4 * side * side, 2)
        )


def trained(
    model: nn.Module,
    *,
    recipe: Recipe = RECIPE,
    budget: Budget | None = None,
    seed: int = 0,
    on: Examples | None = None,
    report: Report = lambda _: False,
) -> Training:
    given = {"recipe": recipe, "budget": budget or Budget(epochs=3), "seed": seed, "report": report}
    return train(model, TASK, on or examples(), examples(20, seed=1), **given)


def equal(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(*pair) for pair in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


AUGMENTED = Recipe(batch_size=16, learning_rate=0.01, shift=1, flip=True)


def test_equal_seeds_give_equal_weights_bit_for_bit() -> None:
    one, other = network(), network()
    curves = [[point.train_loss for point in trained(model, recipe=AUGMENTED, seed=5).curve] for model in (one, other)]
    assert equal(one, other)
    assert curves[0] == curves[1]


def test_another_seed_gives_other_weights() -> None:
    one, other = network(), network()
    trained(one, seed=5)
    trained(other, seed=6)
    assert not equal(one, other)


def test_the_seed_alone_decides_about_dropout() -> None:
    """All examples in one batch, so that their order does not matter."""
    recipe = Recipe(batch_size=1_000, learning_rate=0.01)
    one, other = network(), network()
    trained(one, recipe=recipe, seed=5)
    torch.rand(7)
    trained(other, recipe=recipe, seed=5)
    assert equal(one, other)


def test_the_global_random_state_stays() -> None:
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    trained(network(), recipe=AUGMENTED)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.random.get_state()[1].tolist() == states[2]


def test_the_examples_stay_as_they_are() -> None:
    data = examples()
    trained(network(), recipe=AUGMENTED, on=data)
    assert torch.equal(data.inputs, examples().inputs)
    assert torch.equal(data.targets, examples().targets)


def test_a_network_learns() -> None:
    model = network()
    training = trained(model, budget=Budget(epochs=20))
    assert training.ended == "complete"
    assert training.curve[-1].figures["validation_accuracy"] == 1
    assert training.curve[-1].train_loss < training.curve[0].train_loss


def test_the_curve_has_a_point_an_epoch_and_its_last_is_the_model_that_comes_out() -> None:
    model, seen = network(), list[Epoch]()
    training = trained(model, report=lambda point: bool(seen.append(point)))
    assert [point.epoch for point in training.curve] == [1, 2, 3]
    assert list(training.curve) == seen
    assert [point.seconds for point in seen] == sorted(point.seconds for point in seen)
    assert training.seconds == seen[-1].seconds > 0
    assert seen[-1].figures == evaluate(model, TASK, examples(20, seed=1), "validation")
    assert set(seen[-1].figures) == {"validation_accuracy", "validation_loss"}


def test_the_train_loss_is_the_mean_over_examples() -> None:
    """At rate 0 the weights stay, so that batches of unequal size must give what one pass over all gives."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    training = trained(model, recipe=Recipe(batch_size=16, learning_rate=0.0), on=examples(35))
    whole = TASK.loss(model(examples(35).inputs), examples(35).targets, 0.0).item()
    assert [point.train_loss for point in training.curve] == pytest.approx([whole] * 3)


@pytest.mark.parametrize(
    ("step", "share"),
    [
        (0, 1 / 10),
        (4, 5 / 10),
        (9, 1),  # the warm-up ends
        (10, 1),
        (25, (1 + math.cos(math.pi / 6)) / 2),
        (55, 1 / 2),  # half-way down
        (85, (1 + math.cos(5 * math.pi / 6)) / 2),
        (99, (1 + math.cos(math.pi * 89 / 90)) / 2),  # 0.0003; the step after the last would be at 0
    ],
)
def test_the_learning_rate_rises_for_a_tenth_and_falls_by_a_cosine(step: int, share: float) -> None:
    recipe = Recipe(batch_size=16, learning_rate=0.02, warmup=0.1)
    optimizer = make_optimizer(network(), recipe)
    set_rate(optimizer, recipe, step, 100)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.02 * share] * 2)


@pytest.mark.parametrize(("warmup", "shares"), [(0.0, [1, 1, 0.75, 0.25]), (1.0, [0.25, 0.5, 0.75, 1]), (0.5, [0.5, 1, 1, 0.5])])
def test_a_schedule_of_four_steps_by_hand(warmup: float, shares: list[float]) -> None:
    recipe = Recipe(batch_size=16, learning_rate=1.0, warmup=warmup)
    optimizer = make_optimizer(network(), recipe)
    rates = []
    for step in range(4):
        set_rate(optimizer, recipe, step, 4)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx(shares)


@pytest.mark.parametrize("warmup", [0.0, 0.1, 1.0])
def test_a_schedule_of_one_step_trains_at_the_full_rate(warmup: float) -> None:
    recipe = Recipe(batch_size=16, learning_rate=0.5, warmup=warmup)
    optimizer = make_optimizer(network(), recipe)
    set_rate(optimizer, recipe, 0, 1)
    assert optimizer.param_groups[0]["lr"] == 0.5


class Offset(nn.Module):
    """One number, whose every value in training is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(1))
        self.seen: list[float] = []

    def forward(self, images_NCHW: Tensor) -> Tensor:
        if self.training:
            self.seen.append(self.offset.item())
        return self.offset.expand(len(images_NCHW))


class Downhill:
    """A loss whose slope is always 1, so that AdamW moves by exactly the learning rate."""

    def examples(self, split: Split) -> Examples:
        raise NotImplementedError(split)

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        return outputs.mean()

    def figures(self, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        return {"offset": outputs[0].item()}


def test_training_takes_every_step_at_the_scheduled_rate() -> None:
    """Two epochs of four batches; one step of eight is warm-up."""
    model = Offset()
    recipe = Recipe(batch_size=10, learning_rate=0.1, warmup=0.125)
    train(model, Downhill(), examples(40), examples(2), recipe=recipe, budget=Budget(epochs=2), seed=0)
    moved = -np.diff([*model.seen, model.offset.item()])
    expected = [0.1, *(0.1 * (1 + math.cos(math.pi * step / 7)) / 2 for step in range(7))]
    assert moved.tolist() == pytest.approx(expected, abs=1e-6)


def test_weights_are_decayed_and_biases_and_normalisation_are_not() -> None:
    """Without a gradient, AdamW multiplies what it decays by 1 − rate × decay, and leaves the rest."""
    model = network()
    recipe = Recipe(batch_size=16, learning_rate=0.1, weight_decay=0.5)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer = make_optimizer(model, recipe)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    shrunk = {name: not torch.equal(value, before[name]) for name, value in model.named_parameters() if before[name].any()}
    assert shrunk == {"0.weight": True, "0.bias": False, "1.weight": False, "4.weight": True, "4.bias": False}
    assert torch.allclose(model[0].weight, before["0.weight"] * 0.95)


def test_every_parameter_is_trained() -> None:
    model = network()
    optimizer = make_optimizer(model, RECIPE)
    trained_ones = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    assert trained_ones == {id(parameter) for parameter in model.parameters()}


def test_a_step_forgets_the_gradients_of_the_last() -> None:
    model, data = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), examples()
    optimizer = make_optimizer(model, Recipe(batch_size=16, learning_rate=0.0, weight_decay=0.0))
    gradients = []
    for _ in range(2):
        take_step(model, TASK, optimizer, data.inputs, data.targets, RECIPE)
        assert model[1].weight.grad is not None
        gradients.append(model[1].weight.grad.clone())
    assert torch.equal(*gradients)


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_gradients_are_cut_to_the_length_that_the_recipe_allows(share: float) -> None:
    model, data = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), examples()
    optimizer = make_optimizer(model, Recipe(batch_size=16, learning_rate=0.0, weight_decay=0.0))

    def step(recipe: Recipe) -> Tensor:
        take_step(model, TASK, optimizer, data.inputs, data.targets, recipe)
        return torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])

    free = step(RECIPE)
    cut = step(replace(RECIPE, gradient_norm=share * free.norm().item()))
    assert torch.allclose(cut, min(share, 1.0) * free, rtol=1e-4)


def test_a_huge_learning_rate_diverges() -> None:
    training = trained(network(), recipe=Recipe(batch_size=16, learning_rate=1e38), budget=Budget(epochs=5))
    assert training.ended == "diverged"
    assert len(training.curve) < 5
    assert all(math.isfinite(point.train_loss) for point in training.curve)


@dataclass
class Turning(Downhill):
    """A loss or a figure that is no number from the n-th time on."""

    loss_from: float = math.inf
    figure_from: float = math.inf
    losses: int = 0
    figured: int = 0

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        self.losses += 1
        return outputs.mean() * (math.nan if self.losses >= self.loss_from else 1)

    def figures(self, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        self.figured += 1
        return {"score": math.inf if self.figured >= self.figure_from else 1.0}


@pytest.mark.parametrize(("task", "epochs"), [(Turning(loss_from=6), 1), (Turning(loss_from=1), 0), (Turning(figure_from=3), 2)])
def test_training_ends_in_the_epoch_whose_loss_or_figures_are_no_numbers(task: Turning, epochs: int) -> None:
    """Three batches an epoch."""
    told = list[Epoch]()
    given = {"recipe": RECIPE, "budget": Budget(epochs=5), "seed": 0, "report": lambda point: bool(told.append(point))}
    training = train(Offset(), task, examples(), examples(2), **given)
    assert training.ended == "diverged"
    assert len(training.curve) == len(told) == epochs


def test_a_report_can_stop_training() -> None:
    training = trained(network(), report=lambda point: point.epoch == 2)
    assert training.ended == "pruned"
    assert len(training.curve) == 2


def test_a_report_cannot_stop_what_is_done() -> None:
    training = trained(network(), report=lambda point: point.epoch == 3)
    assert training.ended == "complete"
    assert len(training.curve) == 3


def test_a_fraction_of_the_data_is_its_first_examples() -> None:
    """The second half would turn the loss into no number."""
    data = examples(40)
    data.inputs[20:] = math.nan
    assert trained(network(), on=data, budget=Budget(epochs=2, fraction=0.5)).ended == "complete"
    assert trained(network(), on=data, budget=Budget(epochs=2, fraction=0.525)).ended == "diverged"


def test_training_ends_after_the_epoch_in_which_its_seconds_are_spent() -> None:
    training = trained(network(), budget=Budget(epochs=50, seconds=1e-9))
    assert training.ended == "complete"
    assert len(training.curve) == 1


def test_seconds_that_are_not_spent_change_nothing() -> None:
    assert len(trained(network(), budget=Budget(epochs=3, seconds=3_600)).curve) == 3


class Sizes(nn.Module):
    """Batch normalisation of one number an example, which refuses to train on a single one."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(1)
        self.linear = nn.Linear(1, 2)
        self.seen: list[int] = []

    def forward(self, images_NCHW: Tensor) -> Tensor:
        if self.training:
            self.seen.append(len(images_NCHW))
        return self.linear(self.norm(images_NCHW.mean((2, 3))))


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [(65, 64, [33, 32]), (129, 64, [43, 43, 43]), (64, 64, [64]), (10, 64, [10]), (7, 3, [3, 2, 2])],
)
def test_no_batch_is_left_with_a_single_example(count: int, size: int, expected: list[int]) -> None:
    model = Sizes()
    training = trained(model, recipe=Recipe(batch_size=size, learning_rate=0.01), on=examples(count), budget=Budget(epochs=1))
    assert training.ended == "complete"
    assert model.seen == expected


def test_every_epoch_sees_each_example_once_in_an_order_of_its_own() -> None:
    orders: list[list[float]] = []

    class Looking(Sizes):
        def forward(self, images_NCHW: Tensor) -> Tensor:
            if self.training:
                orders.append(images_NCHW[:, 0, 0, 0].tolist())
            return super().forward(images_NCHW)

    trained(Looking(), recipe=Recipe(batch_size=100, learning_rate=0.01), on=examples(50), budget=Budget(epochs=2))
    first, second = orders
    assert sorted(first) == sorted(second) == sorted(examples(50).inputs[:, 0, 0, 0].tolist())
    assert first != second


def test_figures_are_taken_in_evaluation_mode_over_all_examples_at_once() -> None:
    model, data = network(), examples(3_000)
    model.train()
    figures = evaluate(model, TASK, data, "test")
    assert not model.training
    assert model[1].num_batches_tracked == 0
    whole = TASK.figures(model(data.inputs), data.targets)
    assert figures == {"test_accuracy": whole["accuracy"], "test_loss": pytest.approx(whole["loss"])}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_the_gpu_learns_and_leaves_the_random_states() -> None:
    device = torch.device("cuda")
    model, states = network().to(device), (torch.get_rng_state(), torch.cuda.get_rng_state(device))
    given = {"recipe": AUGMENTED, "budget": Budget(epochs=20), "seed": 0}
    training = train(model, TASK, examples().to(device), examples(20, seed=1).to(device), **given)
    assert training.curve[-1].figures["validation_accuracy"] == 1
    assert training.seconds > 0
    assert torch.equal(torch.get_rng_state(), states[0])
    assert torch.equal(torch.cuda.get_rng_state(device), states[1])
