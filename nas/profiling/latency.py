"""Latency of one forward pass: warmed up, repeated, given as a median with its interval."""

import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from nas.device import synchronize
from nas.records import Latency

WARMUP_SECONDS = 0.05
WARMUP_PASSES = 5
SAMPLE_SECONDS = 0.3
MIN_SAMPLES = 20
MAX_SAMPLES = 1_000


def measure_latency(model: nn.Module, inputs: Tensor) -> Latency:
    """The time of `model(inputs)` in evaluation mode, without gradients.

    At least WARMUP_PASSES passes and WARMUP_SECONDS come first; then single passes are timed for SAMPLE_SECONDS, at least
    MIN_SAMPLES and at most MAX_SAMPLES of them. On CUDA each is timed between two events and synchronised.
    """
    device = inputs.device
    was_training = model.training
    model.eval()
    once = _cuda_timer(model, inputs) if device.type == "cuda" else _cpu_timer(model, inputs)
    with torch.inference_mode():
        _repeat(once, WARMUP_SECONDS, WARMUP_PASSES, MAX_SAMPLES)
        times_ms = sorted(_repeat(once, SAMPLE_SECONDS, MIN_SAMPLES, MAX_SAMPLES))
    model.train(was_training)
    low, high = median_interval(len(times_ms))
    return Latency(
        median_ms=_median(times_ms),
        low_ms=times_ms[low],
        high_ms=times_ms[high],
        p95_ms=times_ms[math.ceil(0.95 * len(times_ms)) - 1],
        samples=len(times_ms),
        batch_size=inputs.shape[0],
        device=str(device),
        threads=torch.get_num_threads(),
        dtype=str(inputs.dtype).removeprefix("torch."),
    )


def median_interval(count: int) -> tuple[int, int]:
    """Positions in a sorted sample of `count` that hold the 95 % interval of the median.

    By order statistics with the normal approximation of the binomial (Le Boudec 2010, "Performance Evaluation", th. 2.1):
    no distribution of the times is assumed. Below 6 times even all of them hold the median less surely than that.
    """
    high = min(count - 1, math.ceil(count / 2 + 1.96 * math.sqrt(count) / 2))
    return count - 1 - high, high


def _median(ordered: list[float]) -> float:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _repeat(once: Callable[[], float], seconds: float, at_least: int, at_most: int) -> list[float]:
    times_ms: list[float] = []
    end = time.perf_counter() + seconds
    while len(times_ms) < at_least or (time.perf_counter() < end and len(times_ms) < at_most):
        times_ms.append(once())
    return times_ms


def _cpu_timer(model: nn.Module, inputs: Tensor) -> Callable[[], float]:
    def once() -> float:
        begin = time.perf_counter_ns()
        model(inputs)
        return (time.perf_counter_ns() - begin) / 1e6

    return once


def _cuda_timer(model: nn.Module, inputs: Tensor) -> Callable[[], float]:
    begin = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    stream = torch.cuda.current_stream(inputs.device)  # else events go to the first GPU, whichever does the work

    def once() -> float:
        begin.record(stream)
        model(inputs)
        end.record(stream)
        synchronize(inputs.device)
        return float(begin.elapsed_time(end))

    return once
