"""One network trained by one recipe: the loop, its schedule, and the learning curve that comes out."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from nas.benchmark import Budget, Recipe
from nas.device import seeded, synchronize
from nas.records import Epoch
from nas.training.augmentation import augment
from nas.training.task import Examples, Task

EVALUATION_BATCH = 1_024

Report = Callable[[Epoch], bool]
"""Told every epoch; answers whether training shall stop here."""


@dataclass(frozen=True)
class Training:
    """What training came to."""

    curve: Sequence[Epoch]
    ended: Literal["complete", "pruned", "diverged"]
    seconds: float
    """Wall-clock time of the training steps; validation is not in it."""


def train(
    model: nn.Module,
    task: Task,
    training: Examples,
    validation: Examples,
    *,
    recipe: Recipe,
    budget: Budget,
    seed: int,
    report: Report = lambda _: False,
) -> Training:
    """Train `model` in place on examples that lie on its device; equal seeds give equal weights, bit for bit on a CPU.

    The loss is looked at after every epoch: not finite, the training ends as "diverged". `report` is told every epoch.
    The global random state is left as it was.
    """
    with seeded(seed, training.inputs.device):  # for dropout; order and augmentation have a generator of their own
        return _train(model, task, training.first(budget.fraction), validation, recipe, budget, seed, report)


def _train(
    model: nn.Module,
    task: Task,
    training: Examples,
    validation: Examples,
    recipe: Recipe,
    budget: Budget,
    seed: int,
    report: Report,
) -> Training:
    device = training.inputs.device
    generator = torch.Generator().manual_seed(seed)
    per_epoch = math.ceil(len(training) / recipe.batch_size)
    optimizer = make_optimizer(model, recipe)
    curve: list[Epoch] = []
    seconds = 0.0
    for epoch in range(1, budget.epochs + 1):
        begin = time.perf_counter()
        model.train()
        order = torch.randperm(len(training), generator=generator)
        loss_sum = torch.zeros((), device=device)
        # Batches of equal size but for one: a last batch of a single example would stop batch normalisation.
        for step, picked in enumerate(order.to(device).tensor_split(per_epoch), start=(epoch - 1) * per_epoch):
            set_rate(optimizer, recipe, step, budget.epochs * per_epoch)
            inputs = augment(training.inputs[picked], recipe, generator)
            loss = take_step(model, task, optimizer, inputs, training.targets[picked], recipe)
            loss_sum += loss * len(picked)
        synchronize(device)
        seconds += time.perf_counter() - begin
        train_loss = loss_sum.item() / len(training)
        if not math.isfinite(train_loss):
            return Training(curve, "diverged", seconds)
        figures = evaluate(model, task, validation, "validation")
        if not all(math.isfinite(value) for value in figures.values()):
            return Training(curve, "diverged", seconds)
        curve.append(Epoch(epoch=epoch, train_loss=train_loss, figures=figures, seconds=seconds))
        if report(curve[-1]) and epoch < budget.epochs:
            return Training(curve, "pruned", seconds)
        if budget.seconds is not None and seconds >= budget.seconds:
            break
    return Training(curve, "complete", seconds)


def take_step(
    model: nn.Module, task: Task, optimizer: torch.optim.Optimizer, inputs: Tensor, targets: Tensor, recipe: Recipe
) -> Tensor:
    """One step of `optimizer` on one batch; returns the batch's mean loss, detached."""
    optimizer.zero_grad(set_to_none=True)  # before the forward pass, so that old gradients do not stand beside activations
    loss = task.loss(model(inputs), targets, recipe.label_smoothing)
    loss.backward()  # type: ignore[no-untyped-call]
    if recipe.gradient_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), recipe.gradient_norm)
    optimizer.step()
    return loss.detach()


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; weights are decayed, biases and normalisation (all that has one axis) are not."""
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    plain = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int, steps: int) -> None:
    """Set the learning rate of `step` (from 0) of `steps`: linear up, then cosine down to 0 (Loshchilov & Hutter 2017, eq. 5)."""
    rising = max(1, round(recipe.warmup * steps))
    if step < rising:
        share = (step + 1) / rising
    else:
        share = (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising))) / 2
    for group in optimizer.param_groups:
        group["lr"] = recipe.learning_rate * share


def evaluate(model: nn.Module, task: Task, examples: Examples, split: str) -> dict[str, float]:
    """The task's figures of `model` on `examples`, named after `split`: "validation_accuracy"."""
    model.eval()
    with torch.inference_mode():
        outputs = torch.cat([model(batch.inputs) for batch in examples.batches(EVALUATION_BATCH)])
        figures = task.figures(outputs, examples.targets)
    return {f"{split}_{name}": value for name, value in figures.items()}
