"""The study as Optuna sees it: ask for an architecture, tell what came of it, and go on where a run ended.

It lives in memory; the ledger is the record. Each proposal is drawn from a seed of its own, made of the study's seed and
the proposal's number, so that a study that goes on proposes what it would have proposed without the break.

Several proposals may be asked for before any is told, in whatever order, and other drivers of the study may have trials of their
own under way and ended meanwhile. So a trial has two numbers: the ledger's, and its place in the study in memory.
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
from nas.strategies.cma_state import with_pickles, without_pickles
from nas.strategies.distributions import distribution, suggest
from nas.strategies.notes import DROPPED, Notes, plain
from nas.strategies.pruning import BY_ARRIVAL, BracketsByNumber, ParetoPruner
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
    """Of the trial in the ledger; where another trial has taken it by then, `replace` it."""
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
        """Place of a trial that is under way → what is known of it before training."""
        self.heard: dict[int, set[int]] = {}
        """Place of a trial that is under way → the steps that it has reported."""
        self.asked: dict[int, BaseSampler] = {}
        """Place of a proposal that is not told yet → who chose it."""
        self.elsewhere: dict[int, int] = {}
        """Number of a trial that another driver has under way → its place."""
        self.numbers: dict[int, int] = {}
        """Place → number."""
        self.ended: set[tuple[int, str]] = set()
        """Number and architecture's id of the trials of which it is known what came of them."""
        if isinstance(optunas_pruner, BracketsByNumber):
            optunas_pruner.numbers = self.numbers
        # Some samplers keep notes on the study, so the storage is held too: it can be asked for them.
        self.storage = optuna.storages.InMemoryStorage()
        with quiet():
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
        self.notes = Notes(self.storage, self.study_id, self.numbers)

    @property
    def order_matters(self) -> bool:
        """Whether what the pruner stops hangs on who reports first of those that run at the same time."""
        return self.pruner in BY_ARRIVAL

    def ask(self, number: int, *, chosen: Architecture | None = None, at_random: bool = False, again: int = 0) -> Proposal:
        """The proposal of that number: the strategy's, one `at_random`, or `chosen`, such as one that was interrupted.

        It counts as running until it is told or withdrawn. A trial of that number that was noted to run elsewhere no longer does.
        `again` counts the proposals of that number that were withdrawn: a strategy that goes by its seed alone would repeat them.
        """
        self._forget(number)
        self.notes.recall()
        place = self.storage.get_n_trials(self.study_id)
        self.numbers[place] = number
        self.study.sampler = RandomSampler(seed=self._seed(number, again)) if at_random else self._sampler(number, again)
        if chosen is not None:
            self.study.enqueue_trial(dict(chosen.choices))
        with quiet(optuna.logging.ERROR) if self.strategy == "qmc" else nullcontext():  # it says that conditions are not for it
            trial = self.study.ask()
            if chosen is not None:
                _ = trial.relative_params  # let the sampler note what it would have noted, such as the generation
            architecture = self.space.walk(lambda name, domain: suggest(trial, name, domain))
        self.asked[place] = self.study.sampler
        return Proposal(number, architecture, trial)

    def withdraw(self, proposal: Proposal) -> None:
        """Forget `proposal`, of which nothing will be told, such as one that another driver is at."""
        if self.asked.pop(proposal.trial.number, None) is not None:
            self._drop(proposal.trial.number)

    def note_running(self, trial: Trial) -> None:
        """Let the strategy know that another driver has `trial` under way; `restore` tells what came of it."""
        if trial.number not in self.elsewhere and _named(trial) not in self.ended:
            self.elsewhere[trial.number] = self._add(trial, state=TrialState.RUNNING)

    def forget_running(self, trial: Trial) -> None:
        """`trial` is no longer under way elsewhere, and has no result."""
        self._forget(trial.number)

    def _forget(self, number: int) -> None:
        place = self.elsewhere.pop(number, None)
        if place is not None:
            self._drop(place)

    def _drop(self, place: int) -> None:
        """End a trial without a result; for Optuna's samplers it is as if it had never been."""
        self.foreseen.pop(place, None)
        self.heard.pop(place, None)
        trial_id = self.storage.get_trial_id_from_study_id_trial_number(self.study_id, place)
        self.storage.set_trial_system_attr(trial_id, DROPPED, True)
        self.storage.set_trial_state_values(trial_id, TrialState.FAIL)

    def foresee(self, proposal: Proposal, figures: Mapping[str, float]) -> bool:
        """Note the figures that are known before training; True where the pruner wants the trial left untrained."""
        self.foreseen[self._place(proposal)] = dict(figures)
        return self.pareto is not None and self.pareto.hopeless(figures)

    def report(self, proposal: Proposal, epoch: Epoch) -> bool:
        """Note a point of the learning curve; True where the pruner wants the trial stopped."""
        if self.pareto is not None:
            return self.pareto.hopeless(self.foreseen.get(proposal.trial.number, {}), epoch)
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
        heard = self.heard.setdefault(self._place(proposal), set())
        if step not in heard:  # else it was begun again
            heard.add(step)
            proposal.trial.report(value, step)
        return proposal.trial.should_prune()

    def tell(self, proposal: Proposal, record: Record) -> Mapping[str, Any]:
        """Tell what came of `proposal`; returns what the sampler noted, which `restore` wants back.

        Where another driver took the trial over and has told of it already, it is not told again.
        """
        if _named(proposal) in self.ended:
            self.withdraw(proposal)
            return {}
        self.ended.add(_named(proposal))
        place = self._place(proposal)
        for limit in self.limits:
            if limit.figure in record.figures:
                proposal.trial.set_constraint(str(limit), limit.excess(record.figures[limit.figure]))
        if record.outcome == "failed":
            proposal.trial.set_constraint("failed", 1.0)  # told as FAIL, TPE would look away and propose it again
        state, values = self._outcome(record)
        if self.pareto is not None:
            self.pareto.learn(record)
        self.foreseen.pop(place, None)
        self.heard.pop(place, None)
        if self.pruner == "wilcoxon":
            _catch_up(proposal.trial, self._steps(record))
        self.study.sampler = self.asked.pop(place)
        with quiet(), _passing_limits_over() if self.strategy == "cmaes" else nullcontext():
            told = self.study.tell(proposal.trial, values, state=state, skip_if_finished=False)
        return {"sampler": without_pickles(plain(told.system_attrs)), **self.notes.new()}

    def _place(self, proposal: Proposal) -> int:
        """Its place in the study, which stands for its number from now on."""
        place = proposal.trial.number
        self.numbers[place] = proposal.number
        return place

    def restore(self, trial: Trial) -> None:
        """Tell of a finished trial: of an earlier run in the order of the numbers, of another driver whenever it is heard of."""
        assert trial.record is not None  # noqa: S101 - only finished trials are restored
        if _named(trial) in self.ended:
            self._forget(trial.number)
            return
        self.ended.add(_named(trial))
        place = self.elsewhere.pop(trial.number, None)
        state, values = self._outcome(trial.record)
        if self.pareto is not None:
            self.pareto.learn(trial.record)
        reported = len(self.objectives) == 1 and (trial.reused_from is None or self.pruner == "wilcoxon")
        self._add(
            trial,
            place,
            state=state,
            values=values,
            intermediate_values=self._steps(trial.record) if reported else {},
            system_attrs=_given(trial.proposal.get("sampler", {})),
        )
        self.notes.give(trial.proposal.get("study", {}))

    def _add(self, trial: Trial, place: int | None = None, **what: Any) -> int:
        """Put a trial of the ledger in the study, at a place that it has already or at the end; returns its place."""
        domains = self.space.domains(trial.architecture)
        frozen = optuna.trial.create_trial(
            params=dict(trial.architecture.choices),
            distributions={name: distribution(domain) for name, domain in domains.items()},
            **what,
        )
        if place is None:
            place = self.storage.get_n_trials(self.study_id)
            self.numbers[place] = trial.number
            self.study.add_trial(frozen)
            return place
        trial_id = self.storage.get_trial_id_from_study_id_trial_number(self.study_id, place)
        for key, value in frozen.system_attrs.items():
            self.storage.set_trial_system_attr(trial_id, key, value)
        for step, value in frozen.intermediate_values.items():
            self.storage.set_trial_intermediate_value(trial_id, step, value)
        self.storage.set_trial_state_values(trial_id, frozen.state, frozen.values)
        return place

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

    def _sampler(self, number: int, again: int = 0) -> BaseSampler:
        if not isinstance(self.strategy, str):
            return self.strategy
        if isinstance(self.own, ChoosingSampler):  # it remembers what it has read of the study
            self.own.seed(self._seed(number, again))
            return self.own
        if self.kept is not None:
            reseed(self.kept, self._seed(number, again))
            return self.kept
        sampler = make_sampler(self.strategy, self._seed(number, again))
        if can_reseed(sampler) and self.pruner != "hyperband":  # which lets a sampler see the trials of one bracket at a time
            self.kept = sampler
        return sampler

    def _seed(self, number: int, again: int) -> int:
        named = f"{self.seed}:{number}:{again}" if again else f"{self.seed}:{number}"
        return int.from_bytes(hashlib.sha256(named.encode()).digest()[:4], "big")


def _given(notes: Mapping[str, Any]) -> dict[str, Any]:
    """What a sampler noted on a trial, as it noted it."""
    return with_pickles(notes) if any("cma" in name for name in notes) else dict(notes)


def _named(trial: Trial | Proposal) -> tuple[int, str]:
    return trial.number, trial.architecture.id


def _catch_up(trial: optuna.Trial, steps: Mapping[int, float]) -> None:
    """Report to `trial` what nobody reported as it was found, since its Record is of an earlier evaluation."""
    known = trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values
    for step, value in steps.items():
        if step not in known:
            trial.report(value, step)


@contextmanager
def _passing_limits_over() -> Iterator[None]:
    """CMA-ES says each time that it learns nothing from constraints; what is outside the limits costs nothing all the same."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Constraints have been set", category=UserWarning)
        yield


@contextmanager
def quiet(least: int = logging.WARNING) -> Iterator[None]:
    """Optuna announces each study; the harness has an announcement of its own."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(level, least))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
