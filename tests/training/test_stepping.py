import copy
import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from little import RECIPE, TASK, Downhill, Offset, examples, linear, network
from torch import Tensor, nn

from nas.benchmark import Recipe
from nas.training import IGNORED, Method, Tagging
from nas.training.stepping import Stepper

STILL = Recipe(batch_size=16, learning_rate=0.0, weight_decay=0.0)
"""Moves nothing, so that the gradients of the same weights can be compared."""


def gradients(model: nn.Module, recipe: Recipe = STILL, parts: int = 1) -> Tensor:
    step = Stepper(model, Method(TASK, replace(recipe, accumulation=parts)))
    step(examples().inputs, examples().targets)
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])


def test_a_step_forgets_the_gradients_of_the_last() -> None:
    model = linear()
    assert torch.equal(gradients(model), gradients(model))


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_gradients_are_cut_to_the_length_that_the_recipe_allows(share: float) -> None:
    free = gradients(linear())
    cut = gradients(linear(), replace(STILL, gradient_norm=share * free.norm().item()))
    assert torch.allclose(cut, min(share, 1.0) * free, rtol=1e-4)


@pytest.mark.parametrize("parts", [2, 3, 7, 16])
def test_parts_of_a_batch_have_the_gradients_of_the_whole(parts: int) -> None:
    assert torch.allclose(gradients(linear(), parts=parts), gradients(linear()), atol=1e-6)


def test_parts_of_a_batch_have_its_mean_loss() -> None:
    data = examples(37)
    losses = [Stepper(linear(), Method(TASK, replace(STILL, accumulation=parts)))(data.inputs, data.targets) for parts in (1, 5)]
    assert losses[1].item() == pytest.approx(losses[0].item())


def test_parts_of_which_positions_count_unequally_have_loss_and_gradients_of_the_whole() -> None:
    targets_NL = torch.tensor([[0, 1, 2, 0], [1, 2, 0, IGNORED], [2, *[IGNORED] * 3], [IGNORED] * 4, [0, *[IGNORED] * 3]])
    inputs_NLC = torch.rand(5, 4, 6, generator=torch.Generator().manual_seed(0))
    losses, found = [], []
    for parts in (1, 2, 5):
        model = nn.Linear(6, 3)
        nn.init.constant_(model.weight, 0.5)
        nn.init.zeros_(model.bias)
        step = Stepper(model, Method(Tagging(lambda _: examples()), replace(STILL, accumulation=parts)))
        losses.append(step(inputs_NLC, targets_NL).item())
        assert model.weight.grad is not None
        found.append(model.weight.grad)
    assert losses[1:] == pytest.approx([losses[0]] * 2)
    assert all(torch.allclose(one, found[0], atol=1e-7) for one in found[1:])


class Hungry(nn.Module):
    """Has no memory for more than `most` examples at once."""

    def __init__(self, most: int, error: Callable[[], Exception]) -> None:
        super().__init__()
        self.inner = linear()
        self.most = most
        self.error = error
        self.activations: list[weakref.ref[Tensor]] = []
        self.seen: list[int] = []

    def forward(self, images_NCHW: Tensor) -> Tensor:
        hidden = self.inner(images_NCHW)
        if len(images_NCHW) > self.most:
            self.activations.append(weakref.ref(hidden))
            raise self.error()
        self.seen.append(len(images_NCHW))
        return hidden


def full() -> Exception:
    return torch.OutOfMemoryError("CUDA out of memory.")


def test_a_batch_that_does_not_fit_is_trained_in_parts_of_which_each_does() -> None:
    model = Hungry(10, full)
    step = Stepper(model, Method(TASK, STILL))
    loss = step(examples().inputs, examples().targets)
    step(examples().inputs, examples().targets)
    assert model.seen == [10] * 8
    assert step.parts == 4
    assert step.notes == [
        "Out of memory at step 1: batches are trained in 2 parts.",
        "Out of memory at step 1: batches are trained in 4 parts.",
    ]
    assert loss.item() == pytest.approx(Stepper(linear(), Method(TASK, STILL))(examples().inputs, examples().targets).item())
    found = torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])
    assert torch.allclose(found, gradients(linear()), atol=1e-6)


def test_what_did_not_fit_is_gone_before_the_next_try() -> None:
    class Watching(Hungry):
        def forward(self, images_NCHW: Tensor) -> Tensor:
            gc.collect()
            assert not any(held() is not None for held in self.activations)
            return super().forward(images_NCHW)

    model = Watching(10, full)
    Stepper(model, Method(TASK, STILL))(examples().inputs, examples().targets)
    assert len(model.activations) == 2


@pytest.mark.parametrize(("most", "count"), [(1, 40), (0, 4), (3, 512)])
def test_halving_ends_at_two_examples_and_after_six_times(most: int, count: int) -> None:
    data = examples(count)
    step = Stepper(Hungry(most, full), Method(TASK, STILL))
    with pytest.raises(torch.OutOfMemoryError):
        step(data.inputs, data.targets)
    assert step.parts == min(64, 2 ** (count // 2).bit_length() // 2)


def test_another_error_halves_nothing() -> None:
    step = Stepper(Hungry(10, lambda: RuntimeError("shapes do not fit")), Method(TASK, STILL))
    with pytest.raises(RuntimeError, match="shapes"):
        step(examples().inputs, examples().targets)
    assert step.parts == 1


def test_the_running_mean_follows_the_weights_by_its_decay() -> None:
    """The offset falls by 0.1 a step; the decay warms up as 1 − (1 + step)^(−2/3), and is 0 at the first."""
    model = Offset()
    step = Stepper(model, Method(Downhill(), Recipe(batch_size=4, learning_rate=0.1, ema=0.6)))
    expected, value = 0.0, 0.0
    for number in range(1, 6):
        step(examples(4).inputs, examples(4).targets)
        value -= 0.1
        decay = min(0.6, 1 - number ** (-2 / 3))
        expected = decay * expected + (1 - decay) * value
        assert model.offset.item() == pytest.approx(value, abs=1e-5)
        assert step.validated.offset.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_has_gradients_close_to_those_of_full(precision: str) -> None:
    model, twin = network(), network()
    model.eval(), twin.eval()
    for one, kind in ((model, precision), (twin, "float32")):
        Stepper(one, Method(TASK, STILL), kind)(examples().inputs, examples().targets)
    for (name, ours), theirs in zip(model.named_parameters(), twin.parameters(), strict=True):
        assert ours.dtype == torch.float32
        assert ours.grad is not None
        assert theirs.grad is not None
        assert not torch.equal(ours.grad, theirs.grad), name
        assert torch.allclose(ours.grad, theirs.grad, atol=0.03 * theirs.grad.abs().max().item() + 1e-3), name


@pytest.mark.parametrize(("slope", "moves"), [(1.0, True), (1e35, False)])
def test_a_step_of_float16_whose_gradients_overflow_is_left_out(slope: float, moves: bool) -> None:
    """The loss is scaled by 65,536 first, and by half of that after an overflow."""

    class Steep(Downhill):
        def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
            return outputs.mean() * slope

    model = Offset()
    step = Stepper(model, Method(Steep(), Recipe(batch_size=4, learning_rate=0.1)), "float16")
    step(examples(4).inputs, examples(4).targets)
    assert (model.offset.item() != 0) == moves
    assert step.scaler.get_scale() == (65_536 if moves else 32_768)


@pytest.mark.parametrize("change", [{}, {"ema": 0.9}, {"optimizer": "lamb"}, {"optimizer": "sgd"}])
def test_a_stepper_goes_on_from_where_another_stopped(change: dict[str, Any]) -> None:
    model, recipe = network(), replace(RECIPE, **change)
    step = Stepper(model, Method(TASK, recipe))
    data = examples(16)
    torch.manual_seed(0)
    step(data.inputs, data.targets)
    tensors, plain = step.state()
    tensors = {name: value.clone() for name, value in tensors.items()}
    plain = copy.deepcopy(plain)
    random_state = torch.get_rng_state()
    step(data.inputs, data.targets)

    other = network(seed=9)
    later = Stepper(other, Method(TASK, recipe))
    later.restore(tensors, plain)
    torch.set_rng_state(random_state)
    later(data.inputs, data.targets)
    for ours, theirs in zip(later.validated.state_dict().values(), step.validated.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    assert all(map(torch.equal, other.parameters(), model.parameters()))
    assert later.steps == 2
