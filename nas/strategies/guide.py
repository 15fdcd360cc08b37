"""The study as Optuna sees it: ask for an architecture, tell what came of it, and go on where a run ended.

It lives in memory; the ledger is the record. Each proposal is drawn from a seed of its own, made of the study's seed and
the proposal's number, so that a study that goes on proposes what it would have proposed without the break.
"""

import hashlib
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from nas.strategies.samplers import SINGLE, make_own, make_pruner, make_sampler


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
        seed: int = 0,
        limits: Sequence[Limit] = (),
    ) -> None:
        """Begin an empty study in memory.

        Raises:
            StrategyError: the strategy or the pruner is unknown, or cannot serve several objectives or this space.
        """
        if strategy in SINGLE and len(objectives) > 1:
            raise StrategyError(
                f"The strategy {strategy!r} serves one objective, this study has {len(objectives)}; name another."
            )
        if strategy == "bruteforce" and (holds := size_if_counted(space)) in (None, math.inf):
            why = "holds more than can be counted" if holds is None else "has real ranges"
            raise StrategyError(f"The strategy 'bruteforce' needs a finite space, {space.name!r} {why}; name another.")
        if pruner != "none" and len(objectives) > 1:
            raise StrategyError(f"Optuna prunes by one objective, this study has {len(objectives)}; leave --pruner out.")
        self.space = space
        self.objectives = tuple(objectives)
        self.limits = tuple(limits)
        self.strategy = strategy
        self.own = make_own(strategy, space) if isinstance(strategy, str) else None
        self.seed = seed
        # Some samplers keep notes on the study, so the storage is held too: it can be asked for them.
        self.storage = optuna.storages.InMemoryStorage()
        with _quiet():
            self.study = optuna.create_study(
                study_name="study",  # not a random one, by which Hyperband would choose a trial's bracket
                storage=self.storage,
                directions=[objective.direction for objective in objectives],
                sampler=self._sampler(0),
                pruner=make_pruner(pruner),
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

    def report(self, proposal: Proposal, epoch: Epoch) -> bool:
        """Note a point of the learning curve; True where the pruner wants the trial stopped."""
        if len(self.objectives) > 1:
            return False
        value = epoch.figures.get(self.objectives[0].figure)
        if value is None:
            return False
        proposal.trial.report(value, epoch.epoch)
        return proposal.trial.should_prune()

    def tell(self, proposal: Proposal, record: Record) -> Mapping[str, Any]:
        """Tell what came of `proposal`; returns what the sampler noted, which `restore` wants back."""
        for limit in self.limits:
            if limit.figure in record.figures:
                proposal.trial.set_constraint(str(limit), limit.excess(record.figures[limit.figure]))
        if record.outcome == "failed":
            proposal.trial.set_constraint("failed", 1.0)  # told as FAIL, TPE would look away and propose it again
        state, values = self._outcome(record)
        with _quiet():
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
        figure = self.objectives[0].figure
        curve = {point.epoch: point.figures[figure] for point in trial.record.curve if figure in point.figures}
        domains = self.space.domains(trial.architecture)
        self.study.add_trial(
            optuna.trial.create_trial(
                state=state,
                values=values,
                params=dict(trial.architecture.choices),
                distributions={name: distribution(domain) for name, domain in domains.items()},
                intermediate_values=curve if len(self.objectives) == 1 and trial.reused_from is None else {},
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
        if record.outcome in {"failed", "pruned"} or len(known) < len(values):
            return TrialState.PRUNED, None
        return TrialState.COMPLETE, known

    def _sampler(self, number: int) -> BaseSampler:
        if not isinstance(self.strategy, str):
            return self.strategy
        if isinstance(self.own, ChoosingSampler):  # it remembers what it has read of the study
            self.own.seed(self._seed(number))
            return self.own
        return make_sampler(self.strategy, self._seed(number))

    def _seed(self, number: int) -> int:
        return int.from_bytes(hashlib.sha256(f"{self.seed}:{number}".encode()).digest()[:4], "big")


def _plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What a sampler noted, as far as JSON can hold it."""
    kinds = (str, int, float, bool, list, dict, tuple, type(None))
    return {key: value for key, value in attributes.items() if isinstance(value, kinds)}


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna announces each study; the harness has an announcement of its own."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(level, logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
