import json
import math
import random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from little import AUGMENTED, RECIPE, TASK, Downhill, First, Offset, equal, examples, network, trained
from torch import Tensor, nn

from nas.benchmark import Budget, Objective, Recipe
from nas.errors import BenchmarkError
from nas.records import Epoch
from nas.training import Loop, Method, evaluate, train
from nas.training.loop import steps_within


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


def test_training_takes_every_step_at_the_scheduled_rate() -> None:
    """Two epochs of four batches; one step of eight is warm-up."""
    model = Offset()
    recipe = Recipe(batch_size=10, learning_rate=0.1, warmup=0.125)
    train(model, Method(Downhill(), recipe), examples(40), examples(2), budget=Budget(epochs=2), seed=0)
    moved = -np.diff([*model.seen, model.offset.item()])
    expected = [0.1, *(0.1 * (1 + math.cos(math.pi * step / 7)) / 2 for step in range(7))]
    assert moved.tolist() == pytest.approx(expected, abs=1e-6)


def test_a_huge_learning_rate_diverges() -> None:
    training = trained(network(), recipe=Recipe(batch_size=16, learning_rate=1e38), budget=Budget(epochs=5))
    assert training.ended == "diverged"
    assert len(training.curve) < 5
    assert all(math.isfinite(point.train_loss) for point in training.curve)


class Always(First):
    """A meter that shows one value, whatever it is given."""

    def __init__(self, value: float) -> None:
        super().__init__("score", value)

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        pass


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

    def meter(self, device: torch.device) -> First:
        self.figured += 1
        return Always(math.inf if self.figured >= self.figure_from else 1.0)


@pytest.mark.parametrize(
    ("task", "epochs", "steps", "problem"),
    [
        (Turning(loss_from=6), 1, 6, "the loss was nan at step 6 of 15."),
        (Turning(loss_from=1), 0, 1, "the loss was nan at step 1 of 15."),
        (Turning(figure_from=3), 2, 9, "validation_score was inf after epoch 3."),
    ],
)
def test_training_ends_at_the_step_whose_loss_or_figures_are_no_numbers(
    task: Turning, epochs: int, steps: int, problem: str
) -> None:
    """Three batches an epoch."""
    told = list[Epoch]()
    given = {"budget": Budget(epochs=5), "seed": 0, "report": lambda point: bool(told.append(point))}
    training = train(Offset(), Method(task, RECIPE), examples(), examples(2), **given)
    assert training.ended == "diverged"
    assert len(training.curve) == len(told) == epochs
    assert (training.steps, training.problem) == (steps, problem)


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


def test_figures_are_taken_in_evaluation_mode_over_all_examples() -> None:
    model, data = network(), examples(3_000)
    model.train()
    figures = evaluate(model, TASK, data, "test")
    assert not model.training
    assert model[1].num_batches_tracked == 0
    meter = TASK.meter(torch.device("cpu"))
    meter.update(model(data.inputs), data.targets)
    whole = meter.compute()
    assert figures == {"test_accuracy": whole["accuracy"], "test_loss": pytest.approx(whole["loss"])}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_the_gpu_learns_and_leaves_the_random_states() -> None:
    device = torch.device("cuda")
    model, states = network().to(device), (torch.get_rng_state(), torch.cuda.get_rng_state(device))
    given = {"budget": Budget(epochs=20), "seed": 0}
    training = train(model, Method(TASK, AUGMENTED), examples().to(device), examples(20, seed=1).to(device), **given)
    assert training.curve[-1].figures["validation_accuracy"] == 1
    assert training.seconds > 0
    assert torch.equal(torch.get_rng_state(), states[0])
    assert torch.equal(torch.cuda.get_rng_state(device), states[1])


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        (Budget(epochs=3), 30),
        (Budget(epochs=3, steps=12), 12),
        (Budget(epochs=3, steps=99), 30),
        (Budget(epochs=3, flops=3 * 1e6 * 16 * 7), 7),
        (Budget(epochs=3, flops=3 * 1e6 * 16 * 7.9, steps=9), 7),
        (Budget(epochs=3, flops=1), 1),
    ],
)
def test_a_budget_in_steps(budget: Budget, steps: int) -> None:
    assert steps_within(budget, 10, 16, 1e6) == steps


def test_a_budget_of_flops_needs_those_of_a_pass() -> None:
    with pytest.raises(BenchmarkError, match=r"^A budget of 1e\+09 FLOPs needs the FLOPs of a forward pass, got None.$"):
        trained(network(), budget=Budget(epochs=3, flops=1e9))


def test_a_budget_of_steps_ends_in_the_middle_of_an_epoch_at_a_rate_that_has_come_down() -> None:
    """Three steps an epoch."""
    rates: list[float] = []
    training = trained(
        network(),
        budget=Budget(epochs=50, steps=7),
        on_step=lambda loop: rates.append(loop.stepper.optimizer.param_groups[0]["lr"]),
    )
    assert (training.ended, training.steps, len(training.curve)) == ("complete", 7, 3)
    assert rates[-1] == pytest.approx(RECIPE.learning_rate * (1 + math.cos(math.pi * 5 / 6)) / 2)


def test_the_loss_of_a_part_of_an_epoch_is_the_mean_over_what_was_seen() -> None:
    """At rate 0, in one epoch of one step of three."""
    model, losses = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), list[float]()
    training = trained(
        model,
        recipe=Recipe(batch_size=16, learning_rate=0.0),
        budget=Budget(epochs=1, steps=1),
        on_step=lambda loop: losses.append(loop.loss_sum.item() / loop.at.seen),
    )
    assert [point.train_loss for point in training.curve] == losses


PATIENT = Recipe(batch_size=16, learning_rate=0.01, patience=2)
SCORE = Objective("validation_score", "maximize")


class Scores(Downhill):
    """Figures that come one after another."""

    def __init__(self, *scores: float) -> None:
        self.scores = iter(scores)

    def meter(self, device: torch.device) -> First:
        return Always(next(self.scores))


@pytest.mark.parametrize(
    ("scores", "direction", "epochs", "best"),
    [
        ((1, 3, 2, 3, 9), "maximize", 4, 2),  # a tie is not better
        ((1, 2, 3, 4, 5), "maximize", 5, 5),
        ((1, 2, 3, 4, 5), "minimize", 3, 1),
        ((5, 6, 4, 6, 3), "minimize", 5, 5),
        ((5, 6, 4, 6, 6), "minimize", 5, 3),
    ],
)
def test_patience_ends_training_and_keeps_the_best_weights(
    scores: tuple[float, ...], direction: str, epochs: int, best: int
) -> None:
    model, after = Offset(), list[float]()

    def report(point: Epoch) -> bool:
        after.append(model.offset.item())
        return False

    given = {"budget": Budget(epochs=5), "seed": 0, "report": report}
    objective = Objective("validation_score", direction)  # type: ignore[arg-type]
    training = train(model, Method(Scores(*scores), PATIENT), examples(), examples(2), objective=objective, **given)
    assert training.ended == "complete"
    assert len(training.curve) == epochs
    assert training.figures == {"validation_score": scores[best - 1]}
    assert model.offset.item() == after[best - 1]
    assert training.notes == (() if best == epochs else (f"The weights are those of epoch {best}, the best of {epochs}.",))


def test_patience_needs_an_objective_that_validation_gives() -> None:
    with pytest.raises(BenchmarkError, match=r"^Patience waits for an objective to get better; give one"):
        trained(network(), recipe=PATIENT)
    with pytest.raises(
        BenchmarkError, match=r"^Patience waits for a figure of validation .validation_accuracy, .*got 'latency_ms'"
    ):
        trained(network(), recipe=PATIENT, objective=Objective("latency_ms", "minimize"))


def test_the_running_mean_is_what_is_validated_and_kept() -> None:
    model, loops = Offset(), list[Loop]()
    recipe = Recipe(batch_size=10, learning_rate=0.1, ema=0.5)
    given = {"budget": Budget(epochs=2), "seed": 0, "on_step": loops.append}
    training = train(model, Method(Downhill(), recipe), examples(40), examples(2), **given)
    mean = loops[-1].stepper.validated.offset.item()
    assert model.offset.item() == mean != model.seen[-1]
    assert training.figures == {"validation_offset": mean}


def state_after(steps: int, model: nn.Module, **given: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state of a training after so many steps, as it would be read from a file."""
    found: list[tuple[dict[str, Tensor], dict[str, Any]]] = []

    def on_step(loop: Loop) -> None:
        if loop.at.step == steps:
            tensors, data = loop.state()
            found.append(({name: value.clone() for name, value in tensors.items()}, json.loads(json.dumps(data))))

    trained(model, on_step=on_step, **given)
    return found[0]


DETAILS = [
    AUGMENTED,
    replace(AUGMENTED, ema=0.9, gradient_norm=1.0, l1=1e-4),
    replace(AUGMENTED, patience=1, accumulation=2),
    replace(AUGMENTED, optimizer="lamb", schedule="poly"),
]


@pytest.mark.parametrize("steps", [1, 3, 4, 8, 9])
@pytest.mark.parametrize("recipe", DETAILS)
def test_a_training_goes_on_from_any_step_as_if_it_had_not_stopped(recipe: Recipe, steps: int) -> None:
    """Three steps an epoch, three epochs: in an epoch's midst, at its end, and at the end of all."""
    given = {"recipe": recipe, "seed": 5, "objective": Objective("validation_loss", "minimize")}
    whole, stopped, other = network(), network(), network(seed=3)
    expected = trained(whole, **given)
    state = state_after(steps, stopped, **given)
    torch.rand(3)
    found = trained(other, begin=lambda loop: loop.restore(*state), **given)
    assert equal(other, whole)
    assert [replace(point, seconds=0) for point in found.curve] == [replace(point, seconds=0) for point in expected.curve]
    assert (found.figures, found.notes, found.steps) == (expected.figures, expected.notes, expected.steps)


def test_the_state_of_a_training_of_another_length_is_refused() -> None:
    state = state_after(2, network())
    with pytest.raises(BenchmarkError, match=r"^A training of 15 steps \(3 an epoch\) cannot go on from one of 9 \(3\).$"):
        trained(network(), budget=Budget(epochs=5), begin=lambda loop: loop.restore(*state))


def test_a_pruner_is_told_again_what_came_before_the_interruption() -> None:
    state, told = state_after(7, network()), list[int]()
    trained(network(), begin=lambda loop: loop.restore(*state), report=lambda point: bool(told.append(point.epoch)))
    assert told == [1, 2, 3]


@pytest.mark.parametrize("way", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0, "erase": 0.3}])
def test_a_network_learns_from_mixed_examples(way: dict[str, float]) -> None:
    training = trained(network(), recipe=replace(RECIPE, **way), budget=Budget(epochs=20), classes=2)
    plain = trained(network(), budget=Budget(epochs=20))
    assert training.curve[-1].figures["validation_accuracy"] > 0.9
    assert training.curve[-1].train_loss > plain.curve[-1].train_loss


def test_what_is_mixed_follows_from_the_seed() -> None:
    one, other = network(), network()
    for model in (one, other):
        trained(model, recipe=replace(RECIPE, mixup=0.4, cutmix=1.0), classes=2, seed=5)
    assert equal(one, other)
