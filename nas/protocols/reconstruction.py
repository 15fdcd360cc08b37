"""Anomaly detection by reconstruction: a network learns to give back usual examples, and what it cannot give back is unusual.

Axes: N examples, F numbers.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nas.benchmark import Recipe
from nas.device import Precision
from nas.models.layers.corruption import Corruption
from nas.training import Examples, Feed, Method, Protocol, Setup, Task, evaluate


class Reconstructing(Method):
    """Mean squared error of what a network makes of spoilt inputs; targets are not looked at.

    Classes are 0 for usual examples, of which alone the training examples are, and 1 for others.
    """

    def __init__(self, task: Task, recipe: Recipe, corruption: Corruption) -> None:
        super().__init__(task, recipe)
        self.corruption = corruption

    @property
    def identity(self) -> Mapping[str, Any]:
        """What tells it from others: how inputs are spoilt, too."""
        return {**super().identity, **self.corruption.model_dump()}

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:  # noqa: ARG002 - none is looked at
        """Of the inputs as they were."""
        errors: Tensor = network(self.spoilt(inputs)) - inputs
        return errors.square().mean()

    def spoilt(self, inputs: Tensor) -> Tensor:
        """`inputs` as the network is given them in training."""
        spoilt = inputs
        if self.corruption.noise:
            spoilt = spoilt + self.corruption.noise * torch.randn_like(inputs)
        if self.corruption.masked:
            spoilt = spoilt * (torch.rand_like(inputs) >= self.corruption.masked)
        return spoilt

    def measure(self, trained: nn.Module, examples: Feed | Examples, split: str, precision: Precision) -> dict[str, float]:
        """The task's figures, of the errors as scores."""
        return evaluate(Misfit(trained), self.task, examples, split, precision)


class Misfit(nn.Module):
    """How badly a network gives back each example: the mean of its squared errors."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs_NF: Tensor) -> Tensor:
        """(N, F) → (N, 1)."""
        errors_NF: Tensor = self.network(inputs_NF) - inputs_NF
        return errors_NF.square().mean(1, keepdim=True)


class Reconstruction(Protocol):
    """Learning to give back, spoilt as the candidate's `corruption` says, if it has one."""

    stackable = False
    scored = False
    taught = False
    hardened = False

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.corruption = setup.training(Corruption) or Corruption()

    def method(self) -> Method:
        """That of the only stage."""
        assert isinstance(self.corruption, Corruption)  # noqa: S101 - it was asked for
        return Reconstructing(self.setup.task, self.setup.benchmark.recipe, self.corruption)
