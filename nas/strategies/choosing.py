"""Strategies that choose whole architectures: they see what is known of a space, and name the next one.

Each is an Optuna sampler, so that it serves any Optuna study whose objective walks the space by `trial.suggest_*`, with
conditional choices as they are. What runs is what the study's RUNNING trials walk: none of it is proposed again.
"""

import math
import random
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from nas.errors import SpaceError
from nas.space import Architecture, Space
from nas.strategies.distributions import distribution

TRIES = 200
"""Draws by chance for an architecture that is not known yet; where so many bring none, the space is as good as exhausted."""

NOTE = "nas:"
"""Begins the names of what a strategy notes on a trial."""


@dataclass(frozen=True)
class Known:
    """What came of one proposal."""

    architecture: Architecture
    cost: float
    """The objective, turned so that less is better; infinite where it is not known, as of one that failed."""
    excess: float
    """How far outside the limits it lies, all limits taken together; 0 within."""
    margins: Mapping[str, float] = field(default_factory=dict)
    """How far outside of each limit, below 0 within it; of those that were found out."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What the strategy noted as it proposed it; see `ChoosingSampler.note`."""

    @property
    def order(self) -> tuple[float, float]:
        """Less is better: within the limits by cost, and those before the others, by how far outside they are (Deb 2000)."""
        return (self.excess, self.cost)


class Seen:
    """All that is known, which architectures are, and which are being evaluated."""

    def __init__(self, known: Sequence[Known], running: Sequence[Architecture] = ()) -> None:
        """`known` and `running` in the order of the proposals."""
        self.known = known
        self.started = running

    def __len__(self) -> int:
        return len(self.known)

    @cached_property
    def each(self) -> Mapping[str, Known]:
        """Architecture's id → what came of it, in the order in which they were first proposed.

        Of one with several results the cost is their mean; a result that is told again is no new one. One that was stopped has
        no cost: to expect of it what training still brought the others found nothing better beside asha (0.964 ± 0.005 against
        0.972 ± 0.004 on the curves of `three_families`, 40 seeds of 128 epochs).
        """
        found: dict[str, Known] = {}
        costs: defaultdict[str, dict[float, None]] = defaultdict(dict)
        for one in self.known:
            name = one.architecture.id
            found.setdefault(name, one)
            if math.isfinite(one.cost):
                costs[name][one.cost] = None
        for name, several in costs.items():
            if len(several) > 1 or not math.isfinite(found[name].cost):
                found[name] = replace(found[name], cost=fmean(several))
        return found

    def __contains__(self, architecture: Architecture) -> bool:
        """Whether it is known or running, so that proposing it would bring nothing new."""
        return architecture.id in self.each or architecture.id in self._pending

    @cached_property
    def distinct(self) -> list[Known]:
        """Each architecture once."""
        return list(self.each.values())

    @cached_property
    def _pending(self) -> Mapping[str, Architecture]:
        return {one.id: one for one in self.started if one.id not in self.each}

    @cached_property
    def running(self) -> list[Architecture]:
        """Each architecture once that is being evaluated, and of which nothing is known yet."""
        return list(self._pending.values())


class ChoosingSampler(BaseSampler):
    """What strategies of whole architectures have in common; one names `choose`."""

    def __init__(self, space: Space, *, seed: int | None = None) -> None:
        """Choose from `space`, drawing from `seed`."""
        self.space = space
        self.rng = random.Random(seed)  # noqa: S311 - no secret
        self._independent = RandomSampler(seed=seed)
        self._read: dict[int, Known] = {}
        """Number of a finished trial → what came of it."""
        self._study: tuple[BaseStorage, int] | None = None
        """Where the study that it has read is kept."""
        self._chosen: Architecture | None = None
        self._started: dict[int, Architecture] = {}
        """Number of a trial that runs → its architecture."""
        self._notes: dict[str, Any] = {}

    @abstractmethod
    def choose(self, seen: Seen) -> Architecture:
        """The next architecture to evaluate."""

    def forget(self) -> None:
        """Know nothing any more of the study that was asked for until now, since another asks."""
        self._read = {}
        self._started = {}

    def note(self, **notes: Any) -> None:
        """Keep plain data with the trial that is chosen now; `Known.notes` gives them back."""
        self._notes.update(notes)

    def seed(self, seed: int) -> None:
        """Draw from `seed` from now on."""
        self.rng.seed(seed)
        self._independent = RandomSampler(seed=seed)

    def reseed_rng(self) -> None:
        """Draw what nobody can foretell, as Optuna asks where several processes share a sampler."""
        self.rng.seed()
        self._independent.reseed_rng()

    def infer_relative_search_space(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
    ) -> dict[str, BaseDistribution]:
        """The choices of the architecture that is chosen now."""
        if len(study.directions) > 1:
            raise ValueError(f"{type(self).__name__} serves one objective, this study has {len(study.directions)}.")
        self._notes = {}
        self._chosen = self.choose(Seen(self._history(study), self._running(study, trial.number)))
        for name, value in self._notes.items():
            study._storage.set_trial_system_attr(trial._trial_id, NOTE + name, value)
        return {name: distribution(domain) for name, domain in self.space.domains(self._chosen).items()}

    def sample_relative(
        self,
        study: optuna.Study,  # noqa: ARG002 - Optuna's signature
        trial: FrozenTrial,  # noqa: ARG002
        search_space: dict[str, BaseDistribution],  # noqa: ARG002
    ) -> dict[str, Any]:
        """Its answers."""
        return dict(self._chosen.choices) if self._chosen is not None else {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """By chance, for what the space does not ask."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def unseen(self, seen: Seen) -> Architecture:
        """An architecture by chance that is neither known nor running, or after TRIES draws any."""
        for _ in range(TRIES):
            drawn = self.space.sample(self.rng)
            if drawn not in seen:
                return drawn
        return drawn

    def _history(self, study: optuna.Study) -> list[Known]:
        """What came of the study's finished trials, in their order; trials that are no walk of the space are left out."""
        kept = (study._storage, study._study_id)
        if self._study not in {None, kept}:
            self.forget()
        self._study = kept
        sign = -1 if study.direction == StudyDirection.MAXIMIZE else 1
        known = []
        for trial in study._get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED), use_cache=False):
            if trial.number not in self._read:
                try:
                    architecture = self.space.architecture(trial.params)
                except SpaceError:
                    continue
                cost = sign * trial.value if trial.state == TrialState.COMPLETE and trial.value is not None else math.inf
                margins = dict(trial.constraints)
                excess = sum(max(0.0, value) for value in margins.values())
                notes = {name.removeprefix(NOTE): value for name, value in trial.system_attrs.items() if name.startswith(NOTE)}
                self._read[trial.number] = Known(architecture, math.inf if math.isnan(cost) else cost, excess, margins, notes)
            known.append(self._read[trial.number])
        return known

    def _running(self, study: optuna.Study, asking: int) -> list[Architecture]:
        """What the study's other trials evaluate now, in their order; those whose walk has not ended yet are left out."""
        started = {}
        for trial in study._get_trials(deepcopy=False, states=(TrialState.RUNNING,), use_cache=False):
            if trial.number == asking:
                continue
            if trial.number in self._started:
                started[trial.number] = self._started[trial.number]
                continue
            try:
                started[trial.number] = self.space.architecture(trial.params)
            except SpaceError:
                continue
        self._started = started
        return [*started.values()]
