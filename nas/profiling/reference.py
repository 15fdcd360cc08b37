"""The reference network: always the same work, timed between what is measured, so that it tells what else goes on.

Other work and a slower clock add time to it as they do to the network beside it. What it takes now, as a multiple of the best
it ever took in this process, says how far a figure can be trusted; its own best says how figures of two sessions compare.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean

import torch
from torch import nn

from nas.device import seeded
from nas.profiling.spread import quantile
from nas.profiling.timing import stopwatch, turn

PASSES = 5
"""In one turn of it."""
LOW_QUANTILE = 0.1
"""What is called the best of a sample of times. Contention only adds time, so that a low quantile is what repeats; a tenth
leaves out the odd lucky pass, which the least time is."""
DISTURBED = 1.1
"""From this multiple of its best on the reference says that other work was going on."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the reference told over one measurement."""

    best_ms: float
    """The 10 % quantile of its passes."""
    slowdown: float
    """The mean of its passes as a multiple of the best that this process has seen; at least 1.

    The mean, since it counts the time in which the processor did other work, which a median leaves out.
    """

    @property
    def disturbed(self) -> bool:
        """Whether what was measured beside it was measured under other work, or a slower clock."""
        return self.slowdown > DISTURBED


def reference(device: torch.device) -> "Reference":
    """The reference of this process on `device`, with as many threads as torch now has; it remembers its best."""
    return _reference(device, torch.get_num_threads())


@cache
def _reference(device: torch.device, threads: int) -> "Reference":  # noqa: ARG001 - each number of threads has a best of its own
    return Reference(device)


class Reference:
    """Three convolutions and a linear layer on one image of 3×32×32, 4 million multiply-adds in float32.

    60 kB of weights stay in a core's cache, so that it matters little what ran before. 0.15 ms on one core of 2025.
    """

    def __init__(self, device: torch.device) -> None:
        with seeded(0, device):
            network = nn.Sequential(
                nn.Conv2d(3, 16, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(16, 32, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.Conv2d(32, 32, 3, padding=1),
                nn.ReLU(),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(32, 10),
            )
        self._network = network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        image = torch.ones(1, 3, 32, 32, device=device).to(memory_format=torch.channels_last)
        self._once = stopwatch(lambda: self._network(image), device)
        self.best_ms = math.inf
        """The least of the readings' `best_ms` so far."""
        with torch.inference_mode():
            self.read([time_ms for _ in range(20) for time_ms in self.turn()])  # warm, with a first best

    def turn(self) -> list[float]:
        """The milliseconds of PASSES passes; to be called without gradients."""
        return turn(self._once, PASSES)

    def read(self, times_ms: Sequence[float]) -> Reading:
        """What passes that were timed over one measurement tell."""
        best_ms = quantile(times_ms, LOW_QUANTILE)
        self.best_ms = min(self.best_ms, best_ms)
        return Reading(best_ms=best_ms, slowdown=max(1.0, fmean(times_ms) / self.best_ms))
