"""Strategies of ours: each proposes what its paper says, never the same twice, and goes on where another run stopped."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import optuna
import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase
from toys import TOY

from nas.benchmark import Objective
from nas.errors import StrategyError
from nas.space import Architecture, Categorical, Integer, Layer, OneOf, Space, neighbours, size
from nas.strategies import Guide, LocalSearch, ParzenSearch, RegularizedEvolution, SurrogateSearch
from nas.strategies.choosing import ChoosingSampler, Known, Seen
from nas.strategies.distributions import suggest
from nas.strategies.samplers import OWN

OURS = [LocalSearch, RegularizedEvolution, SurrogateSearch]

FLAT = Space(
    name="flat",
    version=1,
    accepts="image",
    layers=(Layer("row", {name: Categorical(*range(4)) for name in ("a", "b", "c", "d")}),),
)


def cost(architecture: Architecture) -> float:
    """Least where every answer is 3; it has no other minimum."""
    return float(sum(3 - answer for answer in architecture.choices.values()))


def known(architecture: Architecture, value: float | None = None, excess: float = 0.0) -> Known:
    return Known(architecture, cost(architecture) if value is None else value, excess)


def searched(sampler: ChoosingSampler, trials: int, space: Space = FLAT) -> optuna.Study:
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: cost(space.walk(lambda name, domain: suggest(trial, name, domain))), n_trials=trials)
    return study


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.mark.parametrize("kind", OURS)
class TestContract(BasicSamplerTestCase):
    """Optuna's own contract of samplers."""

    @pytest.fixture
    def sampler(self, kind: type[ChoosingSampler]) -> Callable[[], BaseSampler]:
        return lambda: kind(FLAT, seed=0)


@pytest.mark.parametrize("kind", OURS)
def test_no_architecture_is_proposed_twice_until_all_are_known(kind: type[ChoosingSampler]) -> None:
    space = Space(
        name="small", version=1, accepts="image", layers=(Layer("row", {"a": Categorical(0, 1, 2), "b": Integer(0, 3)}),)
    )
    study = searched(kind(space, seed=0), 12, space)
    assert len({tuple(sorted(trial.params.items())) for trial in study.trials}) == 12
    searched(kind(space, seed=0), 14, space)  # and what is known is proposed again rather than nothing


@pytest.mark.parametrize("kind", OURS)
def test_equal_seeds_give_equal_proposals(kind: type[ChoosingSampler]) -> None:
    one, same, other = (searched(kind(FLAT, seed=seed), 40) for seed in (3, 3, 4))
    assert [trial.params for trial in one.trials] == [trial.params for trial in same.trials]
    assert [trial.params for trial in one.trials] != [trial.params for trial in other.trials]


@pytest.mark.parametrize("kind", OURS)
def test_conditional_choices_are_asked_only_where_they_apply(kind: type[ChoosingSampler]) -> None:
    space = Space(
        name="tree",
        version=1,
        accepts="image",
        layers=(OneOf("op", {"one": (Layer("x", {"p": Categorical(0, 1, 2)}),), "two": (Layer("y", {"q": Integer(0, 5)}),)}),),
    )
    study = optuna.create_study(sampler=kind(space, seed=0))

    def objective(trial: optuna.Trial) -> float:
        architecture = space.walk(lambda name, domain: suggest(trial, name, domain))
        assert set(trial.params) == set(architecture.choices)
        return float(len(architecture.choices["op"]))

    study.optimize(objective, n_trials=size(space))


@pytest.mark.parametrize("kind", OURS)
def test_the_least_cost_is_found_sooner_than_by_chance(kind: type[ChoosingSampler]) -> None:
    """Of 256 architectures one is best: by chance half of all are needed."""
    best = [searched(kind(FLAT, seed=seed), 60).best_value for seed in range(10)]
    assert sum(value == 0 for value in best) >= 8


@pytest.mark.parametrize("name", ["surrogate", "local_search", "regularized_evolution"])
def test_several_objectives_are_refused(name: str) -> None:
    objectives = (Objective("validation_accuracy", "maximize"), Objective("params", "minimize"))
    with pytest.raises(StrategyError, match=rf"^The strategy '{name}' serves one objective, this study has 2; name another\.$"):
        Guide(TOY, objectives, strategy=name)


def test_outside_the_limits_the_nearest_comes_before_the_best() -> None:
    here = FLAT.walk(lambda _, domain: domain.at(0))
    ordered = sorted([known(here, 1.0, 2.0), known(here, 9.0, 0.0), known(here, 5.0, 0.5)], key=lambda one: one.order)
    assert [one.cost for one in ordered] == [9.0, 5.0, 1.0]


def test_of_several_results_of_one_architecture_the_mean_counts_and_one_told_again_is_none() -> None:
    here, there = (FLAT.walk(lambda _, domain, n=n: domain.at(n)) for n in (0, 1))
    seen = Seen([known(here, 4.0), known(there, 5.0), known(here, 1.0), known(here, 4.0)])
    assert [(one.architecture, one.cost) for one in seen.distinct] == [(here, 2.5), (there, 5.0)]


@pytest.mark.parametrize("name", ["grid", "local_search", "surrogate", "tpe", "nni:tpe", "nni:gridsearch"])
def test_in_a_second_study_a_sampler_knows_nothing_of_the_first(name: str) -> None:
    if name.startswith("nni"):
        pytest.importorskip("nni")
    used, new = (OWN[name](FLAT, seed=5) for _ in range(2))
    searched(used, 30)
    used.seed(5)
    again, fresh = searched(used, 30), searched(new, 30)
    assert [trial.params for trial in again.trials] == [trial.params for trial in fresh.trials]


class TestEvolution:
    def test_the_first_are_drawn_by_chance_and_then_the_best_of_the_youngest_has_a_child(self) -> None:
        chance = random.Random(0)
        all_known = [known(FLAT.sample(chance)) for _ in range(60)]
        alive = Seen(all_known).distinct[-5:]
        evolution = RegularizedEvolution(FLAT, population=5, sample=50, seed=1)  # so many that the best is among them
        child = evolution.choose(Seen(all_known))
        least = min(one.cost for one in alive)
        parents = [one.architecture.choices for one in alive if one.cost == least]
        assert 1 in [sum(parent[name] != answer for name, answer in child.choices.items()) for parent in parents]

    def test_the_oldest_dies_whatever_it_is_worth(self) -> None:
        best = FLAT.walk(lambda _, domain: domain.at(3))
        chance = random.Random(0)
        younger = [one for one in (FLAT.sample(chance) for _ in range(60)) if cost(one) > 3][:20]
        evolution = RegularizedEvolution(FLAT, population=10, sample=50, seed=1)
        child = evolution.choose(Seen([known(best), *map(known, younger)]))
        assert sum(best.choices[name] != answer for name, answer in child.choices.items()) > 1


class TestLocalSearch:
    def test_it_tries_neighbours_of_where_it_stands(self) -> None:
        here = FLAT.walk(lambda _, domain: domain.at(1))
        proposal = LocalSearch(FLAT, seed=0).choose(Seen([known(here)]))
        assert proposal in neighbours(FLAT, here, random.Random(0))

    def test_it_moves_to_the_first_that_is_better(self) -> None:
        here, better = (FLAT.walk(lambda _, domain, n=n: domain.at(n)) for n in (0, 1))
        step = neighbours(FLAT, here, random.Random(0))[0]
        climb = LocalSearch(FLAT, seed=0)
        assert climb.stands(Seen([known(here), known(step)])) == known(step)
        assert climb.stands(Seen([known(here), known(step, 99.0)])) == known(here)
        assert climb.stands(Seen([known(here), known(better)])) == known(better)

    def test_at_a_local_optimum_it_starts_elsewhere(self) -> None:
        top = FLAT.walk(lambda _, domain: domain.at(3))
        around = neighbours(FLAT, top, random.Random(0))
        seen = Seen([known(top), *map(known, around)])
        start = LocalSearch(FLAT, seed=0).choose(seen)
        assert start not in seen
        assert LocalSearch(FLAT, seed=0).stands(Seen([*seen.known, known(start)])) == known(start)

    def test_a_late_step_from_where_it_no_longer_stands_is_no_new_start(self) -> None:
        here, better = (FLAT.walk(lambda _, domain, n=n: domain.at(n)) for n in (0, 2))
        late = neighbours(FLAT, here, random.Random(0))[0]
        climb = LocalSearch(FLAT, seed=0)
        seen = [known(here), known(better)]
        assert climb.stands(Seen([*seen, replace(known(late), notes={"climb": "step"})])) == known(better)
        assert climb.stands(Seen([*seen, known(late)])) == known(late)

    def test_of_several_starts_in_a_row_the_best_is_kept(self) -> None:
        top, good, bad = (FLAT.walk(lambda _, domain, n=n: domain.at(n)) for n in (3, 2, 1))
        starts = [replace(known(one), notes={"climb": "start"}) for one in (good, bad)]
        climb = LocalSearch(FLAT, seed=0)
        assert climb.stands(Seen([known(top), replace(known(bad), notes={"climb": "step"}), *starts])) == starts[0]
        assert climb.stands(Seen(starts[::-1])) == starts[0]

    def test_while_its_neighbours_run_it_looks_beside_them(self) -> None:
        here = FLAT.walk(lambda _, domain: domain.at(1))
        around = neighbours(FLAT, here, random.Random(0))
        for seed in range(20):
            climb = LocalSearch(FLAT, seed=seed)
            ahead = climb.choose(Seen([known(here)], around))
            assert ahead not in Seen([known(here)], around)
            assert sum(ahead.choices[name] != answer for name, answer in here.choices.items()) == 2


def at_once(sampler: ChoosingSampler, seed: int, trials: int, workers: int) -> optuna.Study:
    """A study of so many trials, of which the one that began first ends as the next begins."""
    study = optuna.create_study(sampler=sampler)
    running: list[tuple[optuna.Trial, Architecture]] = []
    for number in range(trials + workers):
        if number < trials:
            sampler.seed(1_000 * seed + number)
            trial = study.ask()
            running.append((trial, FLAT.walk(lambda name, domain, trial=trial: suggest(trial, name, domain))))
        if number >= workers - 1 and running:
            ended, architecture = running.pop(0)
            study.tell(ended, cost(architecture))
    return study


@pytest.mark.parametrize(
    ("make", "told"),
    [(LocalSearch, {}), (RegularizedEvolution, {"population": 8}), (SurrogateSearch, {}), (ParzenSearch, {})],
)
def test_eight_at_once_do_better_than_chance_and_try_nothing_twice(make: Callable[..., ChoosingSampler], told: Any) -> None:
    chance = [min(cost(FLAT.sample(random.Random(100 * seed + n))) for n in range(48)) for seed in range(8)]
    costs = []
    for seed in range(8):
        study = at_once(make(FLAT, **told), seed, 48, 8)
        assert len({tuple(sorted(trial.params.items())) for trial in study.trials}) == 48
        costs.append(study.best_value)
    assert sum(costs) <= 0.7 * sum(chance), costs
