"""A table as a benchmark, and as what evaluates: a Record at once, and nothing is built or trained."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Never

import numpy as np

from nas import benchmark
from nas.benchmark import Benchmark, Budget, Objective, Recipe, Shape, Signature
from nas.errors import TableError
from nas.records import LOOKED_UP, Epoch, Machine, Outcome, Record, commit, versions
from nas.space import Architecture, Limit, broken_limits
from nas.tables.columns import SECONDS
from nas.tables.table import Table

ABSENT = "absent: the table does not have it"
"""Why an architecture is infeasible that nobody has trained."""

_INPUTS: Mapping[str, Shape] = {
    "image": benchmark.Image(1, 1, 1),
    "sequence": benchmark.Sequence(1, 1),
    "waveform": benchmark.Waveform(1, 1, 1),
    "tokens": benchmark.Tokens(1, 1),
    "query": benchmark.Query(1, 1),
    "modalities": benchmark.Modalities.of(features=benchmark.Features(1)),
}


def untrained(_: Path | None) -> Never:
    """The task of a table's benchmark: there is none.

    Raises:
        TableError: always.
    """
    raise TableError("On a table figures are looked up and no network is trained; name a benchmark with data.")


@dataclass(frozen=True, kw_only=True)
class TableBenchmark(Benchmark):
    """The question whether a search finds the best of a table.

    A `Benchmark` is of networks that are fed something. A table does not tell what: its signature is the smallest input that its
    space accepts, so that space and benchmark fit; its recipe and its task stand for nothing, and nothing asks for them.
    """

    table: Table = field(repr=False, compare=False)

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON: of the table what tells it from others and where it came from."""
        plain = Benchmark(**{one.name: getattr(self, one.name) for one in fields(Benchmark)}).to_data()
        table = self.table
        told = {"file": table.file, "digest": table.digest, "objective": table.asked, "fidelities": list(table.fidelities)}
        return {**plain, "table": told}

    def words(self, budget: Budget) -> str:
        """What people call a budget: where the table does not tell epochs, none are made up."""
        return f"{budget}, from a table" if self.table.fidelities else "from a table"

    @property
    def known(self) -> tuple[str, ...]:
        """The figures that the table has, first those that are known before training."""
        return (*self.table.figures, *self.table.metrics, *([SECONDS] if self.table.seconds else []))

    def evaluator(self, limits: Sequence[Limit] = (), proxies: Sequence[str] = ()) -> "TableEvaluator":
        """What answers a search within `limits`, with the zero-cost scores called `proxies` among the figures."""
        goals = tuple(goal.figure for goal in self.objectives)
        return TableEvaluator(table=self.table, limits=tuple(limits), goals=goals, proxies=tuple(proxies))


def make_benchmark(table: Table, *also: str) -> TableBenchmark:
    """`table` as a benchmark whose first objective is the table's; `also` names further metrics to steer by.

    Raises:
        TableError: a further metric is not known where the first is read.
    """
    for figure in also:
        if figure not in table.metrics or table.fidelity not in table.metrics[figure]:
            at = f"after {table.fidelity} epochs" if table.fidelity is not None else "where it is read"
            raise TableError(f"The table {table.name!r} has no {figure} {at}, as it has {table.objective.figure}.")
    budget = Budget(epochs=table.epochs)
    return TableBenchmark(
        name=table.name,
        version=1,
        summary=table.summary or f"{len(table):,} architectures whose figures are known",
        signature=Signature(_INPUTS[table.space.accepts[0]], benchmark.Features(1)),
        objectives=(table.objective, *(Objective(figure, table.direction(figure)) for figure in also)),
        budget=budget,
        final_budget=budget,
        recipe=Recipe(batch_size=1, learning_rate=0.0),
        task=f"{untrained.__module__}:{untrained.__name__}",
        source=table.source or f"the table {table.file}",
        licence=table.licence or "not told",
        table=table,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class TableEvaluator:
    """Answers as `nas.searching.Evaluate`: what one training of an architecture gave, as a Record.

    Which training follows from seed and architecture alone: the first by a hash of the architecture, then the next with each next
    seed, so that so many seeds in a row as there are trainings see each once. What is known before training is held against the
    limits first; then each epoch that the table knows is reported, so that a pruner may stop there. An
    architecture that the table does not have is infeasible. Of test figures only those that are searched for are told, and all of
    them for finalists, as in training.
    """

    table: Table
    limits: tuple[Limit, ...] = ()
    goals: tuple[str, ...] = ()
    """Metrics that are searched for, the table's objective among them."""
    proxies: tuple[str, ...] = ()
    """Zero-cost scores to tell; one that is infinite stands nowhere as a figure, as in training, but breaks limits."""

    @property
    def key(self) -> str:
        """Names what would come out, for `nas.searching`'s evaluation keys."""
        further = [name for name in self.goals if name != self.table.objective.figure]
        return f"table {self.table.digest} {','.join([self.table.asked, *further])}"

    def __call__(
        self,
        architecture: Architecture,
        *,
        budget: Budget,
        seed: int,
        report: Callable[[Epoch], bool] = lambda _: False,
        final: bool = False,
        on_known: Callable[[Mapping[str, float]], bool] | None = None,
    ) -> Record:
        """The Record of `architecture`, at once; `on_known` is told what is known before training, and answers to leave it out.

        Raises:
            TableError: the table does not have the objective after so many epochs.
        """
        self.check(budget)
        row = self.table.row(architecture)
        if row is None:
            return self._record("infeasible", {}, (), seed, budget, broken=(ABSENT,))
        known = self._known(row)
        figures = {name: value for name, value in known.items() if np.isfinite(value)}
        if broken := broken_limits(known, self.limits):
            return self._record("infeasible", figures, (), seed, budget, broken=broken)
        run = self._run(row, architecture, seed, budget)
        if run is None:
            return self._record("infeasible", figures, (), seed, budget, broken=(ABSENT,))
        if on_known is not None and on_known(figures):
            return self._record("pruned", figures, (), seed, budget)
        curve: list[Epoch] = []
        for epoch in self._points(row, run, budget, final=final):
            curve.append(epoch)
            if report(epoch) and epoch.epoch < budget.epochs:
                figures |= {**epoch.figures, **self._spent(epoch.seconds)}
                return self._record("pruned", figures, tuple(curve), seed, budget)
        scores = self._scores(row, run, self._fidelity(budget), final=final)
        if "train_loss" not in self.goals:
            scores.pop("train_loss", None)  # it stands on the curve
        figures |= scores | self._spent(self._seconds(row, run, budget.epochs))
        return self._record("complete", figures, tuple(curve), seed, budget)

    def _known(self, row: int) -> dict[str, float]:
        """What is known of architecture `row` before training."""
        columns = {**self.table.figures, **{name: self.table.proxies[name] for name in self.proxies}}
        return {name: float(values[row]) for name, values in columns.items() if not np.isnan(values[row])}

    def check(self, budget: Budget) -> None:
        """Refuse a budget that the table does not know.

        Raises:
            TableError: says which it knows.
        """
        if budget != Budget(epochs=budget.epochs):
            raise TableError(f"A table knows budgets of epochs alone, got {budget}.")
        if budget.epochs not in (self.table.fidelities or (self.table.epochs,)):
            known = ", ".join(map(str, self.table.fidelities)) or "no epochs: leave them out"
            figure = self.table.objective.figure
            raise TableError(f"The table {self.table.name!r} has {figure} after {known}; got {budget.epochs} epochs.")

    @cached_property
    def trainings(self) -> int:
        """How many there are of every architecture, each from a seed of its own."""
        return int((~np.isnan(self.table.trainings)).sum(axis=1).min())

    @property
    def features(self) -> Callable[[Architecture], Mapping[str, float]] | None:
        """What a strategy may learn from beside the answers: size, cost, and the scores that are asked for; None without any."""
        columns = {name: values for name, values in self.table.figures.items() if name in {"params", "flops"}}
        columns |= {name: self.table.proxies[name] for name in self.proxies}

        def known(architecture: Architecture) -> Mapping[str, float]:
            row = self.table.row(architecture)
            return {name: float("nan") if row is None else float(values[row]) for name, values in columns.items()}

        return known if columns else None

    @property
    def holds(self) -> int:
        """How many architectures the table has within the limits."""
        return len(self._within)

    def draw(self, rng: random.Random) -> Architecture | None:
        """An architecture that the table has and that keeps to the limits, by chance; None where there is none."""
        within = self._within
        return self.table.architectures[int(within[rng.randrange(len(within))])] if len(within) else None

    def nearest_miss(self) -> str:
        """Why no architecture is within the limits, in a sentence; empty where there is one."""
        if len(self._within):
            return ""
        spans = [
            f"{name} goes from {np.nanmin(values):,.10g} to {np.nanmax(values):,.10g}"
            for name, values in {**self.table.proxies, **self.table.figures}.items()
            if any(limit.figure == name for limit in self.limits)
        ]
        words = " and ".join(map(str, self.limits))
        return f"No architecture of the table {self.table.name!r} keeps to {words}: {', '.join(spans)}; widen one of them."

    @cached_property
    def _within(self) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """The rows that keep to the limits; as in training, a figure that is not known breaks none."""
        fine = np.ones(len(self.table), dtype=bool)
        for limit in self.limits:
            values = {**self.table.proxies, **self.table.figures}.get(limit.figure)
            if values is not None:
                fine &= np.array([np.isnan(value) or limit.allows(float(value)) for value in values])
        return np.flatnonzero(fine)

    def _fidelity(self, budget: Budget) -> int | None:
        """Where the objective is read under `budget`."""
        return self.table.fidelity if budget.epochs == self.table.epochs else budget.epochs

    def _run(self, row: int, architecture: Architecture, seed: int, budget: Budget) -> int | None:
        """The training that answers; None where none was made up to this fidelity."""
        trainings = self.table.metrics[self.table.objective.figure][self._fidelity(budget)].trainings[row]
        made = np.flatnonzero(~np.isnan(trainings))
        return int(made[(int(architecture.id, 16) + seed) % len(made)]) if len(made) else None

    def _points(self, row: int, run: int, budget: Budget, *, final: bool) -> Iterator[Epoch]:
        """The learning curve, as far as the table tells it."""
        for epochs, _ in self.table.curve(row, run):
            if epochs <= budget.epochs:
                scores = self._scores(row, run, epochs, final=final)
                loss = scores.pop("train_loss", None)
                yield Epoch(epoch=epochs, train_loss=loss, figures=scores, seconds=self._seconds(row, run, epochs))

    def _scores(self, row: int, run: int, fidelity: int | None, *, final: bool) -> dict[str, float]:
        goals = self.goals or (self.table.objective.figure,)
        told = [name for name in self.table.metrics if final or name in goals or not name.startswith("test")]
        known = {name: self.table.metrics[name].get(fidelity) for name in told}
        values = {name: readings.of(row, run) for name, readings in known.items() if readings is not None}
        return {name: value for name, value in values.items() if not np.isnan(value)}

    def _seconds(self, row: int, run: int, epochs: int) -> float | None:
        whole = self.table.seconds.get(None) if epochs == self.table.epochs else None
        readings = self.table.seconds.get(epochs) or whole
        value = readings.of(row, run) if readings is not None else float("nan")
        return None if np.isnan(value) else value

    @staticmethod
    def _spent(seconds: float | None) -> dict[str, float]:
        return {} if seconds is None else {SECONDS: seconds}

    def _record(
        self,
        outcome: Outcome,
        figures: Mapping[str, float],
        curve: tuple[Epoch, ...],
        seed: int,
        budget: Budget,
        *,
        broken: tuple[str, ...] = (),
    ) -> Record:
        return Record(
            outcome=outcome,
            figures=figures,
            curve=curve,
            broken_limits=broken,
            seed=seed,
            budget=budget,
            device=LOOKED_UP,
            threads=0,
            machine=self._machine,
            versions=versions(),
            commit=commit(),
        )

    @cached_property
    def _machine(self) -> Machine:
        """The table: what its figures depend on, wherever they are looked up."""
        return Machine(system="", processor=f"{self.table.file}, digest {self.table.digest}", cores=0, memory_gib=None)
