"""One pass of a network, timed: by the clock on a CPU, between two events on CUDA; alone or several in a row."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from nas.device import synchronize

Run = Callable[[], object]
"""Does one pass."""
Once = Callable[[], float]
"""Does one pass, waits for its end, and gives its milliseconds."""

LONGEST_TURN = 100
"""Passes in a row, at most."""


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within it `model` is in evaluation mode and keeps no gradients; afterwards each of its parts is in the mode it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def stopwatch(run: Run, device: torch.device) -> Once:
    """What times one `run` on `device`, up to the end of the work that it gave the device."""
    return _between_events(run, device) if device.type == "cuda" else _by_the_clock(run, device)


def passes_in(milliseconds: float, pass_ms: float) -> int:
    """How many passes of `pass_ms` make a turn of `milliseconds`; at least 1."""
    return max(1, min(LONGEST_TURN, round(milliseconds / pass_ms)))


def turn(once: Once, passes: int) -> list[float]:
    """The milliseconds of each of `passes` passes in a row.

    The first pass after another network's finds the caches full of that network's weights. So one goes ahead that is not
    counted, except where a turn is a single pass: that one is long enough not to mind.
    """
    if passes > 1:
        once()
    return [once() for _ in range(passes)]


def _by_the_clock(run: Run, device: torch.device) -> Once:
    def once() -> float:
        begin = time.perf_counter_ns()
        run()
        synchronize(device)
        return (time.perf_counter_ns() - begin) / 1e6

    return once


def _between_events(run: Run, device: torch.device) -> Once:
    begin = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    stream = torch.cuda.current_stream(device)  # else events go to the first GPU, whichever does the work

    def once() -> float:
        begin.record(stream)
        run()
        end.record(stream)
        synchronize(device)
        return float(begin.elapsed_time(end))

    return once
