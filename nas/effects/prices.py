"""What a higher cost buys: the figure that good trials reach, by what they cost.

The best of some trials is the luckier the more there are, and resampling does not tell how lucky. So "good" is what a tenth of
the trials of about one cost exceed, made not to fall as the cost rises: isotonic regression of that quantile over stretches of
about as many trials each (Barlow et al. 1972). It is what this strategy found there: where it looked little, more may be
possible.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor, inf, log10
from typing import TYPE_CHECKING

from nas.benchmark import Direction
from nas.effects.evidence import Evidence, asked, evidence_of
from nas.errors import LedgerError, quote
from nas.records import StudyEntry, Trial, figure_kind
from nas.space import Limit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GOOD = 0.1
"""The share of trials that are better than what is called good."""

FEWEST = 10
"""Trials of one stretch of costs; of fewer than two stretches there is no price."""

MOST_STRETCHES = 20

STEPS = 4
"""About as many steps the range of costs is cut into where nobody says how long one is."""

RESAMPLES = 400
"""Of the bootstrap, within stretches."""

COSTS = ("latency_ms", "params", "flops")
"""What prices are told in where nobody says."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """Trials of about one cost, and what good ones reach there."""

    cost: float
    """The median of theirs."""
    good: float
    """The figure that a tenth of them exceed, or one that is reached at less cost already."""
    low: float
    """Lower end of its 95 % interval, by the bootstrap."""
    high: float
    count: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """What `more` of a cost buys from `at` on."""

    at: float
    more: float
    gain: float
    """How much better the figure of good trials is, in its unit; 0 is no gain."""
    low: float
    """Lower end of its 95 % interval, by the bootstrap."""
    high: float


@dataclass(frozen=True, kw_only=True)
class Price:
    """What more of a cost buys of a figure."""

    figure: str
    direction: Direction
    """Of the figure."""
    cost: str
    limit: float | None
    """Above which the study trained nothing; None where it set no such limit."""
    dearest: float
    """The most that a trial cost: beyond it nothing is known."""
    trials: int
    bounds: tuple[Bound, ...]
    """From the cheapest on."""
    steps: tuple[Step, ...]
    """From the cheapest on; none where `more` is longer than the range of costs."""


def prices_of(
    entry: StudyEntry,
    trials: Iterable[Trial],
    *,
    figures: Sequence[str] | None = None,
    costs: Sequence[str] | None = None,
    more: float | None = None,
) -> tuple[Price, ...]:
    """What more of each of `costs`, or of those of COSTS that were measured, buys of each of `figures`, or of the objectives.

    In steps of `more`, or of a round number. A figure that is a cost itself has no price, nor have fewer than 2 × FEWEST trials
    or trials that all cost the same. The same trials give the same prices.

    Raises:
        LedgerError: no complete trial has one of `figures` or `costs`, one of `costs` is none, or `more` is not above 0.
    """
    if more is not None and not 0 < more < inf:
        raise LedgerError(f"A price is for an amount above 0 of a cost, got {quote(more)}.")
    evidence = evidence_of(entry, trials)
    named = asked(evidence, costs) if costs is not None else tuple(cost for cost in COSTS if cost in evidence.figures)
    for cost in costs or ():
        if figure_kind(cost) is None:
            raise LedgerError(f"A price is told in what a network costs, such as {', '.join(COSTS)}; got {quote(cost)}.")
    wanted = [figure for figure in asked(evidence, figures) if figure_kind(figure) is None]
    limits = [Limit.parse(text) for text in entry.definition.get("limits", ())]
    bounds = {limit.figure: limit.bound for limit in sorted(limits, key=lambda limit: -limit.bound) if limit.from_above}
    found = [_price(evidence, figure, cost, bounds.get(cost), more) for figure in wanted for cost in named if cost != figure]
    return tuple(price for price in found if price)


def _price(evidence: Evidence, figure: str, cost: str, limit: float | None, more: float | None) -> Price | None:
    import numpy as np

    values_N, costs_N = evidence.values(figure), evidence.values(cost)
    kept = ~np.isnan(values_N) & ~np.isnan(costs_N)
    direction = evidence.direction(figure)
    sign = 1.0 if direction == "maximize" else -1.0
    goods_N, costs_N = sign * values_N[kept], costs_N[kept]
    stretches = _stretches(costs_N)
    if len(stretches) < 2:
        return None
    rng = np.random.default_rng(0)
    counts_B = np.array([len(rows) for rows in stretches])
    centres_B = np.array([np.median(costs_N[rows]) for rows in stretches])
    good_B = _rising(np.array([[np.quantile(goods_N[rows], 1 - GOOD) for rows in stretches]]), counts_B)[0]
    drawn = [goods_N[rows][rng.integers(len(rows), size=(RESAMPLES, len(rows)))] for rows in stretches]
    drawn_SB = _rising(np.stack([np.quantile(own, 1 - GOOD, axis=1) for own in drawn], axis=1), counts_B)
    ends_2B = np.sort(sign * np.quantile(drawn_SB, [0.025, 0.975], axis=0), axis=0)
    bounds = tuple(
        Bound(cost=float(centre), good=float(sign * good), low=float(low), high=float(high), count=int(count))
        for centre, good, low, high, count in zip(centres_B, good_B, *ends_2B, counts_B, strict=True)
    )
    return Price(
        figure=figure,
        direction=direction,
        cost=cost,
        limit=limit,
        dearest=float(costs_N.max()),
        trials=len(costs_N),
        bounds=bounds,
        steps=_steps(centres_B, good_B, drawn_SB, more or _round((centres_B[-1] - centres_B[0]) / STEPS)),
    )


def _stretches(costs_N: "NDArray[np.float64]") -> "list[NDArray[np.intp]]":
    """The trials of each stretch of costs, the cheapest first; equal costs are in one."""
    import numpy as np

    wanted = min(MOST_STRETCHES, len(costs_N) // FEWEST)
    if wanted < 2:
        return []
    cuts = np.unique(np.quantile(costs_N, np.linspace(0, 1, wanted + 1)[1:-1]))
    places_N = np.searchsorted(cuts, costs_N, side="left")
    found = [np.flatnonzero(places_N == place) for place in range(len(cuts) + 1)]
    merged: list[NDArray[np.intp]] = []
    for rows in found:
        if merged and len(merged[-1]) < FEWEST:
            merged[-1] = np.concatenate([merged[-1], rows])
        elif len(rows):
            merged.append(rows)
    if len(merged) > 1 and len(merged[-1]) < FEWEST:
        merged[-2:] = [np.concatenate(merged[-2:])]
    return merged


def _rising(values_SB: "NDArray[np.float64]", counts_B: "NDArray[np.intp]") -> "NDArray[np.float64]":
    """(S, B): each row's nearest that does not fall, in squares weighted by counts (isotonic regression by max and min)."""
    import numpy as np

    sums_SB = np.cumsum(np.pad(values_SB * counts_B, ((0, 0), (1, 0))), axis=1)
    weights_B = np.cumsum(np.pad(counts_B, (1, 0)))
    found_SB = np.full(values_SB.shape, -np.inf)
    for first in range(len(counts_B)):
        means = (sums_SB[:, first + 1 :] - sums_SB[:, first : first + 1]) / (weights_B[first + 1 :] - weights_B[first])
        least = np.minimum.accumulate(means[:, ::-1], axis=1)[:, ::-1]
        found_SB[:, first:] = np.maximum(found_SB[:, first:], least)
    return found_SB


def _steps(
    centres_B: "NDArray[np.float64]", good_B: "NDArray[np.float64]", drawn_SB: "NDArray[np.float64]", more: float
) -> tuple[Step, ...]:
    import numpy as np

    found = []
    count = floor((centres_B[-1] - centres_B[0]) / more + 1e-9)
    first = _first(centres_B[0], centres_B[-1], more, count)
    for n in range(min(count, 5 * STEPS)):
        ends = np.array([first + n * more, first + (n + 1) * more])
        gain = float(np.diff(np.interp(ends, centres_B, good_B))[0])
        drawn_S = np.array([float(np.diff(np.interp(ends, centres_B, row))[0]) for row in drawn_SB])
        low, high = (float(end) for end in np.quantile(drawn_S, [0.025, 0.975]))
        found.append(Step(at=float(ends[0]), more=more, gain=gain, low=min(low, gain), high=max(high, gain)))
    return tuple(found)


def _first(low: float, high: float, more: float, count: int) -> float:
    """Where `count` steps begin that lie between `low` and `high`: at a round cost where there is one."""
    for unit in (more, more / 2, more / 5, more / 10):
        start = -floor(-low / unit) * unit
        if start + count * more <= high * (1 + 1e-9):
            return float(f"{start:.12g}")
    return low


def _round(value: float) -> float:
    """The least of 1, 2 and 5 times a power of ten that is not below `value`."""
    power = 10.0 ** floor(log10(value))
    return float(f"{min(unit for unit in (1, 2, 5, 10) if unit * power >= value * (1 - 1e-9)) * power:.12g}")
