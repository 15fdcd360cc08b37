"""Memory of one training step: the most that is alive at once."""

from collections.abc import Callable

import torch
from torch import nn

from nas.device import allocated_peak_bytes
from nas.profiling.storages import Storages


def peak_memory_bytes(make: Callable[[], tuple[nn.Module, Callable[[], None]]], device: torch.device) -> int:
    """The most tensor memory alive while a network is made and takes two training steps.

    `make` gives the network and a function that takes one step. Weights, gradients, the optimiser's state, activations
    and the batch are in it; the data set is not. On CUDA the figure is the allocator's, so that scratch memory of kernels
    is in it too; elsewhere it is the sum of tensor storages after each operator, which leaves such scratch out.
    """
    allocated = allocated_peak_bytes(lambda: _two_steps(make), device)
    if allocated is not None:
        return allocated
    with Storages() as storages:
        _two_steps(make)
    return int(storages.peak)


def _two_steps(make: Callable[[], tuple[nn.Module, Callable[[], None]]]) -> None:
    model, step = make()
    step()
    step()  # the optimiser's state exists from the second step on
    del model
