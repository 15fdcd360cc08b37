"""The study as Optuna sees it: ask for an architecture, tell what came of it, and go on where a run ended.

It lives in memory; the ledger is the record. Each proposal is drawn from a seed of its own, made of the study's seed and
the proposal's number, so that a study that goes on proposes what it would have proposed without the break.
"""

import hashlib
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import TrialState

from nas.benchmark import Objective
from nas.errors import StrategyError
from nas.records import Epoch, Record, Trial
from nas.space import Architecture, Limit, Space, size_if_counted
from nas.strategies.choosing import ChoosingSampler
from nas.strategies.distributions import distribution, suggest
from nas.strategies.pruning import ParetoPruner
from nas.strategies.reseeding import can_reseed, reseed
from nas.strategies.samplers import SINGLE, make_own, make_pruner, make_sampler, settled
from nas.strategies.surrogate import Features

IDLE_BEFORE_CHANCE = 5
"""After so many proposals in a row that bring nothing new (known, or outside a limit), the next is drawn by chance, within those
limits that are known before anything is built."""


@dataclass(frozen=True)
class Proposal:
    """An architecture that the strategy wants to know about."""

    number: int
    architecture: Architecture
    trial: optuna.Trial


class Guide:
    """Asks a strategy, and tells it what came of its proposals."""

    def __init__(
        self,
        space: Space,
        objectives: Sequence[Objective],
        *,
        strategy: str | BaseSampler,
        pruner: str = "none",
        epochs: int | None = None,
        seed: int = 0,
        limits: Sequence[Limit] = (),
        features: Features | None = None,
    ) -> None:
        """Begin an empty study in memory. A pruner sets its rungs by `epochs`, those of a full training; `features` are for a
        strategy that learns from them (`auto`).

        Raises:
            StrategyError: the strategy or the pruner is unknown, or cannot serve several objectives or this space.
        """
        if isinstance(strategy, str):
            strategy = settled(strategy, space, len(objectives))
        if strategy in SINGLE and len(objectives) > 1:
            raise StrategyError(
                f"The strategy {strategy!r} serves one objective, this study has {len(objectives)}; name another."
            )
        if strategy == "bruteforce" and (holds := size_if_counted(space)) in (None, math.inf):
            why = "holds more than can be counted" if holds is None else "has real ranges"
            raise StrategyError(f"The strategy 'bruteforce' needs a finite space, {space.name!r} {why}; name another.")
        optunas_pruner = make_pruner(pruner, epochs)
        if pruner == "pareto" and len(objectives) == 1:
            raise StrategyError(
                "The pruner 'pareto' stops by several objectives, this study has one; name median, asha or hyperband."
            )
        if pruner not in {"none", "pareto"} and len(objectives) > 1:
            raise StrategyError(
                f"The pruner {pruner!r} stops by one objective, this study has {len(objectives)}; "
                "name pareto, or leave --pruner out."
            )
        self.space = space
        self.objectives = tuple(objectives)
        self.limits = tuple(limits)
        self.strategy = strategy
        self.own = make_own(strategy, space, features, self.limits) if isinstance(strategy, str) else None
        self.kept: BaseSampler | None = None
        """The sampler of the proposal before, where it serves again."""
        self.seed = seed
        self.pruner = pruner
        self.pareto = ParetoPruner(objectives) if pruner == "pareto" else None
        self.foreseen: dict[int, Mapping[str, float]] = {}
        """Proposal's number → what is known before training, of those under way."""
        # Some samplers keep notes on the study, so the storage is held too: it can be asked for them.
        self.storage = optuna.storages.InMemoryStorage()
        with _quiet():
            self.study = optuna.create_study(
                study_name="study",  # not a random one, by which Hyperband would choose a trial's bracket
                storage=self.storage,
                directions=[objective.direction for objective in objectives],
                sampler=self._sampler(0),
                pruner=optunas_pruner,
            )
        # Who asks knows when to stop; Optuna's own `stop`, which brute force calls at its end, raises outside of `optimize`.
        self.study.stop = lambda: None  # type: ignore[method-assign]
        self.study_id = self.storage.get_study_id_from_name(self.study.study_name)
        self.noted = dict(self.storage.get_study_system_attrs(self.study_id))

    def ask(self, number: int, *, chosen: Architecture | None = None, at_random: bool = False) -> Proposal:
        """The proposal of that number: the strategy's, one `at_random`, or `chosen`, such as one that was interrupted."""
        self.study.sampler = RandomSampler(seed=self._seed(number)) if at_random else self._sampler(number)
        if chosen is not None:
            self.study.enqueue_trial(dict(chosen.choices))
        trial = self.study.ask()
        if chosen is not None:
            _ = trial.relative_params  # let the sampler note what it would have noted, such as the generation
        return Proposal(number, self.space.walk(lambda name, domain: suggest(trial, name, domain)), trial)

    def foresee(self, proposal: Proposal, figures: Mapping[str, float]) -> bool:
        """Note the figures that are known before training; True where the pruner wants the trial left untrained."""
        self.foreseen[proposal.number] = dict(figures)
        return self.pareto is not None and self.pareto.hopeless(figures)

    def report(self, proposal: Proposal, epoch: Epoch) -> bool:
        """Note a point of the learning curve; True where the pruner wants the trial stopped."""
        if self.pareto is not None:
            return self.pareto.hopeless(self.foreseen.get(proposal.number, {}), epoch)
        if len(self.objectives) > 1 or self.pruner == "wilcoxon":
            return False
        return self._report(proposal, epoch.figures, epoch.epoch)

    def report_replicate(self, proposal: Proposal, number: int, figures: Mapping[str, float]) -> bool:
        """Note what training from seed `number`, counted from 0, came to; True where the pruner wants no further training."""
        return self.pruner == "wilcoxon" and self._report(proposal, figures, number)

    def _report(self, proposal: Proposal, figures: Mapping[str, float], step: int) -> bool:
        value = figures.get(self.objectives[0].figure)
        if value is None:
            return False
        proposal.trial.report(value, step)
        return proposal.trial.should_prune()

    def tell(self, proposal: Proposal, record: Record) -> Mapping[str, Any]:
        """Tell what came of `proposal`; returns what the sampler noted, which `restore` wants back."""
        for limit in self.limits:
            if limit.figure in record.figures:
                proposal.trial.set_constraint(str(limit), limit.excess(record.figures[limit.figure]))
        if record.outcome == "failed":
            proposal.trial.set_constraint("failed", 1.0)  # told as FAIL, TPE would look away and propose it again
        state, values = self._outcome(record)
        if self.pareto is not None:
            self.pareto.learn(record)
        self.foreseen.pop(proposal.number, None)
        if self.pruner == "wilcoxon":
            _catch_up(proposal.trial, self._steps(record))
        with _quiet(), _passing_limits_over() if self.strategy == "cmaes" else nullcontext():
            told = self.study.tell(proposal.trial, values, state=state, skip_if_finished=False)
        return {"sampler": _plain(told.system_attrs), **self._new_notes()}

    def _new_notes(self) -> dict[str, Any]:
        """What the sampler noted on the study since the last proposal, such as the parents of a generation."""
        notes = self.storage.get_study_system_attrs(self.study_id)
        new = {key: value for key, value in notes.items() if key not in self.noted or self.noted[key] != value}
        self.noted = dict(notes)
        return {"study": _plain(new)} if new else {}

    def restore(self, trial: Trial) -> None:
        """Tell of a finished trial of an earlier run, in the order of the numbers."""
        assert trial.record is not None  # noqa: S101 - only finished trials are restored
        state, values = self._outcome(trial.record)
        if self.pareto is not None:
            self.pareto.learn(trial.record)
        reported = len(self.objectives) == 1 and (trial.reused_from is None or self.pruner == "wilcoxon")
        domains = self.space.domains(trial.architecture)
        self.study.add_trial(
            optuna.trial.create_trial(
                state=state,
                values=values,
                params=dict(trial.architecture.choices),
                distributions={name: distribution(domain) for name, domain in domains.items()},
                intermediate_values=self._steps(trial.record) if reported else {},
                system_attrs=dict(trial.proposal.get("sampler", {})),
            )
        )
        for key, value in trial.proposal.get("study", {}).items():
            self.storage.set_study_system_attr(self.study_id, key, value)
            self.noted[key] = value

    def _outcome(self, record: Record) -> tuple[TrialState, list[float] | None]:
        """Optuna's words for what came of an evaluation."""
        values = [record.figures.get(objective.figure) for objective in self.objectives]
        known = [value for value in values if value is not None]
        stopped = record.outcome == "pruned" and not record.replicates  # of whole trainings, the mean is worth telling
        if record.outcome == "failed" or stopped or len(known) < len(values):
            return TrialState.PRUNED, None
        return TrialState.COMPLETE, known

    def _steps(self, record: Record) -> dict[int, float]:
        """What an evaluation reports to Optuna: the learning curve, or for wilcoxon what each replicate came to."""
        figure = self.objectives[0].figure
        if self.pruner == "wilcoxon":
            told = dict(enumerate(one.figures for one in record.replicates if record.outcome != "failed"))
        else:
            told = {point.epoch: point.figures for point in record.curve}
        return {step: figures[figure] for step, figures in told.items() if figure in figures}

    def _sampler(self, number: int) -> BaseSampler:
        if not isinstance(self.strategy, str):
            return self.strategy
        if isinstance(self.own, ChoosingSampler):  # it remembers what it has read of the study
            self.own.seed(self._seed(number))
            return self.own
        if self.kept is not None:
            reseed(self.kept, self._seed(number))
            return self.kept
        sampler = make_sampler(self.strategy, self._seed(number))
        if can_reseed(sampler) and self.pruner != "hyperband":  # which lets a sampler see the trials of one bracket at a time
            self.kept = sampler
        return sampler

    def _seed(self, number: int) -> int:
        return int.from_bytes(hashlib.sha256(f"{self.seed}:{number}".encode()).digest()[:4], "big")


def _catch_up(trial: optuna.Trial, steps: Mapping[int, float]) -> None:
    """Report to `trial` what nobody reported as it was found, since its Record is of an earlier evaluation."""
    known = trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values
    for step, value in steps.items():
        if step not in known:
            trial.report(value, step)


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What a sampler noted, as far as JSON can hold it."""
    kinds = (str, int, float, bool, list, dict, tuple, type(None))
    return {key: value for key, value in attributes.items() if isinstance(value, kinds)}


@contextmanager
def _passing_limits_over() -> Iterator[None]:
    """CMA-ES says each time that it learns nothing from constraints; what is outside the limits costs nothing all the same."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Constraints have been set", category=UserWarning)
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna announces each study; the harness has an announcement of its own."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(level, logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
