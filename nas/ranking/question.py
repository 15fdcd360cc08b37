"""What a leaderboard is asked: by which figures, in which order, and within which limits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.benchmark import Direction, Objective
from nas.errors import RankingError, did_you_mean, quote
from nas.ranking.conditions import Asked, Conditions, asked_by, conditions_of
from nas.ranking.order import Order
from nas.records import Record, Stage, StudyEntry, usual_direction
from nas.space import Limit

USUAL_COST = "flops"
"""What a front weighs a single objective against."""

_DIRECTIONS: Mapping[str, Direction] = {"minimize": "minimize", "min": "minimize", "maximize": "maximize", "max": "maximize"}


@dataclass(kw_only=True)
class Question:
    """How trials shall be put in order; it notes which figures the trials have that it is asked of."""

    cost: str | None
    objectives: tuple[str, ...]
    order: Order
    limits: tuple[Limit, ...]
    seen: set[str] = field(default_factory=set)
    """Names of figures that some complete trial has."""
    asked: dict[int, tuple[StudyEntry, Asked]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for figure in self.named:
            if figure.startswith("test_"):
                raise RankingError(f"Test figures stand beside an order and make none, got {quote(figure)}; name another figure.")
        figures = [text.partition("=")[0] for text in self.objectives]
        for figure in figures:
            if figures.count(figure) > 1:
                raise RankingError(f"An objective is named once, got {quote(figure)} twice; leave one out.")
        for text in self.objectives:
            direction = text.partition("=")[2]
            if "=" in text and direction not in _DIRECTIONS:
                raise RankingError(f"An objective reads like 'latency_ms' or 'latency_ms=minimize', got {quote(text)}.")

    @property
    def named(self) -> list[str]:
        """The figures that it names."""
        objectives = [text.partition("=")[0] for text in self.objectives]
        return [*objectives, *self.order.figures, *(limit.figure for limit in self.limits)]

    def conditions(self, study: StudyEntry, stage: Stage, record: Record) -> Conditions:
        """What rows must share with a complete trial of `study` to be ranked with it."""
        self.seen.update(record.figures)
        known = self.asked.get(id(study))
        if known is None or known[0] is not study:
            known = self.asked[id(study)] = (study, asked_by(study, self._objectives(study.definition)))
        asked = known[1]
        deciding = {*self.named, *(objective.figure for objective in asked.objectives), self.cost_beside(asked.objectives) or ""}
        return conditions_of(asked, stage, record, deciding)

    def cost_beside(self, objectives: tuple[Objective, ...]) -> str | None:
        """The figure that the front weighs `objectives` against; None for none."""
        return self.cost or (USUAL_COST if len(objectives) == 1 else None)

    def check(self) -> None:
        """See, after all trials, that the figures that are named are there.

        Raises:
            RankingError: no complete trial has one of them.
        """
        known = {name for name in self.seen if not name.startswith("test_")}
        for figure in self.named:
            if known and figure not in known:
                raise RankingError(f"No complete trial has the figure {quote(figure)}. {did_you_mean(figure, known)}")

    def _objectives(self, definition: Mapping[str, Any]) -> tuple[Objective, ...]:
        steered = [Objective(**objective) for objective in definition["objectives"]]
        own = {**_directions(definition["benchmark"].get("objectives", ())), **{one.figure: one.direction for one in steered}}
        given = dict(text.partition("=")[::2] for text in self.objectives)
        wanted = given or {one.figure: one.direction for one in steered}
        wanted |= {figure: "" for figure in self.order.figures if figure not in wanted}
        return tuple(
            Objective(figure, _DIRECTIONS.get(told) or own.get(figure) or usual_direction(figure))
            for figure, told in wanted.items()
        )


def _directions(objectives: Iterable[Mapping[str, Any]]) -> dict[str, Direction]:
    return {objective["figure"]: objective["direction"] for objective in objectives}
