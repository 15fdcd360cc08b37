"""What a score looks at: the first examples that a network would train on, and the loss that it would be trained by."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from nas.training import Task

EXAMPLES = 64
"""A batch of the size that Abdelfattah et al. (2021, arXiv:2101.08134, sec. 3) score by."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Inputs and targets on the network's device; the first axis of both counts examples."""

    inputs: Tensor
    """(N, …), as a benchmark feeds them."""
    targets: Tensor
    """(N, …), as its loss takes them."""
    loss: Callable[[Tensor, Tensor], Tensor]
    """Of outputs and targets, a scalar: the mean over what counts."""
    seed: int = 0
    """Of what a score draws."""

    @property
    def ones(self) -> Tensor:
        """One example of nothing but 1, for scores that look at no data; of tokens, the token 1 at each position."""
        return torch.ones_like(self.inputs[:1])


def first_batch(task: Task, device: torch.device, seed: int = 0) -> Batch:
    """The first training examples in the benchmark's fixed order, neither augmented nor mixed, with the task's plain loss."""
    examples = task.examples("train")
    few = type(examples)(examples.inputs[:EXAMPLES], examples.targets[:EXAMPLES]).to(device)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return task.loss(outputs, targets, 0.0)

    return Batch(inputs=few.inputs, targets=few.targets, loss=loss, seed=seed)
