"""What a comparison is made of: questions, cells (a question, a strategy, a seed), and the runs that came of them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, order=True)
class Question:
    """A table to search, with or without limits."""

    table: str
    limits: str = ""
    """As they were given, separated by commas; empty for the whole table."""

    def __str__(self) -> str:
        return f"{self.table}, {self.limits}" if self.limits else self.table


@dataclass(frozen=True, order=True)
class Cell:
    """One run to make."""

    question: Question
    strategy: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Run:
    """What came of one strategy on one question from one seed."""

    cell: Cell
    regrets: tuple[float, ...]
    """After each evaluation, how far the mean of the incumbent lies from the best that there is, in the figure's unit; fewer than
    the budget where nothing was left to evaluate. The incumbent is the architecture that has answered best."""
    proposals: int
    """All that the strategy, or chance in its place, has proposed."""
    repeated: int
    """Proposals that were known already."""
    infeasible: int
    """Proposals outside the limits, or that the table does not have; one that comes again counts as repeated."""
    by_chance: int
    """Proposals drawn by chance, since the strategy had brought nothing new for long."""
    ask_seconds: float
    """The time that all proposals took to be made."""
    seconds: float
    """The time that the whole run took."""
    commit: str | None
    """Of the harness; None where it runs from no checkout."""

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        plain = asdict(self)
        return {
            **plain.pop("cell")["question"],
            "strategy": self.cell.strategy,
            "seed": self.cell.seed,
            **plain,
            "regrets": list(self.regrets),
            "ask_seconds": round(self.ask_seconds, 6),
            "seconds": round(self.seconds, 6),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The run that `to_data` wrote."""
        values = dict(data)
        question = Question(values.pop("table"), values.pop("limits"))
        cell = Cell(question, values.pop("strategy"), values.pop("seed"))
        return cls(**{**values, "cell": cell, "regrets": tuple(values["regrets"])})
