"""What moves the weights: the optimiser, the learning rate of each step, and what pulls weights to zero."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import timm.optim
import timm.scheduler
import torch
from torch import Tensor, nn

from nas.benchmark import Recipe
from nas.errors import BenchmarkError, did_you_mean, quote

OURS = ("adamw", "sgd")
"""Optimisers of torch's own, which have fused kernels; every other name is timm's."""

SHAPES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,  # noqa: ARG005 - one signature
    "linear": lambda done: 1 - done,
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
}
"""Share of the highest rate by the share of steps done since the warm-up; cosine is Loshchilov & Hutter 2017, eq. 5."""

UNWRITTEN = "kron"
"""timm's optimisers that begin so keep tensors in lists, which a checkpoint does not hold; they are not offered."""

TIMMS = ("multistep", "poly", "step", "tanh")


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser; weights are decayed, biases and normalisation (all that has one axis) are not.

    Raises:
        BenchmarkError: there is no optimiser of that name.
    """
    plain = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [
        {"params": list(decayed(model)), "weight_decay": recipe.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return optimizer_of(groups, recipe)


def optimizer_of(groups: list[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser of `groups` of parameters, which may have a `weight_decay` and an `lr_scale` of their own.

    Raises:
        BenchmarkError: there is no optimiser of that name.
    """
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(recipe.momentum, 0.999), fused=True)
    if recipe.optimizer == "sgd":
        nesterov = recipe.momentum > 0
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov, fused=True)
    return _timms_optimizer([group for group in groups if group["params"]], recipe)


def _timms_optimizer(groups: list[dict[str, Any]], recipe: Recipe) -> torch.optim.Optimizer:
    name = recipe.optimizer
    known = [str(known) for known in timm.optim.list_optimizers() if not str(known).startswith(UNWRITTEN)]
    if name not in known:
        raise BenchmarkError(f"There is no optimiser {quote(name)}. {did_you_mean(name, sorted({*OURS, *known}))}")
    try:
        made: torch.optim.Optimizer = timm.optim.create_optimizer_v2(
            groups, opt=name, lr=recipe.learning_rate, momentum=recipe.momentum
        )
    except (AssertionError, ImportError, RuntimeError, ValueError) as error:  # several need a package or a GPU of their own
        raise BenchmarkError(f"The optimiser {name!r} cannot be had here: {str(error).rstrip('.')}; take another.") from error
    if getattr(made, "is_second_order", False):
        raise BenchmarkError(f"The optimiser {name!r} needs second derivatives, which the loop does not take; take another.")
    return made


def decayed(model: nn.Module) -> Iterator[nn.Parameter]:
    """The weights that decay: all parameters but biases and those of normalisation."""
    return (parameter for parameter in model.parameters() if parameter.ndim > 1)


class Schedule:
    """The learning rate by step, which depends on nothing else, so that a training can go on at any step.

    A group of weights that has an `lr_scale` is given that share of it.

    It rises evenly over the recipe's warm-up and then follows its schedule. timm's: `step` falls to a tenth after each third of
    what is left, `multistep` at a half and at three quarters (He et al. 2016, arXiv:1512.03385, sec. 4.2), `poly` and `tanh`
    as timm has them.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int) -> None:
        """For a training of `steps`.

        Raises:
            BenchmarkError: there is no schedule of that name.
        """
        self._optimizer = optimizer
        self._recipe = recipe
        self._rising = max(1, round(recipe.warmup * steps))
        self._falling = max(1, steps - self._rising)
        self._shape = SHAPES.get(recipe.schedule)
        if self._shape is None and recipe.schedule not in TIMMS:
            raise BenchmarkError(
                f"There is no schedule {quote(recipe.schedule)}. {did_you_mean(recipe.schedule, [*SHAPES, *TIMMS])}"
            )
        self._timms = _timms(optimizer, recipe.schedule, self._falling) if self._shape is None else None

    def set(self, step: int) -> None:
        """Set the rate of `step`, counted from 0."""
        if step >= self._rising and self._timms is not None:
            self._timms.step_update(step - self._rising)
            return
        if step < self._rising:
            share = (step + 1) / self._rising
        else:
            assert self._shape is not None  # noqa: S101 - it is one of ours
            share = self._shape((step - self._rising) / self._falling)
        for group in self._optimizer.param_groups:
            group["lr"] = self._recipe.learning_rate * group.get("lr_scale", 1.0) * share


def _timms(optimizer: torch.optim.Optimizer, name: str, steps: int) -> timm.scheduler.scheduler.Scheduler:
    """timm's schedule `name` over `steps`, without a warm-up."""
    if name == "step":
        return timm.scheduler.StepLRScheduler(optimizer, decay_t=max(1, math.ceil(steps / 3)), decay_rate=0.1, t_in_epochs=False)
    if name == "multistep":
        turns = [1 + round(steps / 2), 1 + round(3 * steps / 4)]  # timm counts them from 1
        return timm.scheduler.MultiStepLRScheduler(optimizer, decay_t=turns, decay_rate=0.1, t_in_epochs=False)
    kind = timm.scheduler.PolyLRScheduler if name == "poly" else timm.scheduler.TanhLRScheduler
    return kind(optimizer, t_initial=steps, t_in_epochs=False)


@torch.no_grad()
def pull_to_zero(weights: Iterable[Tensor], recipe: Recipe) -> None:
    """Add to the weights' gradients those of `l1` × Σ|w| + `l2`/2 × Σw²."""
    held = [weight for weight in weights if weight.grad is not None]
    gradients = [weight.grad for weight in held if weight.grad is not None]
    if recipe.l1:
        torch._foreach_add_(gradients, torch._foreach_sign(held), alpha=recipe.l1)
    if recipe.l2:
        torch._foreach_add_(gradients, held, alpha=recipe.l2)
