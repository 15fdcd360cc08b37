"""Several proposals at once, told in any order, while other drivers of the study do as much."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState
from toys import TOY, toy_evaluate, toy_record

from nas.benchmark import Budget, Objective
from nas.records import Epoch, Record, Trial
from nas.space import Architecture, Categorical, Limit, Space, parse_space
from nas.strategies import Guide, Proposal, pruner_names, strategies
from nas.strategies.distributions import distribution
from nas.strategies.from_nni import TUNERS
from nas.strategies.samplers import OWN

BUDGET = Budget(epochs=4)
ACCURACY = Objective("validation_accuracy", "maximize")
PARAMS = Objective("params", "minimize")
LIMIT = Limit.parse("params <= 400")
WIDE = parse_space("""
name: wide
version: 1
accepts: image
layers:
  - repeat: block
    times: {int: [1, 3]}
    layers:
      - one_of: op
        options:
          conv: {kernel: [1, 3, 5, 7], features: {int: [8, 64], step: 8}}
          pool: {kind: [max, mean]}
  - linear: {features: [8, 16, 32, 64], rate: {int: [1, 50]}}
""")
FINITE = sorted({*strategies(), *OWN, "auto"})
CHOOSING = sorted({*OWN, "auto"})
AT_ONCE = 8


def available(strategy: str) -> str:
    """Skip where a package is missing."""
    if strategy.startswith("nni:"):
        for package in TUNERS[strategy.removeprefix("nni:")].packages:
            pytest.importorskip(package)
    return strategy


def score(architecture: Architecture) -> float:
    return random.Random(architecture.id).random()


def record(architecture: Architecture) -> Record:
    """What follows from the architecture alone: some fail, some are infeasible, some were stopped."""
    fate = int(architecture.id[-1], 16)
    figures = {"params": float(fate * 50)}
    if fate > 8:
        return toy_record("infeasible", figures, (), 0, BUDGET)
    if fate == 0:
        return toy_record("failed", figures, (), 0, BUDGET)
    curve = (Epoch(epoch=1, train_loss=1.0, figures={ACCURACY.figure: score(architecture) / 2}, seconds=1.0),)
    if fate == 1:
        return toy_record("pruned", {**figures, **curve[0].figures}, curve, 0, BUDGET)
    return toy_record("complete", {**figures, ACCURACY.figure: score(architecture)}, curve, 0, BUDGET)


def trial(number: int, architecture: Architecture, found: Record | None = None, noted: Any = None) -> Trial:
    """The trial as the ledger would give it, running where it has no record."""
    return Trial(
        id=1000 + number,
        study="a",
        stage="search",
        number=number,
        state="running" if found is None else found.outcome,
        architecture=architecture,
        evaluation=architecture.id,
        reused_from=None,
        begun_at="2026-01-01",
        ended_at=None if found is None else "2026-01-02",
        proposal=noted or {},
        record=found,
    )


class Drivers:
    """Several drivers of one study, whose ledger is a list: each has so many at work, and hears of the others' now and then."""

    def __init__(self, make: Callable[[], Guide], drivers: int, at_once: int, seed: int) -> None:
        self.rng = random.Random(seed)
        self.make = make
        self.guides = [make() for _ in range(drivers)]
        self.at_work: list[dict[int, Proposal]] = [{} for _ in range(drivers)]
        self.at_once = at_once
        self.ledger: list[Trial] = []
        self.heard: list[dict[int, str]] = [{} for _ in range(drivers)]

    def hear(self, me: int) -> None:
        for one in self.ledger:
            if one.number in self.at_work[me] or self.heard[me].get(one.number) == one.state:
                continue
            if one.state == "running":
                self.guides[me].note_running(one)
            else:
                self.guides[me].restore(one)
            self.heard[me][one.number] = one.state

    def begin(self, me: int) -> Proposal:
        proposal = self.guides[me].ask(self.rng.choice([len(self.ledger), len(self.ledger) + 1]))
        proposal = replace(proposal, number=len(self.ledger))  # its number was taken meanwhile
        self.ledger.append(trial(proposal.number, proposal.architecture))
        self.at_work[me][proposal.number] = proposal
        return proposal

    def end(self, me: int) -> None:
        number = self.rng.choice(sorted(self.at_work[me]))
        proposal = self.at_work[me].pop(number)
        found = record(proposal.architecture)
        noted = self.guides[me].tell(proposal, found)
        self.ledger[number] = trial(number, proposal.architecture, found, noted)
        self.heard[me][number] = found.outcome

    def lose(self, me: int) -> None:
        """One is taken over by another driver, who runs it again."""
        number = self.rng.choice(sorted(self.at_work[me]))
        proposal = self.at_work[me].pop(number)
        self.guides[me].withdraw(proposal)
        other = (me + 1) % len(self.guides)
        if number in self.heard[other]:
            self.guides[other].forget_running(self.ledger[number])
        self.at_work[other][number] = self.guides[other].ask(number, chosen=proposal.architecture)

    def search(self, trials: int) -> None:
        while len(self.ledger) < trials or any(self.at_work):
            me = self.rng.randrange(len(self.guides))
            if self.rng.random() < 0.6:
                self.hear(me)
            if len(self.at_work[me]) < self.at_once and len(self.ledger) < trials:
                self.begin(me)
            elif self.at_work[me]:
                if len(self.guides) > 1 and self.rng.random() < 0.05:
                    self.lose(me)
                else:
                    self.end(me)


def guide(strategy: Any, *, space: Space = WIDE, objectives: Sequence[Objective] = (ACCURACY,), **options: Any) -> Guide:
    return Guide(space, objectives, strategy=strategy, limits=[LIMIT], seed=3, **options)


@pytest.mark.parametrize("strategy", FINITE)
def test_any_strategy_serves_several_drivers_with_several_candidates_each(strategy: str) -> None:
    trials = 24 if strategy == "gp" else 40
    drivers = Drivers(lambda: guide(available(strategy)), drivers=2, at_once=4, seed=1)
    drivers.search(trials)
    for me, one in enumerate(drivers.guides):
        drivers.hear(me)
        states = {one.numbers[found.number]: found.state for found in one.study.trials if found.state != TrialState.FAIL}
        assert sorted(states) == [*range(trials)]
        assert set(states.values()) <= {TrialState.COMPLETE, TrialState.PRUNED}
        assert [one.asked, one.elsewhere, one.foreseen] == [{}, {}, {}]
    resumed = guide(strategy)
    for found in drivers.ledger:
        resumed.restore(found)
    proposed = resumed.ask(trials).architecture
    assert WIDE.architecture(proposed.choices) == proposed


@pytest.mark.parametrize("strategy", CHOOSING)
def test_what_runs_is_not_proposed(strategy: str) -> None:
    asking, elsewhere = guide(available(strategy)), guide("random", space=WIDE)
    for number in range(15):
        proposal = asking.ask(number)
        asking.tell(proposal, record(proposal.architecture))
    foreign = [elsewhere.ask(number).architecture for number in range(100, 104)]
    for number, architecture in enumerate(foreign, 100):
        asking.note_running(trial(number, architecture))
    running: dict[str, Proposal] = {}
    for number in range(15, 15 + AT_ONCE):
        proposal = asking.ask(number)
        assert proposal.architecture.id not in running
        assert proposal.architecture not in foreign
        running[proposal.architecture.id] = proposal
    for proposal in random.Random(0).sample([*running.values()], AT_ONCE):
        asking.tell(proposal, record(proposal.architecture))
    proposal = asking.ask(40)
    assert proposal.architecture.id not in running


@pytest.mark.parametrize("strategy", FINITE)
def test_eight_are_asked_for_before_any_is_told(strategy: str) -> None:
    asking = guide(available(strategy))
    proposals = [asking.ask(number) for number in range(AT_ONCE)]
    if strategy in CHOOSING:
        assert len({one.architecture.id for one in proposals}) == AT_ONCE
    for proposal in random.Random(1).sample(proposals, AT_ONCE):
        asking.tell(proposal, record(proposal.architecture))
    states = [found.state for found in asking.study.trials]
    assert all(state.is_finished() for state in states)
    for proposal, found in zip(proposals, asking.study.trials, strict=True):
        assert found.params == proposal.architecture.choices


def rounds(make: Callable[[], Guide], at_once: int, shuffled: int) -> list[str]:
    """Proposals of a search by rounds whose candidates report in an order of their own, and are told in that of the numbers."""
    asking = make()
    found: list[str] = []
    rng = random.Random(shuffled)
    while len(found) < 5 * at_once:
        proposals = [asking.ask(len(found) + n) for n in range(at_once)]
        ended = {}
        for proposal in rng.sample(proposals, at_once):
            asking.foresee(proposal, {"params": float(len(proposal.architecture.choices))})
            known = record(proposal.architecture)
            stops = [asking.report(proposal, epoch) for epoch in known.curve]
            ended[proposal.number] = toy_record("pruned", known.figures, known.curve, 0, BUDGET) if any(stops) else known
        for proposal in proposals:
            asking.tell(proposal, ended[proposal.number])
            found.append(f"{proposal.architecture.id} {ended[proposal.number].outcome}")
    return found


@pytest.mark.parametrize("strategy", FINITE)
def test_rounds_propose_the_same_whoever_is_faster(strategy: str) -> None:
    first, second = (rounds(lambda: guide(available(strategy)), AT_ONCE, shuffled) for shuffled in (1, 2))
    assert first == second


@pytest.mark.parametrize("pruner", pruner_names())
def test_a_pruner_that_rounds_cannot_do_with_says_so(pruner: str) -> None:
    objectives = [ACCURACY, PARAMS] if pruner == "pareto" else [ACCURACY]

    def stops(order: Sequence[int]) -> list[tuple[str, ...]]:
        """What is stopped where candidates report their epochs by turns in that order."""
        asking, stopped = guide("random", objectives=objectives, pruner=pruner, epochs=4), []
        for begun in range(0, 48, 12):
            proposals = [asking.ask(begun + n) for n in range(12)]
            ended: dict[int, list[Epoch]] = {n: [] for n in range(12)}
            alive = set(range(12))
            for n in [n for epoch in range(4) for n in order]:
                if n not in alive:
                    continue
                reached = score(proposals[n].architecture) * (len(ended[n]) + 1) / 4
                ended[n].append(Epoch(epoch=len(ended[n]) + 1, train_loss=1.0, figures={ACCURACY.figure: reached}, seconds=1.0))
                if asking.report(proposals[n], ended[n][-1]):
                    alive.discard(n)
            for n, proposal in enumerate(proposals):
                figures = {**ended[n][-1].figures, "params": float(toy_size(proposal.architecture))}
                outcome = "complete" if n in alive else "pruned"
                asking.tell(proposal, toy_record(outcome, figures, tuple(ended[n]), 0, BUDGET))
            stopped.append(tuple(sorted(proposals[n].architecture.id for n in set(range(12)) - alive)))
        return stopped

    def toy_size(architecture: Architecture) -> int:
        return len(architecture.choices)

    orders = [random.Random(seed).sample(range(12), 12) for seed in range(6)]
    found = [stops(order) for order in orders]
    assert any(one != found[0] for one in found) == guide("random", objectives=objectives, pruner=pruner, epochs=4).order_matters


class Constant(optuna.samplers.BaseSampler):
    """A sampler of one's own, made outside, that counts what it is told."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        return {}

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        return optuna.samplers.RandomSampler(seed=trial.number).sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
        self.told.append(trial.number)


def test_who_chose_a_candidate_is_told_of_it_whoever_chose_since() -> None:
    sampler = Constant()
    asking = guide(sampler)
    mine, chance = asking.ask(0), asking.ask(1, at_random=True)
    asking.tell(mine, record(mine.architecture))
    asking.tell(chance, record(chance.architecture))
    assert sampler.told == [0]


def test_a_foreign_trial_is_one_trial_from_its_beginning_to_its_end() -> None:
    asking, foreign = guide("nsga2"), guide("nsga2").ask(7).architecture
    asking.note_running(trial(7, foreign))
    asking.note_running(trial(7, foreign))
    (running,) = asking.study.trials
    assert (running.state, running.params) == (TrialState.RUNNING, dict(foreign.choices))
    found = toy_record("complete", {"params": 500.0, ACCURACY.figure: 0.5}, (), 0, BUDGET)
    noted = {"sampler": {"NSGAIISampler:generation": 3, "constraints": [0.25]}}
    asking.restore(trial(7, foreign, found, noted))
    asking.restore(trial(7, foreign, found, noted))
    (ended,) = asking.study.trials
    assert (ended.state, ended.value) == (TrialState.COMPLETE, 0.5)
    assert ended.system_attrs["NSGAIISampler:generation"] == 3
    asking.note_running(trial(7, foreign))  # heard of late
    assert len(asking.study.trials) == 1


def test_what_another_driver_has_told_is_not_told_again() -> None:
    asking = guide("tpe")
    proposal = asking.ask(0)
    found = toy_record("complete", {ACCURACY.figure: 0.5}, (), 0, BUDGET)
    asking.restore(trial(0, proposal.architecture, found))
    assert asking.tell(proposal, found) == {}
    assert [one.state for one in asking.study.trials] == [TrialState.FAIL, TrialState.COMPLETE]


@pytest.mark.parametrize("strategy", ["grid", "tpe", "nni:gridsearch"])
def test_what_is_withdrawn_or_no_longer_runs_elsewhere_may_be_proposed(strategy: str) -> None:
    space = parse_space("{name: two, version: 1, accepts: image, layers: [conv: {a: [1, 2]}]}")
    asking = guide(available(strategy), space=space)
    first = asking.ask(0)
    asking.withdraw(first)
    asking.note_running(trial(0, first.architecture))
    second = asking.ask(1)
    assert second.architecture != first.architecture
    asking.tell(second, record(second.architecture))
    asking.forget_running(trial(0, first.architecture))
    asking.forget_running(trial(99, first.architecture))
    assert asking.ask(2).architecture == first.architecture


def test_parents_of_a_generation_are_the_same_trials_in_every_driver() -> None:
    def parents(asking: Guide) -> list[int]:
        notes = asking.storage.get_study_system_attrs(asking.study_id)
        return sorted(asking.numbers[asking.storage.get_trial_number_from_id(one)] for one in notes["NSGAIISampler:parent:1"])

    asking = guide("nsga2", space=TOY)
    ledger: list[Trial] = []
    others = [guide("random", space=TOY).ask(number).architecture for number in range(1000, 1030)]
    for number in range(110):
        if number % 4 == 3:
            foreign = others[number // 4]
            ledger.append(trial(number, foreign, toy_evaluate(foreign, budget=BUDGET, seed=0)))
            asking.note_running(ledger[-1])
            continue
        proposal = asking.ask(number)
        found = toy_evaluate(proposal.architecture, budget=BUDGET, seed=0)
        ledger.append(trial(number, proposal.architecture, found, asking.tell(proposal, found)))
        for late in ledger[max(0, number - 10) : number - 5]:
            asking.restore(late)
    (noting,) = [one for one in ledger if "NSGAIISampler:parent:1" in one.proposal.get("study", {})]
    ledger.remove(noting)
    for order in (ledger, ledger[::-1]):
        other = guide("nsga2", space=TOY)
        for one in [noting, *order]:
            other.restore(one)
        other.ask(110)
        assert parents(other) == parents(asking)
        assert other.tell(other.ask(111), record(noting.architecture)).get("study", {}).keys() <= {"NSGAIISampler:parent:2"}


def test_a_sequence_never_goes_back() -> None:
    asking = guide("qmc", space=TOY)
    noted = []
    for number in range(6):
        proposal = asking.ask(number)
        found = toy_evaluate(proposal.architecture, budget=BUDGET, seed=0)
        noted.append((proposal, found, asking.tell(proposal, found)))
    resumed = guide("qmc", space=TOY)
    for n in (0, 5, 4, 3, 2, 1):
        proposal, found, notes = noted[n]
        resumed.restore(trial(n, proposal.architecture, found, notes))
    assert resumed.ask(6).architecture == asking.ask(6).architecture


def test_hyperband_gives_out_brackets_by_the_ledgers_numbers() -> None:
    def brackets(foreign: bool) -> dict[int, int]:
        asking = guide("random", pruner="hyperband", epochs=27)
        for number in range(0, 60, 2):
            if foreign:
                asking.note_running(trial(1000 + number, asking.space.sample(random.Random(number))))
            proposal = replace(asking.ask(number), number=number + 1)
            asking.report(proposal, Epoch(epoch=1, train_loss=1.0, figures={ACCURACY.figure: 0.5}, seconds=1.0))
        pruner: Any = asking.study.pruner
        found = {asking.numbers[one.number]: pruner._get_bracket_id(asking.study, one) for one in asking.study.trials}
        return {number: bracket for number, bracket in found.items() if number < 1000}

    assert brackets(foreign=True) == brackets(foreign=False)
    assert len({*brackets(foreign=True).values()}) == 4


def test_what_was_withdrawn_is_not_drawn_again_under_its_number() -> None:
    asking = guide("random")
    found = []
    for again in range(4):
        found.append(asking.ask(3, again=again))
        asking.withdraw(found[-1])
    assert len({one.architecture.id for one in found}) == 4
    assert guide("random").ask(3).architecture == found[0].architecture
    assert asking.ask(3, again=2, at_random=True).architecture == found[2].architecture


def test_answers_that_are_equal_and_of_another_kind_have_distributions_of_their_own() -> None:
    numbers, words = (distribution(Categorical(*values)) for values in ((0, 1), (False, True)))
    assert isinstance(numbers, CategoricalDistribution)
    assert isinstance(words, CategoricalDistribution)
    assert [type(one) for one in numbers.choices] == [int, int]
    assert [type(one) for one in words.choices] == [bool, bool]
    assert distribution(Categorical(0, 1)) is numbers


def test_a_candidate_that_is_begun_again_reports_its_epochs_again_without_a_word() -> None:
    guide = Guide(TOY, [Objective("validation_accuracy", "maximize")], strategy="random", pruner="median", epochs=3)
    proposal = guide.ask(0)
    points = [Epoch(epoch=n, train_loss=None, figures={"validation_accuracy": n / 10}, seconds=None) for n in (1, 2, 3)]
    for point in (points[0], points[1], *points):
        assert not guide.report(proposal, point)
    guide.tell(proposal, toy_evaluate(proposal.architecture, budget=Budget(epochs=3), seed=0))
    (trial,) = guide.study.get_trials()
    assert trial.intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3}
