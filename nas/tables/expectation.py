"""What random search reaches on a table on average, by formula: no strategy is worth its name below it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]


def expected_regret(regrets: Floats, evaluations: Sequence[int], *, replacement: bool) -> Floats:
    """The mean of the least regret among so many architectures drawn uniformly from `regrets`, exactly.

    With the regrets in order, r_1 ≤ … ≤ r_N, the least of n draws is r_i or more with probability ((N-i+1)/N)^n where draws may
    repeat, and C(N-i+1, n) / C(N, n) where they do not; each r_i weighs the difference of two of these in a row. Noise of
    trainings is not in it: the best drawn is taken to be known.
    """
    ordered = np.sort(regrets)
    total = len(ordered)
    left = np.arange(total, -1, -1)  # how many are r_i or more, for i = 1 … N, then none
    found = []
    for draws in evaluations:
        if replacement:
            reached = (left / total) ** draws
        else:
            reached = np.exp(_log_choose(left, min(draws, total)) - _log_choose(np.array([total]), min(draws, total)))
        found.append(float(ordered @ -np.diff(reached)))
    return np.array(found)


def _log_choose(count: "np.ndarray[Any, Any]", drawn: int) -> Floats:
    """The logarithm of C(count, drawn); minus infinity where there are fewer than are drawn."""
    factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count.max() + 1)))])
    rest = count - drawn
    known: Floats = np.where(rest >= 0, factorial[count] - factorial[drawn] - factorial[np.maximum(rest, 0)], -np.inf)
    return known
