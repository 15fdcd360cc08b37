"""How sure an order is: intervals of what each row is worth, which rows cannot be told apart, and whether the first is the first.

All of it is about the noise of training: what other seeds would have given, on the same validation data. That these are a sample
too, and would rank otherwise than others of their kind, is a further error and not in these figures.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from nas.benchmark import Objective
from nas.records import figure_kind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from nas.ranking.noise import Floats, Spread, Trainings

ALPHA = 0.05
"""Probability of one false difference or more in a table whose rows are all equal."""

LEVEL = 0.95
"""Of intervals."""

MOST_ROWS = 200
"""Rows of a table whose pairs are tested."""

SHARES = re.compile(r"(accuracy|f1|auroc|mrr|precision|recall|coverage|(hits|recall|precision|ndcg)_at_\d+)$")
"""Endings of figures that lie between 0 and 1, as intervals then do; in tables of others they may be percentages."""


@dataclass(frozen=True)
class Interval:
    """Where the mean over all seeds lies, with 95 %."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Certainty:
    """What is known of one row of a table whose rows were trained several times."""

    intervals: Mapping[str, Interval]
    """Of each objective; one row and figure at a time, not all of them together."""
    first: float
    """The probability that no other row is better; with several objectives, that none dominates it."""
    rank: int
    """From 1; shared by rows that follow each other and cannot be told apart from the best of them. With several objectives 1."""
    shared_by: int
    """Rows that have this rank for that reason; 1 with several objectives."""
    places: tuple[int, int]
    """The best and the worst place that it may truly have, with 95 % for all rows together; from the same tests as `rank`."""
    like_first: bool = False
    """Whether it cannot be told apart from the first row, which has it too; False with several objectives."""

    @property
    def chance(self) -> str:
        """`first` in per cent, for people."""
        return ">99 %" if self.first > 0.99 else "<1 %" if self.first < 0.01 else f"{100 * self.first:.0f} %"


Runs = Mapping[int, float]
"""Seed → the figure that its training gave."""


def certainties(rows: Sequence[Mapping[str, Runs]], objectives: Sequence[Objective]) -> tuple[Certainty, ...] | None:
    """What is known of `rows`, which are in order; each has all trainings of each objective.

    None where nothing can be known: where no row has two trainings, or a figure is no number.

    Costs that follow from the architecture alone are exact. With one objective, rows share a rank that a t test cannot tell
    apart from the best of them: paired by seed, with the variances of all rows pooled as `nas.ranking.noise` says, corrected for
    all pairs of the table (step-down max-t, which like Holm's keeps the probability of any false difference at 5 %).
    """
    known = _known(rows, objectives)
    if known is None:
        return None
    import numpy as np

    from nas.ranking.noise import half_widths, pair_values

    rng = np.random.default_rng(0)
    intervals: list[dict[str, Interval]] = [{} for _ in rows]
    for goal, (trainings, noise) in zip(objectives, known, strict=True):
        share = is_share(goal.figure, (value for row in rows for value in row[goal.figure].values()))
        widths = np.zeros(len(rows)) if noise is None else half_widths(trainings, noise, LEVEL)
        for row, mean, width in zip(intervals, trainings.means, widths, strict=True):
            ends = sorted((goal.cost(float(mean - width)), goal.cost(float(mean + width))))
            row[goal.figure] = Interval(max(0.0, ends[0]), min(1.0, ends[1])) if share else Interval(*ends)
    first = _first(known, rng)
    places = [(1, len(rows))] * len(rows)
    ranks = [1] * len(rows)
    like_first = [False] * len(rows)
    if len(objectives) == 1:
        exact = _is_exact(objectives[0].figure)
        ((trainings, _),) = known
        mean_R = trainings.means
        differ = np.not_equal.outer(mean_R, mean_R) if exact else pair_values(trainings, rng) < ALPHA
        better = differ & (mean_R[:, None] < mean_R)
        ranks = _shared(better)
        like_first = [not told for told in better[0].tolist()]
        places = [(1 + int(better[:, n].sum()), len(rows) - int(better[n].sum())) for n in range(len(rows))]
    return tuple(
        Certainty(
            intervals=row,
            first=float(chance),
            rank=rank,
            shared_by=ranks.count(rank) if len(objectives) == 1 else 1,
            places=place,
            like_first=like,
        )
        for row, chance, rank, place, like in zip(intervals, first, ranks, places, like_first, strict=True)
    )


def is_share(figure: str, values: Iterable[float]) -> bool:
    """Whether a figure is a share of 1, by its name and all its values, and not a percentage."""
    return SHARES.search(figure) is not None and all(0 <= value <= 1 for value in values)


def chances_of_first(rows: Sequence[Mapping[str, Runs]], objectives: Sequence[Objective]) -> tuple[float, ...] | None:
    """`Certainty.first` of each of `rows`, which need not be in order, without the tests of pairs; None as for `certainties`."""
    known = _known(rows, objectives)
    if known is None:
        return None
    import numpy as np

    return tuple(map(float, _first(known, np.random.default_rng(0))))


def _known(rows: Sequence[Mapping[str, Runs]], objectives: Sequence[Objective]) -> "list[tuple[Trainings, Spread | None]] | None":
    """The trainings of each objective and how they are spread, None for one that is exact; None where nothing can be known."""
    runs = {goal.figure: [row[goal.figure] for row in rows] for goal in objectives}
    values = [value for figure in runs.values() for row in figure for value in row.values()]
    if not 1 <= len(rows) <= MOST_ROWS or max(map(len, runs[objectives[0].figure])) < 2 or not all(map(isfinite, values)):
        return None
    from nas.ranking.noise import Trainings

    found = []
    for goal in objectives:
        trainings = Trainings.of([{seed: goal.cost(value) for seed, value in row.items()} for row in runs[goal.figure]])
        found.append((trainings, None if _is_exact(goal.figure) else trainings.spread()))
    return found


def _first(known: "Sequence[tuple[Trainings, Spread | None]]", rng: "np.random.Generator") -> "Floats":
    """(R,): the probability of each row that no other is better, or that none dominates it."""
    import numpy as np

    from nas.ranking.noise import draw_means

    return _undominated(
        [np.array([trainings.means]) if noise is None else draw_means(trainings, noise, rng) for trainings, noise in known]
    )


def _is_exact(figure: str) -> bool:
    """Whether it follows from the architecture, and no seed has a part in it."""
    kind = figure_kind(figure)
    return kind is not None and kind.known in {"reckoned", "counted"}


def _shared(better: "npt.NDArray[np.bool_]") -> list[int]:
    """The rank of each row; one that can be told apart from the best of those that share the rank before it begins the next."""
    ranks, best = [1], 0
    for n in range(1, len(better)):
        if better[best, n]:
            best = n
        ranks.append(best + 1)
    return ranks


def _undominated(drawn: Sequence["Floats"]) -> "Floats":
    """(R,): the share of draws in which no other row is better, several that are equal sharing it, or none dominates it."""
    import numpy as np

    costs = np.stack(np.broadcast_arrays(*drawn), axis=-1)  # draws, rows, objectives
    if costs.shape[-1] == 1:
        least = costs[..., 0] == costs[..., 0].min(axis=1, keepdims=True)
        return np.asarray((least / least.sum(axis=1, keepdims=True)).mean(axis=0))
    first = np.empty(costs.shape[1])
    for n in range(costs.shape[1]):
        own = costs[:, n : n + 1]
        dominates = np.all(costs <= own, axis=-1) & np.any(costs < own, axis=-1)
        first[n] = 1 - np.any(dominates, axis=1).mean()
    return first
