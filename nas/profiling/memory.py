"""Memory of one training step: the most that is alive at once."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nas.device import synchronize


def peak_memory_bytes(make: Callable[[], tuple[nn.Module, Callable[[], None]]], device: torch.device) -> int:
    """The most tensor memory alive while a network is made and takes two training steps.

    `make` gives the network and a function that takes one step. Weights, gradients, the optimiser's state, activations
    and the batch are in it; the data set is not. On CUDA the figure is the allocator's, so that scratch memory of kernels
    is in it too; on the CPU it is the sum of tensor storages after each operator, which leaves such scratch out.
    """
    if device.type == "cuda":
        synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        _two_steps(make)
        synchronize(device)
        return int(torch.cuda.max_memory_allocated(device) - before)
    with _Storages() as storages:
        _two_steps(make)
    return int(storages.peak)


def _two_steps(make: Callable[[], tuple[nn.Module, Callable[[], None]]]) -> None:
    model, step = make()
    step()
    step()  # the optimiser's state exists from the second step on
    del model


class _Storages(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sums the storages that operators give, and subtracts each when it is freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive = 0
        self.peak = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(given):
            if isinstance(leaf, torch.Tensor):
                self._add(leaf.untyped_storage())
        return given

    def _add(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return

        def freed(_: object) -> None:
            self._known.pop(key, None)
            self.alive -= size

        self._known[key] = weakref.ref(storage, freed)
        self.alive += size
        self.peak = max(self.peak, self.alive)
