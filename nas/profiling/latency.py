"""Latency for reporting: warmed up, repeated beside a reference network, given as a median with the interval it deserves."""

import time
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

from nas.profiling.backends import Backend, Given, arguments, prepare
from nas.profiling.reference import LOW_QUANTILE, Reading, Reference, reference
from nas.profiling.spread import interval_of_turns, quantile
from nas.profiling.timing import Once, evaluating, passes_in, stopwatch, turn
from nas.records import Latency

RELATIVE_WIDTH = 0.02
"""Sampling ends when the interval is no wider than this share of the median."""
WARMUP_PASSES = 3
WARMUP_SECONDS = 0.1
SAMPLE_SECONDS = 0.3
"""Of one attempt, at most, whatever the width."""
ATTEMPTS = 3
TURN_MS = 10.0
"""Of passes in a row between two looks at the reference; at least one pass."""
MIN_TURNS = 6
"""Fewer hold no 95 % interval of a median."""


def measure_latency(
    model: nn.Module, inputs: Given, *, backend: Backend = "eager", relative_width: float = RELATIVE_WIDTH
) -> Latency:
    """The time of `model` on `inputs` in evaluation mode, without gradients, run by `backend`.

    Warm-up ends when a turn of passes is no longer 5 % faster than the one before, or after WARMUP_SECONDS. Then turns of single
    passes are timed, with the reference network between them, until the interval of the median is no wider than
    `relative_width`, or for SAMPLE_SECONDS. Where the reference tells that other work went on, the attempt is repeated, up to
    ATTEMPTS times, and the least disturbed one counts.

    The interval reaches down as far as the reference was slowed, since contention and a slower clock only add time; where that
    is more than a tenth, it reaches down from the low quantile, and `disturbed` says so in words. On CUDA each pass is timed
    between two events and synchronised.

    Raises:
        SearchError: the backend is not there, or computes something else than `model`.
    """
    first = arguments(inputs)[0]
    device = first.device
    with evaluating(model):
        once = stopwatch(prepare(model, inputs, backend), device)
        beside = reference(device)
        passes = passes_in(TURN_MS, _warm_up(once))
        begin = time.perf_counter()
        best = _attempt(once, passes, beside, relative_width)
        for _ in range(1, ATTEMPTS):
            if not best.reading.disturbed or time.perf_counter() - begin > ATTEMPTS * SAMPLE_SECONDS:
                break
            best = min(best, _attempt(once, passes, beside, relative_width), key=lambda attempt: attempt.reading.slowdown)
    times_ms = [time_ms for one in best.turns_ms for time_ms in one]
    return Latency(
        median_ms=best.median_ms,
        low_ms=best.low_ms,
        high_ms=best.high_ms,
        p10_ms=quantile(times_ms, LOW_QUANTILE),
        p95_ms=quantile(times_ms, 0.95),
        p99_ms=quantile(times_ms, 0.99),
        samples=len(times_ms),
        relative_width=best.width,
        batch_size=first.shape[0],
        device=str(device),
        threads=torch.get_num_threads(),
        dtype=_dtype(model, first),
        backend=backend,
        reference_ms=best.reading.best_ms,
        slowdown=best.reading.slowdown,
        disturbed=_in_words(best.reading),
    )


def _warm_up(once: Once) -> float:
    """The milliseconds of a pass, once they no longer fall."""
    end = time.perf_counter() + WARMUP_SECONDS
    pass_ms = min(once() for _ in range(WARMUP_PASSES))
    while time.perf_counter() < end:
        before, pass_ms = pass_ms, median(turn(once, passes_in(TURN_MS, pass_ms)))
        if pass_ms >= 0.95 * before:
            break
    return pass_ms


@dataclass(frozen=True)
class _Attempt:
    turns_ms: list[list[float]]
    reading: Reading
    median_ms: float
    low_ms: float
    high_ms: float

    @property
    def width(self) -> float:
        return (self.high_ms - self.low_ms) / self.median_ms


def _attempt(once: Once, passes: int, beside: Reference, relative_width: float) -> _Attempt:
    turns_ms: list[list[float]] = []
    beside_ms: list[float] = []
    end = time.perf_counter() + SAMPLE_SECONDS
    while True:
        beside_ms += beside.turn()
        turns_ms.append(turn(once, passes))
        over = time.perf_counter() >= end
        if len(turns_ms) < MIN_TURNS:
            continue
        if over or len(turns_ms) % MIN_TURNS == 0:
            attempt = _look(turns_ms, beside.read(beside_ms))
            if over or attempt.width <= relative_width:
                return attempt


def _look(turns_ms: list[list[float]], reading: Reading) -> _Attempt:
    times_ms = [time_ms for one in turns_ms for time_ms in one]
    middle = median(times_ms)
    low, high = interval_of_turns([median(one) for one in turns_ms])
    floor = quantile(times_ms, LOW_QUANTILE) if reading.disturbed else middle
    return _Attempt(turns_ms, reading, middle, min(low, floor) / reading.slowdown, max(high, middle))


def _in_words(reading: Reading) -> str | None:
    if not reading.disturbed:
        return None
    return (
        f"The reference network took {reading.slowdown:.2f} times its best meanwhile: other work went on, or the clock was "
        "slower, and the interval is wider by as much."
    )


def _dtype(model: nn.Module, inputs: Tensor) -> str:
    """What the network computes in, which is not what tokens are written in."""
    computed = next((parameter.dtype for parameter in model.parameters() if parameter.is_floating_point()), inputs.dtype)
    return str(computed).removeprefix("torch.")
