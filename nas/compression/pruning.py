"""Magnitude pruning: the smallest weights become zeros, step by step while the others learn on; a file keeps the others alone.

Zeros are multiplied like any number: the network is no faster, and its row says so.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from nas.benchmark import Budget, Recipe
from nas.compression.fine_tuning import fine_tuning
from nas.training import Derivation, Lineage, Method
from nas.training.derivations import Family
from nas.training.method import Move
from nas.training.packing import is_on_grid, without_zeros

GROWING = 0.6
"""Share of the training over which zeros become more; in the rest what is left learns on."""


class Magnitude(Derivation):
    """The smallest weights of the whole network, whatever layer they are of, become zeros (Han et al. 2015, arXiv:1506.02626).

    Their share grows as 1 − (1 − t)³ over training, so that the network heals between (Zhu & Gupta 2017, arXiv:1710.01878,
    eq. 1).
    """

    summary: ClassVar[str] = "the smallest weights become zeros, gradually while the rest is fine-tuned"
    family: ClassVar[Family] = "compression"
    plain: ClassVar[bool] = False

    share: Annotated[float, Field(gt=0, lt=1)] = 0.75
    """Of the weights in matrices and filters, that become zeros."""
    epochs: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """Of fine-tuning; a quarter of a finalist's if not given, 0 for all zeros at once and none."""

    def recipe(self, recipe: Recipe) -> Recipe:
        """Without patience: the best epoch may be one before all zeros were in, and what they cost would not be healed."""
        return replace(recipe, patience=None)

    def budget(self, final: Budget) -> Budget | None:
        """Some epochs."""
        return None if self.epochs == 0 else fine_tuning(final, self.epochs, 4)

    def method(self, method: Method, lineage: Lineage) -> Method:
        """With zeros that become more from step to step."""
        steps = max(1, math.ceil(len(lineage.training) * lineage.setup.budget.fraction / method.recipe.batch_size))
        return _Gradual(method, self.share, round(GROWING * steps * lineage.setup.budget.epochs))

    def finish(self, network: nn.Module, lineage: Lineage) -> nn.Module:  # noqa: ARG002
        """With as many zeros as asked."""
        prune(network, self.share)
        return network

    def kept(self, network: nn.Module) -> Mapping[str, Tensor]:
        """The weights that are not zero, and where they stand."""
        return dict(without_zeros(network.state_dict(), {name for name, _ in prunable(network)}))

    def figures(self, network: nn.Module) -> Mapping[str, float]:
        """The share of weights that are zero."""
        weights = [weight for _, weight in prunable(network)]
        return {"share_of_zeros": sum(int((weight == 0).sum()) for weight in weights) / sum(map(Tensor.numel, weights))}


class _Gradual(Method):
    """A method with zeros that become more; what else it does is the other's."""

    def __init__(self, method: Method, share: float, until: int) -> None:
        super().__init__(method.task, method.recipe, method.classes)
        self.other, self.share, self.until = method, share, max(1, until)
        self.kept = method.kept
        self.step = 0

    @property
    def identity(self) -> Mapping[str, object]:
        return {**self.other.identity, "magnitude": [self.share, self.until]}

    def moves(self, step: int) -> tuple[Move, ...]:
        self.step = step
        return (Move("", self.loss),)

    def counted(self, targets: Tensor) -> Tensor | None:
        return self.other.counted(targets)

    def loss(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        prune(network, self.share * (1 - (1 - min(1.0, self.step / self.until)) ** 3))
        return self.other.loss(network, inputs, targets)


def prunable(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Matrices and filters."""
    return ((name, weight) for name, weight in network.named_parameters() if is_on_grid(weight))


@torch.no_grad()
def prune(network: nn.Module, share: float) -> None:
    """Set that share of all prunable weights to zero, the smallest first; of equal ones the first."""
    weights = [weight for _, weight in prunable(network)]
    sizes = torch.cat([weight.abs().flatten() for weight in weights])
    count = round(share * len(sizes))
    if not count:
        return
    chosen = torch.zeros(len(sizes), dtype=torch.bool, device=sizes.device)
    chosen[torch.argsort(sizes, stable=True)[:count]] = True
    begin = 0
    for weight in weights:
        weight.masked_fill_(chosen[begin : begin + weight.numel()].view_as(weight), 0.0)
        begin += weight.numel()
