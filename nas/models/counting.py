"""Parameters and multiply-adds of any network, counted on the meta device: no weight exists, nothing is computed.

The convention: `macs` are the multiply-adds of convolutions, matrix products, attention and recurrent cells in one
forward pass of one example; `flops` are twice that. Normalisation, activations, pooling, sums and embeddings are in neither.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nas.benchmark import Shape, Tokens
from nas.models.layers.kind import Cost


def example(shape: Shape, device: torch.device | str, batch_size: int = 1) -> torch.Tensor:
    """A batch of zeros of `shape`, the axes of one example after the batch's; tokens are int64."""
    dtype = torch.int64 if isinstance(shape, Tokens) else torch.float32
    return torch.zeros(batch_size, *shape.axes, dtype=dtype, device=device)


def count(build: Callable[[], nn.Module], shape: Shape) -> Cost:
    """What the network that `build` makes costs for one example of `shape`, by torch's counter on meta.

    On the meta device torch takes no fused path, so that attention and recurrent cells are counted too.
    """
    with torch.device("meta"):
        model = build().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(example(shape, "meta"))
    return Cost(params=parameters(model), macs=counter.get_total_flops() // 2)


def parameters(model: nn.Module) -> int:
    """Trainable parameters; one that stands in several places counts once."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
