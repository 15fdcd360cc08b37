"""What a training spends its time on: some of its steps as torch's profiler sees them, and the dearest operators.

The trace is a file for a browser: chrome://tracing or ui.perfetto.dev.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, schedule

from nas.errors import SearchError
from nas.training.loop import Loop

TRACED = 6
"""Steps that are traced, where a training has so many."""

BEFORE = 10
"""Steps before those, in which caches fill and kernels are chosen."""


@dataclass(frozen=True)
class Operator:
    """What one operator took in the steps that were traced."""

    name: str
    calls: int
    milliseconds: float
    """On the GPU where the training was there, else on the CPU; that of operators it calls is not in it."""
    share: float
    """Of all operators' time."""


class Tracing:
    """Traces steps of one training: hand it to `train` as `on_step`, and ask it for `operators` afterwards.

    Where an epoch ends among those steps, its validation is in the trace too. A traced step is slower than others.
    """

    def __init__(self, path: Path) -> None:
        """Write to `path`, JSON in Chrome's format; compressed where it ends with .gz.

        Raises:
            SearchError: its folder is not there, or the file cannot be written.
        """
        if not path.parent.is_dir():
            raise SearchError(f"The trace's folder {path.parent} does not exist; make it first.")
        if path.is_dir() or not os.access(path.parent, os.W_OK):  # the profiler would log it, and go on without a file
            raise SearchError(f"The trace cannot be written to {path}; name a file in a folder that can be written to.")
        os.environ.setdefault("KINETO_LOG_LEVEL", "9")  # else the profiler prints when it starts, and that there is no GPU
        self.path = path
        self.operators: list[Operator] = []
        """Dearest first; empty where the training ended before anything was traced."""
        self._profile: profile | None = None
        self._done = False

    def __call__(self, loop: Loop) -> None:
        """Called after every step; the first one shows how many there are.

        Raises:
            SearchError: too few.
        """
        if self._done:
            return
        if self._profile is not None:
            self._profile.step()
            return
        ahead = loop.steps - loop.at.step
        if ahead < 2:  # the profiler warms up for one
            raise SearchError(
                f"A trace needs a training of 3 steps at least, this one has {loop.steps}; allow more with --steps."
            )
        traced = min(TRACED, ahead - 1)
        on_gpu = loop.device.type == "cuda"
        self._profile = profile(
            activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])],
            schedule=schedule(wait=min(BEFORE, ahead - 1 - traced), warmup=1, active=traced, repeat=1),
            on_trace_ready=lambda ready: self._write(ready, on_gpu=on_gpu),
        )
        self._profile.start()

    def close(self) -> None:
        """End it where the training ended early; what was traced until then is written."""
        if self._profile is not None and not self._done:
            self._profile.stop()

    def _write(self, ready: profile, *, on_gpu: bool) -> None:
        self._done = True
        ready.export_chrome_trace(str(self.path))
        spent = [
            (event.key, event.count, event.self_device_time_total if on_gpu else event.self_cpu_time_total)
            for event in ready.key_averages()
            if event.device_type == DeviceType.CPU and not event.key.startswith("ProfilerStep")
        ]
        total = sum(microseconds for *_, microseconds in spent) or 1.0
        dear = sorted(spent, key=lambda row: -row[2])
        self.operators = [Operator(name, calls, us / 1e3, us / total) for name, calls, us in dear if us]
