"""What a network does while its memory is watched: a forward pass, or a step of training."""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from nas.errors import ModelError

Work = Literal["inference", "training"]
"""A forward pass in evaluation mode without gradients; a step of AdamW that makes the sum of the outputs smaller."""

Step = Callable[[], None]


def _inference(network: nn.Module, batch: tuple[Tensor, ...]) -> Step:
    network.eval()

    def step() -> None:
        with torch.inference_mode():
            network(*batch)

    return step


def _training(network: nn.Module, batch: tuple[Tensor, ...]) -> Step:
    network.train()
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise ModelError("A network without trainable parameters has no step of training.")
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)

    def step() -> None:
        optimizer.zero_grad()
        outputs = [leaf for leaf in tree_leaves(network(*batch)) if isinstance(leaf, Tensor) and leaf.requires_grad]
        torch.autograd.backward([output.float().sum() for output in outputs])
        optimizer.step()

    return step


WORK: Mapping[Work, Callable[[nn.Module, tuple[Tensor, ...]], Step]] = {"inference": _inference, "training": _training}
"""By its name, what makes one step of it."""
