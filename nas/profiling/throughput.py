"""Examples a second by batch size: doubled until it no longer grows, memory is out, or a pass takes too long."""

import time
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from nas.device import is_out_of_memory, release
from nas.profiling.backends import Backend, Given, arguments, prepare
from nas.profiling.reference import LOW_QUANTILE
from nas.profiling.spread import quantile
from nas.profiling.timing import evaluating, stopwatch

SECONDS_A_BATCH_SIZE = 0.2
MIN_PASSES = 5
LONGEST_PASS_SECONDS = 2.0
LARGEST = 65_536
GROWTH = 1.05
"""A batch of twice the size that brings less than this much more is no growth; two in a row end the measurement, since one
batch size alone may fit the processor badly."""

Ended = Literal["no longer grows", "out of memory", "a pass takes too long", "largest batch size"]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """How fast one batch size is worked through."""

    batch_size: int
    p10_ms: float
    """10 % of the passes over the whole batch took at most this long."""
    samples: int

    @property
    def examples_a_second(self) -> float:
        """By the low quantile: what the device does when it is left alone."""
        return self.batch_size / self.p10_ms * 1_000


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """Examples a second by batch size, which doubles from one."""

    batches: tuple[Batch, ...]
    ended: Ended
    """Why no larger batch was tried, or counts."""
    device: str
    threads: int
    backend: str

    @property
    def best(self) -> Batch:
        """The batch size with the most examples a second."""
        return max(self.batches, key=lambda batch: batch.examples_a_second)


def measure_throughput(model: nn.Module, inputs: Given, *, backend: Backend = "eager", largest: int = LARGEST) -> Throughput:
    """Examples a second of `model`, in evaluation mode, without gradients, on batches of copies of the first example of `inputs`.

    Each batch size is given SECONDS_A_BATCH_SIZE after a pass to warm up, and at least MIN_PASSES passes.

    Raises:
        SearchError: the backend is not there or cannot run the network.
        RuntimeError: memory is out at a batch of one; otherwise that ends the measurement.
    """
    first = tuple(tensor[:1] for tensor in arguments(inputs))
    device = first[0].device
    batches: list[Batch] = []
    ended: Ended = "largest batch size"
    size = 1
    with evaluating(model):
        while size <= largest:
            try:
                batches.append(_measure(model, tuple(one.repeat(size, *[1] * (one.dim() - 1)) for one in first), backend))
            except Exception as error:
                if not batches or not is_out_of_memory(error):
                    raise
                ended = "out of memory"
                break
            finally:
                release(device)
            if batches[-1].p10_ms > 1_000 * LONGEST_PASS_SECONDS:
                ended = "a pass takes too long"
                break
            if _flat(batches):
                ended = "no longer grows"
                break
            size *= 2
    return Throughput(batches=tuple(batches), ended=ended, device=str(device), threads=torch.get_num_threads(), backend=backend)


def _measure(model: nn.Module, inputs: tuple[Tensor, ...], backend: Backend) -> Batch:
    once = stopwatch(prepare(model, inputs, backend), inputs[0].device)
    once()
    end = time.perf_counter() + SECONDS_A_BATCH_SIZE
    times_ms: list[float] = []
    while len(times_ms) < MIN_PASSES or time.perf_counter() < end:
        times_ms.append(once())
    return Batch(batch_size=len(inputs[0]), p10_ms=quantile(times_ms, LOW_QUANTILE), samples=len(times_ms))


def _flat(batches: list[Batch]) -> bool:
    """Whether the last two batch sizes brought no growth over the best before them."""
    if len(batches) < 3:
        return False
    before = max(batch.examples_a_second for batch in batches[:-2])
    return max(batch.examples_a_second for batch in batches[-2:]) < GROWTH * before
