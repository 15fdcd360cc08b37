"""What a sample of times says: its quantiles, and an interval that holds its median."""

import math
from collections.abc import Sequence
from statistics import median

import numpy as np

BLOCKS = 8


def quantile(times_ms: Sequence[float], share: float) -> float:
    """What `share` of `times_ms` do not exceed: one of them, never a value between two."""
    return sorted(times_ms)[max(0, math.ceil(share * len(times_ms)) - 1)]


def median_interval(count: int) -> tuple[int, int]:
    """Positions in a sorted sample of `count` that hold the 95 % interval of the median.

    By order statistics with the normal approximation of the binomial (Le Boudec 2010, "Performance Evaluation", th. 2.1):
    no distribution of the times is assumed. Below 6 times even all of them hold the median less surely than that.
    """
    high = min(count - 1, math.ceil(count / 2 + 1.96 * math.sqrt(count) / 2))
    return count - 1 - high, high


def interval_of_turns(medians_ms: Sequence[float]) -> tuple[float, float]:
    """An interval that holds the median of passes timed in turns, given the median of each turn, in their order.

    Passes that follow each other resemble each other: the clock and the work of others change over tenths of a second. The
    interval of single passes, as if they were independent, overlaps in 0 to 30 % of repeated measurements of small networks
    on a CPU. So up to BLOCKS stretches of turns are taken for one observation each, and their medians for the sample.
    """
    stretches = [stretch for stretch in np.array_split(np.asarray(medians_ms), BLOCKS) if len(stretch)]
    blocks = sorted(median(stretch.tolist()) for stretch in stretches)
    low, high = median_interval(len(blocks))
    return blocks[low], blocks[high]
