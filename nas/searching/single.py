"""One architecture, trained by itself: its figures, its weights, and on request a trace of its steps."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.errors import SearchError
from nas.records import Epoch, Record, Trial
from nas.searching.config import SearchConfig
from nas.searching.evaluating import make_evaluator
from nas.searching.events import EpochEnded, OnEvent, RunBegun, Tally, TrialEnded, ignore
from nas.searching.picking import pick_architecture
from nas.searching.together import follow, together
from nas.space import Architecture
from nas.tables import TableBenchmark

if TYPE_CHECKING:
    from torch import nn

    from nas.training import Loop, Operator, Ranks, Tracing


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What training one architecture came to."""

    architecture: Architecture
    record: Record
    model: "nn.Module | None"
    """The trained network, on its device; None where its training is not complete."""
    operators: "tuple[Operator, ...]" = ()
    """Of the steps that were traced, dearest first."""

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON; `nas train` takes it as an architecture again."""
        return {"id": self.architecture.id, **self.architecture.to_data(), "record": self.record.to_data()}

    def write(self, folder: Path) -> None:
        """Write record.json and, where the training is complete, weights.safetensors into `folder`.

        Raises:
            SearchError: one of them cannot be written.
        """
        from nas.training import write_weights

        try:
            if self.model is not None:
                write_weights(self.model, folder / "weights.safetensors")
            (folder / "record.json").write_text(json.dumps(self.to_data(), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise SearchError(f"{folder} cannot be written to: {error.strerror}.") from error


def train_one(
    space: Any,
    *,
    on: Any,
    architecture: str | Architecture | Mapping[str, Any] | None = None,
    random_seed: int | None = None,
    test: bool = False,
    out: Path | None = None,
    trace: Path | None = None,
    on_event: OnEvent = ignore,
    on_step: "Callable[[Loop], None]" = lambda _: None,
    **options: Any,
) -> Trained | None:
    """Train one architecture of `space` on the benchmark `on`, and measure it as a search does, from the beginning to the end.

    `architecture` is one, its choices, or what `pick_architecture` takes. `options` are those of a `SearchConfig`: seed, epochs,
    device and so on; what only several candidates or a ledger have (trials, limits, pruner, checkpoint …) is left aside. Of
    replicates the figures are means, the weights are the first's, and no steps are told. Test data are read only for `test`.
    `out` is a folder for weights and record, `trace` a file for a profiler's trace of some steps. `on_event` is told the epochs
    and the end, `on_step` the loop after every step.

    Of several processes that torchrun started the first returns what came of it, and the others, which help it, None.

    Raises:
        NasError: an option is wrong, or the data, the device or a folder are missing.
    """
    config = SearchConfig.make(space=space, on=on, **options)
    if isinstance(config.on, TableBenchmark):
        raise SearchError(f"The table {config.on.table.file} tells figures and trains nothing; name a benchmark with data.")
    if trace is not None and config.replicates > 1:
        raise SearchError(f"A trace is of one training, got {config.replicates} replicates; leave one of them out.")
    if isinstance(architecture, Architecture | Mapping):
        choices = architecture.choices if isinstance(architecture, Architecture) else architecture
        chosen = config.space.architecture(choices)
    else:
        chosen = pick_architecture(config.space, architecture, random_seed=random_seed, ledger=config.ledger)
    with together(config.wait_minutes) as ranks:
        if ranks is not None and not ranks.leads:
            follow(ranks, lambda: _evaluator(config, ranks))
            return None
        if out is not None:
            try:
                out.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SearchError(f"{out} cannot be written to: {error.strerror}.") from error
        run = _Run(config, chosen, ranks, on_event, on_step)
        trained = run.go(trace, test=test)
        if out is not None:
            trained.write(out)
        return trained


def _evaluator(config: SearchConfig, ranks: "Ranks | None") -> Any:
    given = {**config.means, "data": config.data, "replicates": config.replicates, "together": config.together}
    given |= {"proxies": config.scores, "measures": config.asked}
    return make_evaluator(config.space, config.on, (), ranks=ranks, **given)


class _Run:
    """One training under way."""

    def __init__(
        self,
        config: SearchConfig,
        architecture: Architecture,
        ranks: "Ranks | None",
        on_event: OnEvent,
        on_step: "Callable[[Loop], None]",
    ) -> None:
        self.config = config
        self.architecture = architecture
        self.evaluate = _evaluator(config, ranks)
        self.on_event = on_event
        self.on_step = on_step
        self.kept: list[nn.Module] = []

    def go(self, trace: Path | None, *, test: bool) -> Trained:
        from nas.training import Tracing

        config, architecture = self.config, self.architecture
        name = f"{config.space.name}-{config.on.name}-{architecture.id}"
        self.on_event(RunBegun(name, 1, 0, f"{architecture.id} of {config.space.name} on {config.on.name} · {config.budget}"))
        tracing = Tracing(trace) if trace is not None else None
        try:
            record = self.evaluated(tracing, test=test)
        finally:
            if tracing is not None:
                tracing.close()
        trial = self.trial(name, record)
        tally = Tally(1, config.steered_by[0])
        tally.add(trial, repeated=False, fresh=True)
        self.on_event(TrialEnded(trial, tally.progress(), tally.best, tally.objective.figure))
        operators = tuple(tracing.operators) if tracing is not None else ()
        return Trained(architecture=architecture, record=record, model=next(iter(self.kept), None), operators=operators)

    def evaluated(self, tracing: "Tracing | None", *, test: bool) -> Record:
        config = self.config

        def report(epoch: Epoch) -> bool:
            self.on_event(EpochEnded(config.seed, epoch, config.budget.epochs))
            return False

        def on_step(loop: "Loop") -> None:
            self.on_step(loop)
            if tracing is not None:
                tracing(loop)

        record: Record = self.evaluate(
            self.architecture,
            budget=config.budget,
            seed=config.seed,
            report=report,
            final=test,
            on_step=on_step,
            keep=self.kept.append,
        )
        return record

    def trial(self, name: str, record: Record) -> Trial:
        """The training as listeners know trials; its number is the seed, and no ledger has it."""
        return Trial(
            id=0,
            study=name,
            stage="search",
            number=self.config.seed,
            state=record.outcome,
            architecture=self.architecture,
            evaluation="",
            reused_from=None,
            begun_at="",
            ended_at=None,
            proposal={},
            record=record,
        )
