"""The grid: each architecture once, and every part of the space early on."""

import math
from collections.abc import Callable
from itertools import pairwise

import optuna
import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase
from toys import TOY, toy_evaluate

from nas.benchmark import Budget, Objective
from nas.errors import StrategyError
from nas.records import Trial
from nas.space import Categorical, Layer, Space, architecture_at, index_of, parse_space, size
from nas.strategies import Grid, Guide
from nas.strategies.grid import _coprime

ACCURACY = Objective("validation_accuracy", "maximize")
BUDGET = Budget(epochs=1)

FLAT = Space(
    name="flat",
    version=1,
    accepts="image",
    layers=(Layer("row", {name: Categorical(*range(4)) for name in ("a", "b", "c", "d")}),),
)


class TestContract(BasicSamplerTestCase):
    """Optuna's own contract of samplers."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: Grid(FLAT, seed=0)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def proposed(space: Space, seed: int, count: int) -> list[int]:
    guide = Guide(space, (ACCURACY,), strategy="grid", seed=seed)
    found = []
    for number in range(count):
        proposal = guide.ask(number)
        guide.tell(proposal, toy_evaluate(proposal.architecture, budget=BUDGET, seed=0))
        found.append(index_of(space, proposal.architecture))
    return found


def test_each_architecture_comes_once_and_then_they_come_again() -> None:
    numbers = proposed(TOY, 0, int(size(TOY)) + 3)
    assert sorted(numbers[:52]) == list(range(52))


def test_the_seed_says_where_to_begin_and_nothing_else() -> None:
    one, same, other = (proposed(TOY, seed, 20) for seed in (3, 3, 4))
    assert one == same != other
    assert {(b - a) % 52 for numbers in (one, other) for a, b in pairwise(numbers)} == {_coprime(52)}


@pytest.mark.parametrize("stop", [7, 30])
def test_a_study_that_goes_on_proposes_what_one_without_a_break_proposes(stop: int) -> None:
    whole = proposed(TOY, 3, 40)
    guide = Guide(TOY, (ACCURACY,), strategy="grid", seed=3)
    for number, index in enumerate(whole[:stop]):
        architecture = architecture_at(TOY, index)
        guide.restore(
            Trial(
                id=number + 1,
                study="a",
                stage="search",
                number=number,
                state="complete",
                architecture=architecture,
                evaluation=architecture.id,
                reused_from=None,
                begun_at="2026-01-01",
                ended_at="2026-01-02",
                proposal={},
                record=toy_evaluate(architecture, budget=BUDGET, seed=0),
            )
        )
    assert [index_of(TOY, guide.ask(number).architecture) for number in range(stop, 40)] == whole[stop:]


def test_a_part_of_the_grid_is_spread_evenly() -> None:
    """Of 256 architectures with four answers of four values each, 32 have every answer 4 to 12 times: 8 on average."""
    guide = Guide(FLAT, (ACCURACY,), strategy="grid")
    answers = [guide.ask(number).architecture.choices for number in range(32)]
    counts = [sum(one[name] == value for one in answers) for name in answers[0] for value in range(4)]
    assert min(counts) >= 4
    assert max(counts) <= 12


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 52, 256, 30_030, 10**400])
def test_a_step_meets_every_number(count: int) -> None:
    assert math.gcd(_coprime(count), count) == 1
    assert 1 <= _coprime(count) <= count


def test_what_is_known_is_left_out() -> None:
    study = optuna.create_study(sampler=Grid(TOY, seed=0))
    first = Grid(TOY, seed=0)
    tried = Guide(TOY, (ACCURACY,), strategy=first).ask(0).architecture
    study.add_trial(
        optuna.create_trial(
            value=1.0,
            params=dict(tried.choices),
            distributions={name: optuna.distributions.CategoricalDistribution([value]) for name, value in tried.choices.items()},
        )
    )
    assert study.ask().relative_params != dict(tried.choices)


def test_a_space_without_end_is_refused() -> None:
    reals = parse_space("{name: reals, version: 1, accepts: image, layers: [conv: {a: {real: [0, 1]}}]}")
    with pytest.raises(
        StrategyError, match=r"^The strategy 'grid' needs a finite space, 'reals' holds infinitely many; name another\.$"
    ):
        Guide(reals, (ACCURACY,), strategy="grid")


def test_several_objectives_are_refused() -> None:
    with pytest.raises(StrategyError, match=r"^The strategy 'grid' serves one objective, this study has 2; name another\.$"):
        Guide(TOY, (ACCURACY, Objective("params", "minimize")), strategy="grid")
