"""Energy of a pass, by the counter of the GPU itself, read through zeus; None where there is no counter."""

import time
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from nas.device import synchronize
from nas.profiling.backends import Backend, Given, arguments, prepare
from nas.profiling.timing import evaluating

SECONDS = 2.0
"""The counter moves every tenth of a second or so: over two seconds that is 5 %."""
WARMUP_PASSES = 3
BETWEEN_LOOKS = 10
"""Passes before the clock is looked at again, so that the device always has work waiting."""


@dataclass(frozen=True, kw_only=True)
class Energy:
    """What passes one after another draw from the whole GPU; the processor and its memory are not counted."""

    millijoules: float
    """Of one pass over the batch."""
    watts: float
    """Mean power meanwhile."""
    passes: int
    batch_size: int
    device: str
    backend: str

    @property
    def millijoules_an_example(self) -> float:
        """Of one example of the batch."""
        return self.millijoules / self.batch_size


def why_no_energy(device: torch.device) -> str | None:
    """Why energy cannot be measured on `device`, in one line; None where it can."""
    if device.type != "cuda":
        return f"Energy is read from a GPU's own counter; {str(device)!r} has none."
    if find_spec("zeus") is None:
        return "Energy is read through zeus, not installed here; pip install 'nas-harness[energy]'."
    if _counters(device) is None:
        return f"The GPU {str(device)!r} has no counter of energy that NVML can read."
    return None


def measure_energy(model: nn.Module, inputs: Given, *, backend: Backend = "eager") -> Energy | None:
    """The energy of a pass of `model` on `inputs`, in evaluation mode; None where nothing counts it (see `why_no_energy`).

    Passes follow each other for SECONDS, so that what the GPU draws while it waits is in it. Whatever else runs on that GPU is
    counted too.

    Raises:
        SearchError: the backend is not there or cannot run the network.
    """
    first = arguments(inputs)[0]
    device = first.device
    if why_no_energy(device) is not None:
        return None
    counters, index = _counters(device), device.index or 0
    with evaluating(model):
        run = prepare(model, inputs, backend)
        for _ in range(WARMUP_PASSES):
            run()
        synchronize(device)
        passes, begin, before_mj = 0, time.perf_counter(), counters.get_total_energy_consumption(index)
        while time.perf_counter() - begin < SECONDS:
            for _ in range(BETWEEN_LOOKS):
                run()
            synchronize(device)
            passes += BETWEEN_LOOKS
        used_mj, seconds = counters.get_total_energy_consumption(index) - before_mj, time.perf_counter() - begin
    return Energy(
        millijoules=used_mj / passes,
        watts=used_mj / 1_000 / seconds,
        passes=passes,
        batch_size=first.shape[0],
        device=str(device),
        backend=backend,
    )


def _counters(device: torch.device) -> Any:
    """What zeus reads the GPUs' counters by; None where that of `device` cannot be read."""
    zeus = import_module("zeus.device.gpu")
    try:
        gpus = zeus.get_gpus()
    except zeus.ZeusGPUInitError:
        return None
    return gpus if gpus.supports_get_total_energy_consumption(device.index or 0) else None
