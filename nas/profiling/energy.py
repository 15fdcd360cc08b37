"""Energy of a pass: by the GPU's own counter, through zeus, or by the processor's, through Linux; None where neither can be read.

The processor's are those of RAPL, which Linux shows as files under /sys/class/powercap, one a package; only root may read them
unless the machine's owner has opened them (Khan et al. 2018, RAPL in Action, doi:10.1145/3177754).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
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

POWERCAP = Path("/sys/class/powercap")
"""Where Linux shows the counters of processors."""

Counter = Callable[[], float]
"""Millijoules that were used since it was made."""


@dataclass(frozen=True, kw_only=True)
class Energy:
    """What passes one after another draw from the whole GPU, or from all packages of the processor, where they are computed; what
    else is in the machine is not counted.
    """

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
    if device.type == "cpu":
        found = _packages()
        if not found:
            return f"Energy is read from a counter of the device's own; {str(device)!r} has none that Linux shows in {POWERCAP}."
        try:
            _ = _of_packages(found)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            path = found[0] / "energy_uj"
            return f"The processor's counter of energy cannot be read ({reason}): {path}; have its owner open it."
        return None
    if device.type != "cuda":
        return f"Energy is read from a counter of the device's own; {str(device)!r} has none."
    if find_spec("zeus") is None:
        return "Energy is read through zeus, not installed here; pip install 'nas-harness[energy]'."
    if _counters(device) is None:
        return f"The GPU {str(device)!r} has no counter of energy that NVML can read."
    return None


def measure_energy(model: nn.Module, inputs: Given, *, backend: Backend = "eager") -> Energy | None:
    """The energy of a pass of `model` on `inputs`, in evaluation mode; None where nothing counts it (see `why_no_energy`).

    Passes follow each other for SECONDS, so that what the device draws while it waits is in it. Whatever else runs on it is
    counted too.

    Raises:
        SearchError: the backend is not there or cannot run the network.
    """
    first = arguments(inputs)[0]
    device = first.device
    if why_no_energy(device) is not None:
        return None
    with evaluating(model):
        run = prepare(model, inputs, backend)
        for _ in range(WARMUP_PASSES):
            run()
        synchronize(device)
        used = counter(device)
        passes, begin = 0, time.perf_counter()
        while not passes or time.perf_counter() - begin < SECONDS:
            for _ in range(BETWEEN_LOOKS):
                run()
            synchronize(device)
            passes += BETWEEN_LOOKS
        used_mj, seconds = used(), time.perf_counter() - begin
    return Energy(
        millijoules=used_mj / passes,
        watts=used_mj / 1_000 / seconds,
        passes=passes,
        batch_size=first.shape[0],
        device=str(device),
        backend=backend,
    )


def counter(device: torch.device) -> Counter:
    """What counts the energy of a device that has such a counter."""
    if device.type == "cpu":
        return _of_packages(_packages())
    gpus, index = _counters(device), device.index or 0
    before_mj = float(gpus.get_total_energy_consumption(index))
    return lambda: float(gpus.get_total_energy_consumption(index)) - before_mj


def _packages() -> list[Path]:
    """The folders of the processor's packages; what is inside one (its cores, its memory) is counted with it."""
    return sorted(folder for folder in POWERCAP.glob("intel-rapl:*") if folder.name.count(":") == 1)


def _of_packages(folders: list[Path]) -> Counter:
    """Of all packages together; a counter that runs over begins again from 0, at most once while it is read.

    Raises:
        OSError: one cannot be read.
        ValueError: one holds no number.
    """
    before_uj = [_number(folder / "energy_uj") for folder in folders]
    ranges_uj = [_number(folder / "max_energy_range_uj") for folder in folders]

    def used_mj() -> float:
        total_uj = 0
        for folder, before, largest in zip(folders, before_uj, ranges_uj, strict=True):
            now = _number(folder / "energy_uj")
            total_uj += now - before if now >= before else now + largest - before
        return total_uj / 1_000

    return used_mj


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


def _counters(device: torch.device) -> Any:
    """What zeus reads the GPUs' counters by; None where that of `device` cannot be read."""
    zeus = import_module("zeus.device.gpu")
    try:
        gpus = zeus.get_gpus()
    except zeus.ZeusGPUInitError:
        return None
    return gpus if gpus.supports_get_total_energy_consumption(device.index or 0) else None
