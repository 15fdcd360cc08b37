"""A table of trained architectures, as values: what was measured of each, and how far it lies from the best.

Axes: N architectures, R trainings of each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from nas.benchmark import Direction, Objective
from nas.errors import TableError, did_you_mean, quote
from nas.records import usual_direction
from nas.space import Architecture, Limit, Space
from nas.tables.expectation import Floats, expected_regret

if TYPE_CHECKING:
    from nas.tables.answering import TableBenchmark, TableEvaluator

Fidelity = int | None
"""Epochs that were trained; None where the table does not tell."""


@dataclass(frozen=True, eq=False)
class Readings:
    """One figure at one fidelity."""

    runs: Floats
    """(N, R'), of each training; R' is 0 where only their mean is known, and NaN stands for a training that was not made."""
    mean: Floats | None
    """(N,), as the table gives it; NaN for an architecture of which it is not known."""

    @cached_property
    def means(self) -> Floats:
        """(N,): the mean as it is given, or else of the trainings that were made; NaN where there is neither."""
        made = ~np.isnan(self.runs)
        count = made.sum(axis=1)
        own = np.where(count > 0, np.where(made, self.runs, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
        return own if self.mean is None else np.where(np.isnan(self.mean), own, self.mean)

    @cached_property
    def trainings(self) -> Floats:
        """(N, R): each training; where only a mean is known, it stands for one training."""
        if not self.runs.shape[1]:
            return self.means[:, None]
        found = self.runs.copy()
        none = np.isnan(found).all(axis=1)
        found[none, 0] = self.means[none]
        return found

    def of(self, row: int, run: int) -> float:
        """What training `run` of architecture `row` gave; the mean where its trainings were not told apart."""
        if run < self.runs.shape[1] and not np.isnan(self.runs[row, run]):
            return float(self.runs[row, run])
        return float(self.means[row]) if np.isnan(self.runs[row]).all() else float("nan")


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """Architectures of one space and what was measured of them; `objective` at `fidelity` is what is searched for."""

    name: str
    file: str
    """The name of its file, without the folder."""
    folder: str = "."
    """Where the file was read; kept nowhere."""
    digest: str
    """Sixteen hexadecimal digits that change when a figure or what an answer means changes."""
    space: Space
    objective: Objective
    fidelity: Fidelity
    """At which the objective is read: its highest, unless another was asked for."""
    architectures: tuple[Architecture, ...]
    metrics: Mapping[str, Mapping[Fidelity, Readings]]
    """What came of training, by figure and fidelity, the lowest first and the one that is not told last."""
    seconds: Mapping[Fidelity, Readings] = field(default_factory=dict)
    """How long training so far took; empty where the table does not tell."""
    figures: Mapping[str, Floats] = field(default_factory=dict)
    """(N,) each: what is known before training, such as params and latency_ms:raspi4; NaN where it was not measured."""
    proxies: Mapping[str, Floats] = field(default_factory=dict)
    """(N,) each: scores that need no training, by name."""
    summary: str = ""
    source: str = ""
    licence: str = ""

    def __len__(self) -> int:
        return len(self.architectures)

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Architecture's id → its row."""
        return {architecture.id: row for row, architecture in enumerate(self.architectures)}

    def row(self, architecture: Architecture) -> int | None:
        """Where `architecture` stands; None where the table does not have it."""
        return self.rows.get(architecture.id)

    @property
    def asked(self) -> str:
        """The objective with its fidelity, as `searched_for` takes it: accuracy@16."""
        return self.objective.figure if self.fidelity is None else f"{self.objective.figure}@{self.fidelity}"

    @property
    def readings(self) -> Readings:
        """The objective's, at the fidelity at which it is read."""
        return self.metrics[self.objective.figure][self.fidelity]

    @property
    def trainings(self) -> Floats:
        """(N, R): the objective after each training; NaN where one was not made."""
        return self.readings.trainings

    @property
    def means(self) -> Floats:
        """(N,): the objective's mean over trainings, which is what an architecture is worth."""
        return self.readings.means

    @cached_property
    def fidelities(self) -> tuple[int, ...]:
        """The epochs after which the objective is known, as far as they are told, up to that at which it is read."""
        known = [epochs for epochs in self.metrics[self.objective.figure] if epochs is not None]
        return tuple(epochs for epochs in known if self.fidelity is None or epochs <= self.fidelity)

    @property
    def epochs(self) -> int:
        """Of a whole training: the highest fidelity that is told, or 1 where none is."""
        return max(self.fidelities, default=1)

    def curve(self, row: int, run: int = 0, figure: str = "") -> tuple[tuple[int, float], ...]:
        """Epochs and the objective (or another metric) after them, in training `run` of architecture `row`."""
        known = self.metrics[figure or self.objective.figure]
        points = [(epochs, readings.of(row, run)) for epochs, readings in known.items() if epochs is not None]
        return tuple((epochs, value) for epochs, value in points if epochs <= self.epochs and not np.isnan(value))

    @cached_property
    def best(self) -> float:
        """The best mean of all."""
        return float(self.means.max() if self.objective.direction == "maximize" else self.means.min())

    @cached_property
    def regrets(self) -> Floats:
        """(N,): how far each mean lies from the best, in the figure's unit; never below 0."""
        found: Floats = np.abs(self.means - self.best)
        return found

    def regret(self, architecture: Architecture) -> float:
        """How far the mean of `architecture` lies from the best.

        Raises:
            TableError: the table does not have it.
        """
        row = self.row(architecture)
        if row is None:
            raise TableError(f"The table {self.name!r} does not have the architecture {architecture.id}.")
        return float(self.regrets[row])

    def expected_regret(self, evaluations: Sequence[int], *, replacement: bool = False) -> Floats:
        """Of random search after so many evaluations, exactly; where draws may repeat, with `replacement`."""
        return expected_regret(self.regrets, evaluations, replacement=replacement)

    def direction(self, figure: str) -> Direction:
        """Which way `figure` gets better; what is known before training is a cost."""
        if figure == self.objective.figure:
            return self.objective.direction
        return usual_direction(figure) if figure in self.metrics else "minimize"

    @cached_property
    def benchmark(self) -> "TableBenchmark":
        """The table as a benchmark that a search can be on."""
        from nas.tables.answering import make_benchmark  # which is made of a Table

        return make_benchmark(self)

    def evaluator(self, limits: Sequence[Limit] = ()) -> "TableEvaluator":
        """What answers a search on the table at once, within `limits`."""
        return self.benchmark.evaluator(limits)

    def searched_for(self, asked: str, direction: Direction | None = None) -> Self:
        """The same table with another objective: FIGURE, at its highest fidelity, or FIGURE@EPOCHS.

        Without a `direction` it is the one that the table has for the figure.

        Raises:
            TableError: it has no such figure, not at that fidelity, or not of every architecture.
        """
        figure, fidelity = pick(self.metrics, asked, f"The table {self.name!r}")
        found = replace(self, objective=Objective(figure, direction or self.direction(figure)), fidelity=fidelity)
        if np.isnan(found.means).any():
            raise TableError(f"The table {self.name!r} has {asked} of some architectures only; search for another figure.")
        return found


def pick(metrics: Mapping[str, Mapping[Fidelity, Readings]], asked: str, source: str) -> tuple[str, Fidelity]:
    """The figure and the fidelity that FIGURE (at its highest) or FIGURE@EPOCHS asks for; `source` is what messages say.

    Raises:
        TableError: there is no such figure, or not at that fidelity.
    """
    figure, _, epochs = asked.partition("@")
    if figure not in metrics:
        raise TableError(f"{source} has no metric {quote(figure)}. {did_you_mean(figure, metrics)}")
    if not epochs:
        return figure, list(metrics[figure])[-1]
    known = {str(fidelity): fidelity for fidelity in metrics[figure] if fidelity is not None}
    if epochs not in known:
        raise TableError(f"{source} has no {figure} after {quote(epochs)} epochs; it has it after {', '.join(known) or 'none'}.")
    return figure, known[epochs]
