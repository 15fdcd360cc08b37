"""A method with two players, as adversaries are: what each step moves, and that a training of it goes on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from little import RECIPE, equal, examples, network
from torch import Tensor, nn

from nas.benchmark import Budget
from nas.errors import BenchmarkError
from nas.training import Checkpoints, Loop, Method, Move, Training, make_optimizer, train
from nas.training.stepping import Stepper


class Pair(nn.Module):
    """Two players that look at the same pictures."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.first, self.second = network(seed), network(seed + 1)


class Game(Method):
    """The first player moves twice a step, the second once, against what noise makes of the first."""

    whole = False

    def __init__(self, *players: str, bad: float = 0.0, rate: float = 1.0) -> None:
        super().__init__(task=None, recipe=RECIPE)  # type: ignore[arg-type]  # it asks no task
        self.players = players or ("first", "first", "second")
        self.bad = bad
        self.rate = rate

    def optimizers(self, trained: nn.Module) -> Mapping[str, torch.optim.Optimizer]:
        made = {name: make_optimizer(getattr(trained, name), self.recipe) for name in ("first", "second")}
        for group in made["second"].param_groups:
            group["lr_scale"] = self.rate
        return made

    def moves(self, step: int) -> Sequence[Move]:
        return [Move(name, self.first if name == "first" else self.second) for name in self.players]

    def first(self, pair: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        noise = torch.randn(len(inputs), 2)
        return (pair.first(inputs) - noise).square().mean() * (math.nan if self.bad else 1.0)

    def second(self, pair: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        return (pair.second(inputs) + pair.first(inputs)).square().mean()

    def measure(self, trained: nn.Module, examples: object, split: str, precision: str) -> dict[str, float]:
        with torch.no_grad():
            return {f"{split}_size": sum(weight.abs().sum().item() for weight in trained.parameters())}


def played(pair: Pair, game: Game | None = None, **given: object) -> Training:
    return train(pair, game or Game(), examples(), examples(20, seed=1), budget=Budget(epochs=3), seed=5, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("player", "other"), [("first", "second"), ("second", "first")])
def test_a_move_changes_the_weights_of_its_part_alone(player: str, other: str) -> None:
    pair, before = Pair(), Pair()
    pair.train()
    Stepper(pair, Game(player))(*examples_of_one_batch())
    assert all(map(torch.equal, getattr(pair, other).parameters(), getattr(before, other).parameters()))
    assert not any(map(torch.equal, getattr(pair, player).parameters(), getattr(before, player).parameters()))


def examples_of_one_batch() -> tuple[Tensor, Tensor]:
    data = examples(16)
    return data.inputs, data.targets


def test_each_move_of_a_step_is_a_step_of_its_optimiser() -> None:
    step = Stepper(Pair(), Game())
    step(*examples_of_one_batch())
    taken = {name: {int(held["step"]) for held in optimizer.state.values()} for name, optimizer in step.optimizers.items()}
    assert taken == {"first": {2}, "second": {1}}
    assert step.steps == 1


def test_the_loss_of_a_step_is_that_of_its_last_move() -> None:
    pair = Pair()
    pair.eval()
    data = examples_of_one_batch()
    expected = Game("second").second(pair, *data)
    assert Stepper(pair, Game("second"))(*data).item() == pytest.approx(expected.item())


def test_a_player_has_a_learning_rate_of_its_own() -> None:
    rates: list[list[float]] = []

    def on_step(loop: Loop) -> None:
        rates.append([optimizer.param_groups[0]["lr"] for optimizer in loop.stepper.optimizers.values()])

    played(Pair(), Game(rate=0.25), on_step=on_step)
    assert all(second == pytest.approx(first / 4) for first, second in rates)
    assert rates[0] != rates[-1]


@pytest.mark.parametrize("steps", [1, 4, 6, 9])
def test_a_game_goes_on_from_its_files_as_if_it_had_not_stopped(steps: int, tmp_path: Path) -> None:
    """Three steps an epoch; the noise that follows is the same too."""

    class Stopped(Exception):
        pass

    kept = Checkpoints(tmp_path, 0)

    def on_step(loop: Loop) -> None:
        kept.on_step(loop)
        if loop.at.step == steps:
            raise Stopped

    whole, other = Pair(), Pair(seed=7)
    expected = played(whole)
    with pytest.raises(Stopped):
        played(Pair(), begin=kept.begin, on_step=on_step)
    found = played(other, begin=Checkpoints(tmp_path, 1e9).begin)
    assert equal(other, whole)
    assert [replace(point, seconds=0) for point in found.curve] == [replace(point, seconds=0) for point in expected.curve]


def test_a_game_does_not_go_on_from_a_training_by_another_method(tmp_path: Path) -> None:
    class Otherwise(Game):
        pass

    kept = Checkpoints(tmp_path, 0)
    played(Pair(), begin=kept.begin, on_step=kept.on_step)
    found = played(Pair(), Otherwise(), begin=Checkpoints(tmp_path, 1e9).begin)
    assert any("it is of a training with another method" in note for note in found.notes)


def test_a_loss_that_is_not_finite_is_seen_whosever_move_it_was() -> None:
    found = played(Pair(), Game(bad=1.0))
    assert (found.ended, found.steps) == ("diverged", 1)


class Compared(Game):
    """Its examples are compared with each other."""

    splits = False


def test_a_batch_whose_examples_are_compared_is_not_trained_in_parts() -> None:
    class Full(Compared):
        def second(self, pair: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("out of memory")

    step = Stepper(Pair(), Full())
    with pytest.raises(torch.OutOfMemoryError):
        step(*examples_of_one_batch())
    assert step.parts == 1
    parts = Compared()
    parts.recipe = replace(RECIPE, accumulation=2)
    with pytest.raises(BenchmarkError, match="compared with each other, so that it cannot be trained in 2 parts"):
        Stepper(Pair(), parts)


def test_a_batch_that_does_not_fit_is_halved_for_the_move_at_hand() -> None:
    sizes = []

    class Hungry(Game):
        def second(self, pair: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
            sizes.append(len(inputs))
            if len(inputs) > 8:
                raise torch.OutOfMemoryError("out of memory")
            return super().second(pair, inputs, targets)

    step = Stepper(Pair(), Hungry())
    step(*examples_of_one_batch())
    assert sizes == [16, 8, 8]
    assert step.notes == ["Out of memory at step 1: batches are trained in 2 parts."]
