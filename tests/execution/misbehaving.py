"""Candidates that misbehave in every way there is: networks that the real evaluator trains on the digits, by a layer of theirs.

    install(folder)   the layer, as pip would install it; put the folder on `sys.path`
    make()            what evaluates them
    architecture(how) the one that does `how`
    EXPECTED          how → the kind of failure and a pattern of its message; None for one whose result counts

Each has an epoch behind it when it begins. Memory of a device, which these machines lack, is short by what torch raises there.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from benchmarks.digits import BENCHMARK
from nas.benchmark import Budget, Image, Shape
from nas.errors import ModelError
from nas.evaluation import Evaluator
from nas.execution import Bounds
from nas.models import LayerKind
from nas.profiling import latency
from nas.space import Architecture, Space, parse_space

MIB = 2**20

BUDGET = Budget(epochs=3, fraction=0.1)
BOUNDS = Bounds(seconds=8.0, memory_bytes=900 * MIB, file_bytes=200 * MIB)
"""Within which a good one stays by far."""

PATIENT = replace(BOUNDS, seconds=240.0)
"""The same with time for a good one on a machine that is busy with others; for those that would not take it all."""

STEPS_BEFORE = 3
"""That it takes as others do: an epoch has two."""

EXPECTED: Mapping[str, tuple[str, str] | None] = {
    "nothing": None,
    "raises": ("raised", r"ValueError: it raises"),
    "wrong_shape": ("wrong_shape", r"its shape is wrong"),
    "nan": ("diverged", r"the loss was nan at step 4 of 6\."),
    "infinite": ("diverged", r"the loss was (nan|inf) at step 4 of 6\."),
    "host_memory": ("out_of_memory", r"it held [\d,]+ MiB of the host's memory, more than its 900 MiB\."),
    "device_memory": ("out_of_memory", r"on cpu: CUDA out of memory\."),
    "segfault": ("crashed", r"SIGSEGV \(Segmentation fault\)\."),
    "os_exit": ("exited", r"its process ended itself with status 3 before there was a result\."),
    "sys_exit": ("exited", r"sys\.exit\(4\) was called\."),
    "endless_loop": ("timed_out", r"it was at work for more than its 8 s\."),
    "deadlock": ("timed_out", r"it was at work for more than its 8 s\."),
    "flood": None,
    "threads": None,
    "forks": None,
    "deletes_folder": None,
    "writes_gigabytes": ("out_of_disk", r"it wrote [\d,]+ MiB, more than its 200 MiB\."),
    "ignores_sigterm": ("timed_out", r"it was at work for more than its 8 s\."),
}

How = Literal[
    "nothing", "raises", "wrong_shape", "nan", "infinite", "host_memory", "device_memory", "segfault", "os_exit", "sys_exit",
    "endless_loop", "deadlock", "flood", "threads", "forks", "deletes_folder", "writes_gigabytes", "ignores_sigterm",
]  # fmt: skip

SPACE: Space = parse_space(
    f"""
name: misbehaving
version: 1
accepts: image
layers:
  - conv: {{features: 8, kernel: 3, stride: 2}}
  - misbehaves: {{how: [{", ".join(EXPECTED)}]}}
    name: layer
  - head
"""
)


def architecture(how: str) -> Architecture:
    """The candidate that does `how`."""
    return SPACE.architecture({"layer.how": how})


def make() -> Evaluator:
    """What evaluates them, in a hurry with latency."""
    latency.WARMUP_SECONDS = latency.SAMPLE_SECONDS = 0.0
    return Evaluator(SPACE, BENCHMARK, device="cpu")


def install(folder: Path) -> None:
    """Let what looks through `folder` for packages find the layer."""
    info = folder / "other_team-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-team\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[nas.layers]\nmisbehaves = {__name__}:Misbehaves\n")


class Misbehaves(LayerKind):
    """A layer that keeps the shape, for as long as it behaves."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image,)
    how: How = "nothing"

    def output(self, given: Shape, wanted: Shape) -> Shape:
        if self.how == "wrong_shape":
            raise ModelError("its shape is wrong")
        return given

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        return Misbehaving(self.how)


class Misbehaving(nn.Module):
    """Does what it does at the step after STEPS_BEFORE of a training."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.steps = 0

    def forward(self, images_NCHW: Tensor) -> Tensor:
        if self.training and images_NCHW.device.type != "meta":
            self.steps += 1
            again = self.how == "device_memory"  # else half a batch would do
            if self.steps == STEPS_BEFORE + 1 or (again and self.steps > STEPS_BEFORE):
                return images_NCHW * DEEDS[self.how]()
        return images_NCHW


def _raises() -> float:
    raise ValueError("it raises")


def _fills_memory() -> float:
    held = []
    while True:
        held.append(torch.ones(16 * MIB))


def _no_device_memory() -> float:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 80.00 GiB.")


def _crashes() -> float:
    ctypes.string_at(0)
    return 1.0


def _loops() -> float:
    while True:
        pass


def _deadlocks() -> float:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
    return 1.0


def _floods() -> float:
    for number in range(20_000):
        sys.stdout.write(f"{number} " + "flood " * 100 + "\n")
        os.write(2, b"\xff" * 100 + b"\n")
    return 1.0


def _leaks_threads() -> float:
    for _ in range(20):
        threading.Thread(target=time.sleep, args=(1_000,)).start()
    return 1.0


def _forks() -> float:
    """Three that stay, one of which has left the session, and whose child has been handed over, as daemons do; it says which."""
    for away in (False, True):
        started = subprocess.Popen(["sleep", "1000"], start_new_session=away)
        sys.stdout.write(f"started {started.pid}\n")
    between = os.fork()
    if between == 0:
        os.setsid()
        daemon = os.fork()
        if daemon == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(1_000)
        os.write(1, f"started {daemon}\n".encode())
        os._exit(0)
    os.waitpid(between, 0)
    return 1.0


def _deletes() -> float:
    shutil.rmtree(os.getcwd())
    return 1.0


def _writes() -> float:
    for number in range(1_000):
        with open(f"{number}", "wb") as file:
            file.write(b"x" * (16 * MIB))
    return 1.0


def _ignores() -> float:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)


DEEDS: Mapping[str, Callable[[], float]] = {
    "nothing": lambda: 1.0,
    "raises": _raises,
    "nan": lambda: float("nan"),
    "infinite": lambda: float("inf"),
    "host_memory": _fills_memory,
    "device_memory": _no_device_memory,
    "segfault": _crashes,
    "os_exit": lambda: os._exit(3),
    "sys_exit": lambda: sys.exit(4),
    "endless_loop": _loops,
    "deadlock": _deadlocks,
    "flood": _floods,
    "threads": _leaks_threads,
    "forks": _forks,
    "deletes_folder": _deletes,
    "writes_gigabytes": _writes,
    "ignores_sigterm": _ignores,
}
