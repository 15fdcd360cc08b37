"""A network lent for a score: it runs on copies of its weights and buffers, and is afterwards what it was."""

import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm


class Lent:
    """A network that runs on copies of its own, which may be changed in place."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.parameters = {name: one.detach().clone().requires_grad_(one.requires_grad) for name, one in _parameters(network)}
        self.buffers = {name: buffer.detach().clone() for name, buffer in network.named_buffers()}

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The trainable matrices, filters and tables: no biases, and nothing of a normalisation."""
        return {name: weight for name, weight in self.parameters.items() if weight.requires_grad and weight.dim() > 1}

    def __call__(self, inputs: Tensor) -> Tensor:
        """What the network gives."""
        outputs: Tensor = functional_call(self.network, {**self.parameters, **self.buffers}, (inputs,))
        return outputs


def _parameters(network: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return network.named_parameters()  # one that stands in several places once, which functional_call knows


@contextmanager
def lent(network: nn.Module, *, batch_statistics: bool = True) -> Iterator[Lent]:
    """Lend `network`, set so that nothing in it is random: as for validation, but for batch normalisation.

    That takes mean and variance from the batch at hand, as in the first step of a training, where there are `batch_statistics`,
    else from what it has gathered, which in a new network is 0 and 1.
    """
    modes = [(module, module.training) for module in network.modules()]
    for module, _ in modes:
        module.training = batch_statistics and isinstance(module, _BatchNorm)
    try:
        with _gradients_of_recurrent(network):
            yield Lent(network)
    finally:
        for module, training in modes:
            module.training = training


def _gradients_of_recurrent(network: nn.Module) -> AbstractContextManager[object]:
    """cuDNN gives gradients of recurrent cells while they train alone, when their dropout is random."""
    if any(isinstance(module, nn.RNNBase) for module in network.modules()):
        return torch.backends.cudnn.flags(enabled=False)
    return nullcontext()


def score_of(value: Tensor | float) -> float | None:
    """The number; None where it is none, or too large for one. −inf is a score: the least."""
    number = float(value)
    return None if math.isnan(number) or number == math.inf else number
