"""NNI's tuners as Optuna samplers, driven in this process: no manager, no server, no folder of an experiment.

A space is put in NNI's words: a list is a `choice` of positions, a range of integers `quniform` over positions (`qloguniform`
over the values where it is one of magnitudes), a range of reals `uniform` or `loguniform`. What only one alternative asks is
nested in that alternative, one level deep; shared choices, those of a repeat's turns and what lies deeper stand beside the choice
that brings them in, and are left unread where they do not apply.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType, SimpleNamespace
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from nas.errors import StrategyError, did_you_mean
from nas.space import Architecture, Categorical, Domain, Integer, Space, Value
from nas.strategies.choosing import ChoosingSampler, Known, Seen
from nas.strategies.notes import DROPPED

MAX_CHOICES = 10_000
"""The most choices of a space that is put in NNI's words."""

AGAIN = 50
"""Proposals of what is known in a row after which one is passed on, as where nothing else is left."""

OUTSIDE = 1e100
"""What a tuner is told of a candidate without a value, times 1 and how far it lies outside the limits; they all go by ranks."""


@dataclass(frozen=True)
class Tuner:
    """Where one of NNI's tuners stands, and what it is made with."""

    module: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ("nni",)
    takes_seed: bool = False
    """Otherwise it draws from the modules `random` and `numpy.random`."""
    nests: bool = True
    """Whether it understands choices inside of choices."""


TUNERS: Mapping[str, Tuner] = {
    "anneal": Tuner("hyperopt_tuner", "HyperoptTuner", {"algorithm_name": "anneal"}, packages=("nni", "hyperopt")),
    "evolution": Tuner("evolution_tuner", "EvolutionTuner"),
    "gridsearch": Tuner("gridsearch_tuner", "GridSearchTuner"),
    "hyperopt_tpe": Tuner("hyperopt_tuner", "HyperoptTuner", {"algorithm_name": "tpe"}, packages=("nni", "hyperopt")),
    "pbt": Tuner("pbt_tuner", "PBTTuner", {"all_checkpoint_dir": ""}, nests=False),  # it only writes the folder's name down
    "random": Tuner("random_tuner", "RandomTuner", takes_seed=True),
    "tpe": Tuner("tpe_tuner", "TpeTuner", takes_seed=True),
}
"""Those that work beside today's libraries, with NNI's defaults. GP, Metis, SMAC, DNGO, PPO and NetworkMorphism need other ones;
Hyperband and BOHB serve a manager, Batch runs a list that it is given, RegularizedEvolution knows a kind of space of its own."""


@dataclass(frozen=True)
class Given:
    """A proposal of the tuner's that it has not been told about yet."""

    number: int
    answer: Mapping[str, Any]
    architecture: Architecture


class FromNni(ChoosingSampler):
    """Asks one of NNI's tuners, and tells it what came of its proposals as a cost, less being better.

    Of what failed, was stopped, or lies outside the limits it is told a cost beyond all others, more so the farther outside; so
    it is never told NaN. An architecture that is known is told at once, and another is asked for, as is in place of one that is
    running, of which the tuner is told later. Of what others proposed, such as a trial that was enqueued or another driver's, it
    is told only where it comes to propose the same.

    One seed decides all proposals. The tuner is rebuilt by asking and telling it again in the order of the trials, so that a
    study that goes on proposes what it would have proposed without the break, with every tuner; only where several proposals
    were open at the same time may the next ones differ, since trials do not keep the order in which they ended.
    """

    def __init__(self, space: Space, *, tuner: str = "tpe", seed: int | None = None) -> None:
        """Ask the tuner called `tuner`, of TUNERS.

        Raises:
            StrategyError: there is none, or it needs a package that is not installed.
            SpaceError: the space has more than MAX_CHOICES choices.
        """
        super().__init__(space, seed=seed)
        if tuner not in TUNERS:
            raise StrategyError(f"No tuner of NNI's is called {tuner!r}. {did_you_mean(tuner, TUNERS)}")
        self.how = TUNERS[tuner]
        for package in self.how.packages:
            if find_spec(package) is None:
                raise StrategyError(
                    f"The strategy 'nni:{tuner}' needs the package {package!r}, which is not installed; "
                    'pip install "nas-harness[nni]".'
                )
        self.domains = space.every_domain(MAX_CHOICES)
        self._first_seed = seed
        self._now = -1
        """The number of the trial that is asked for."""
        self._begin()

    def _begin(self) -> None:
        self._asked = 0
        self._given: dict[int, Given] = {}
        """Trial's number → what was proposed for it."""
        self._untaken: list[Given] = []
        """Proposals in whose place something else was tried; they come next."""
        self._awaited: list[Given] = []
        """Proposals of what was running already."""
        self._pending: set[str] = set()
        """Ids of the architectures that are running."""
        self._settled: set[int] = set()
        self._costs: dict[str, float] = {}
        """Architecture's id → what the tuner is told of it."""

    def forget(self) -> None:
        """Begin anew, with a tuner that knows nothing."""
        super().forget()
        self._begin()
        vars(self).pop("tuner", None)

    def seed(self, seed: int) -> None:
        """Draw from `seed`; the tuner itself keeps to the first it was given, since all it proposes hangs together."""
        super().seed(seed)
        if self._first_seed is None:
            self._first_seed = seed

    @cached_property
    def tuner(self) -> Any:
        """NNI's tuner, which knows the space and nothing else yet."""
        import_module("nni").silence_stdout()
        seed = random.randrange(2**31) if self._first_seed is None else self._first_seed  # noqa: S311 - no secret
        path = f"nni.algorithms.hpo.{self.how.module}"
        module = import_module(path) if self.how.takes_seed else _drawing_from(seed, path)
        arguments = {**self.how.arguments, **({"seed": seed} if self.how.takes_seed else {})}
        tuner = getattr(module, self.how.kind)(optimize_mode="minimize", **arguments)
        tuner.update_search_space(in_nnis_words(self.domains, nested=self.how.nests))
        return tuner

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The choices of the architecture that the tuner proposes now."""
        if len(study.directions) == 1:
            self._pending = {one.id for one in self._running(study, trial.number)}
            self._settle(study)
        self._now = trial.number
        return super().infer_relative_search_space(study, trial)

    def choose(self, seen: Seen) -> Architecture:
        """The tuner's next proposal; by chance where it has no more."""
        given = self._next()
        if given is None:
            return self.unseen(seen)
        self._given[self._now] = given
        return given.architecture

    def _settle(self, study: optuna.Study) -> None:
        """Tell the tuner what came of trials since; for those of an earlier run it is asked again first."""
        self._history(study)
        ended = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
        for trial in study._get_trials(deepcopy=False, states=ended, use_cache=False):
            if trial.number in self._settled:
                continue
            self._settled.add(trial.number)
            if DROPPED in trial.system_attrs:  # of which something may still come
                if trial.number in self._given:
                    self._untaken.append(self._given.pop(trial.number))
                continue
            known = self._read.get(trial.number)
            given = self._given.pop(trial.number, None) or self._next()  # before its cost is known, as it was then
            cost = _cost(known)
            if known is not None:
                self._costs[known.architecture.id] = cost
            if given is not None and _took(trial, given.architecture):
                self._tell(given, cost)
                self._costs[given.architecture.id] = cost
            elif given is not None:
                self._untaken.append(given)
        awaited, self._awaited = self._awaited, []
        for one in awaited:
            if one.architecture.id in self._costs:
                self._tell(one, self._costs[one.architecture.id])
            elif one.architecture.id in self._pending:
                self._awaited.append(one)
            else:
                self._untaken.append(one)

    def _next(self) -> Given | None:
        """A proposal of what is neither known nor running, where the tuner comes to one; None where it has no more."""
        waiting, self._untaken = self._untaken, []
        for n, one in enumerate(waiting):
            if one.architecture.id not in self._pending:
                self._untaken += waiting[n + 1 :]
                return one
            self._awaited.append(one)
        if not self.domains:
            return None
        given = self._ask()
        for _ in range(AGAIN):
            if given is None or not (given.architecture.id in self._costs or given.architecture.id in self._pending):
                return given
            self._pass(given)
            given = self._ask()
        if given is not None and given.architecture.id in self._pending:
            self._pass(given)
            return None
        return given

    def _pass(self, given: Given) -> None:
        """Let a proposal go of what is known, which is told at once, or running, which is told then."""
        if given.architecture.id in self._costs:
            self._tell(given, self._costs[given.architecture.id])
        else:
            self._awaited.append(given)

    def _ask(self) -> Given | None:
        number = self._asked
        self._asked += 1
        try:
            answer = self.tuner.generate_parameters(number)
        except import_module("nni").NoMoreTrialError:
            self.tuner.credit = 0  # those that count what they owe would want to send it to a manager later
            return None
        if self.how.kind == "HyperoptTuner":  # it compares numbers with [], which numpy's no longer allow
            self.tuner.total_data[number] = _plain(self.tuner.total_data[number])
        answers = dict(_answers(answer))
        return Given(number, answer, self.space.walk(lambda name, domain: _value(domain, answers[name])))

    def _tell(self, given: Given, cost: float) -> None:
        self.tuner.receive_trial_result(given.number, given.answer, cost)


def in_nnis_words(domains: Mapping[str, Domain], *, nested: bool) -> dict[str, Any]:
    """The search space of `domains`; `nested`: alternatives hold what only they ask.

    The last question of a walk comes first: NNI's grid, which its TPE and Random go on with where they would repeat themselves,
    turns the last fastest, and would go through all answers of turns that do not come before it answers how many come.

    One level deep: of a choice inside of two others, NNI's TPE, Random and GridSearch look up the inner one also where the outer
    one was answered otherwise, and fail.
    """
    words: dict[str, Any] = {}
    inside: dict[str, dict[int, dict[str, Any]]] = {}
    """Choice → position of an alternative → its search space."""
    for name, domain in domains.items():
        owner = _owner(name, domains) if nested else None
        place = words if owner is None else inside.setdefault(owner[0], {}).setdefault(owner[1], {})
        place[name] = _in_nnis_words(domain)
    for name, alternatives in inside.items():
        positions = words[name]["_value"]
        words[name]["_value"] = [{"_name": str(position), **alternatives.get(position, {})} for position in positions]
    return dict(reversed(words.items()))


def _owner(name: str, domains: Mapping[str, Domain]) -> tuple[str, int] | None:
    """The outermost choice that all of this one lies in one alternative of, and its position: `op` of `op.conv.kernel`."""
    words = name.split(".")
    for end in range(1, len(words)):
        owner, alternative = ".".join(words[:end]), words[end]
        domain = domains.get(owner)
        # What is called merge may be how branches are merged, and stand beside a branch of that name.
        if isinstance(domain, Categorical) and alternative in domain.values and words[end - 1] != "merge":
            return owner, domain.position(alternative)
    return None


def _in_nnis_words(domain: Domain) -> dict[str, Any]:
    """One choice; integers reach half a step beyond both ends, so that these are drawn as often as any other."""
    if isinstance(domain, Categorical):
        return {"_type": "choice", "_value": list(range(domain.size))}
    if isinstance(domain, Integer):
        if domain.log:
            return {"_type": "qloguniform", "_value": [domain.low - 0.5, domain.high + 0.5, 1]}
        return {"_type": "quniform", "_value": [-0.5, domain.size - 0.5, 1]}
    return {"_type": "loguniform" if domain.log else "uniform", "_value": [domain.low, domain.high]}


def _answers(answer: Mapping[str, Any]) -> "list[tuple[str, Any]]":
    """Choice and answer, wherever they are nested."""
    found: list[tuple[str, Any]] = []
    for name, value in answer.items():
        if isinstance(value, Mapping):
            found += [(name, value["_name"]), *_answers(value)]
        else:
            found.append((name, value))
    return found


def _value(domain: Domain, answer: Any) -> Value:
    """The member of `domain` that an answer of NNI's means."""
    if isinstance(domain, Categorical):
        return domain.at(int(answer))
    if isinstance(domain, Integer):
        if domain.log:
            return int(min(max(round(answer), domain.low), domain.high))
        return domain.at(min(max(round(answer), 0), domain.size - 1))
    return min(max(float(answer), domain.low), domain.high)


def _cost(known: Known | None) -> float:
    """What a tuner is told."""
    if known is None:
        return OUTSIDE
    excess, cost = known.order
    return cost if excess == 0 and abs(cost) < OUTSIDE else OUTSIDE * (1 + excess)


def _took(trial: FrozenTrial, proposed: Architecture) -> bool:
    """Whether the trial tried what was proposed; one that failed may not have come to all of it.

    By Python's equality, since Optuna gives back the first of True and 1 where a list holds both.
    """
    mine = proposed.choices
    same = all(name in mine and mine[name] == value for name, value in trial.params.items())
    return same and (trial.state == TrialState.FAIL or len(trial.params) == len(mine))


def _plain(value: Any) -> Any:
    """The same with Python's numbers."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value.item() if hasattr(value, "item") else value


def _drawing_from(seed: int, path: str) -> ModuleType:
    """A copy of a module of NNI's for one tuner alone, whose `random` and `np.random` draw from `seed`."""
    import numpy as np

    spec = find_spec(path)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - NNI is installed
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    state = np.random.RandomState(seed)
    drawing = {"RandomState": lambda: state, "choice": state.choice, "randint": state.randint}
    ours = SimpleNamespace(**{**vars(np), "random": SimpleNamespace(**{**vars(np.random), **drawing})})
    vars(module).update(random=random.Random(seed), np=ours)  # noqa: S311 - no secret
    return module
