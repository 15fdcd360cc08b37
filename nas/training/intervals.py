"""How far a figure of few examples may be from what it would be of very many."""

import math

Z = 1.959964
"""Standard errors to either side that hold 95 %."""

_HALVINGS = 60


def area_interval(area: float, positives: int, negatives: int) -> tuple[float, float]:
    """The 95 % interval of an area under the ROC curve that was found on so many examples of both classes.

    All areas θ of which `area` lies within 1.96 standard errors, these being Hanley & McNeil's at θ (1982, Radiology 143), with
    the mean of both counts in place of each: method 5 of Newcombe 2006 (Statistics in Medicine 25, 559). An area of 1 has
    an interval too.
    """
    return _furthest(area, 0.0, positives, negatives), _furthest(area, 1.0, positives, negatives)


def _furthest(area: float, end: float, positives: int, negatives: int) -> float:
    """The θ between `area` and `end` that lies as far from `area` as its standard errors let it."""
    inner, outer = area, end
    for _ in range(_HALVINGS):
        middle = (inner + outer) / 2
        if abs(middle - area) <= Z * math.sqrt(_variance(middle, positives, negatives)):
            inner = middle
        else:
            outer = middle
    return inner


def _variance(area: float, positives: int, negatives: int) -> float:
    """Of the area that a sample shows, where the true one is `area`."""
    more = (positives + negatives) / 2 - 1
    spread = 1 + more * (1 - area) / (2 - area) + more * area / (1 + area)
    return area * (1 - area) * spread / (positives * negatives)
