"""TPE over whole architectures: its mixtures are densities over a conditional space, and it searches better than chance."""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean

import numpy as np
import optuna
import pytest
from optuna.samplers import TPESampler
from toys import TOY, toy_params

from nas.space import Architecture, Categorical, Integer, Layer, OneOf, Real, Repeat, Space, architectures
from nas.strategies import Known, ParzenSearch, Seen
from nas.strategies.distributions import suggest
from nas.strategies.parzen import START, Answers, weights

TREE = Space(
    name="tree",
    version=1,
    accepts="image",
    layers=(
        Repeat(
            "block",
            Integer(1, 4),
            (
                OneOf(
                    "op",
                    {
                        "conv": (Layer("conv", {"kernel": Categorical(3, 5), "width": Integer(8, 512, log=True)}),),
                        "drop": (Layer("drop", {"rate": Real(0.0, 0.9)}),),
                    },
                ),
            ),
        ),
    ),
)


def cost(architecture: Architecture) -> float:
    """Least for three convolutions of 5 with 64 features, and no dropout."""
    choices = architecture.choices
    widths = [abs(math.log2(value / 64)) for name, value in choices.items() if name.endswith("width") and isinstance(value, int)]
    fives = sum(value == 5 for name, value in choices.items() if name.endswith("kernel"))
    return 9.0 - 2 * min(len(widths), 3) - min(fives, 3) + sum(widths) + abs(int(str(choices["block.times"])) - 3)


def search(space: Space, seed: int, trials: int, known: Callable[[Architecture], Known]) -> list[Known]:
    sampler = ParzenSearch(space, seed=seed)
    done: list[Known] = []
    for number in range(trials):
        sampler.seed(1_000 * seed + number)
        done.append(known(sampler.choose(Seen(done))))
    return done


def toys(count: int) -> list[Architecture]:
    return [TOY.sample(random.Random(seed)) for seed in range(count)]


@pytest.mark.parametrize("count", [1, 5, 40])
def test_a_mixture_is_a_density_over_the_architectures_of_a_conditional_space(count: int) -> None:
    answers = Answers(TOY)
    mixture = answers.mixture(toys(count))
    every = [*architectures(TOY)]
    assert np.exp(mixture.log_chances([answers.of(one) for one in every])).sum() == pytest.approx(1)


def test_architectures_are_drawn_as_often_as_the_mixture_says() -> None:
    answers = Answers(TOY)
    mixture, rng = answers.mixture(toys(6)), random.Random(0)
    found = Counter(mixture.draw(TOY, rng).id for _ in range(4_000))
    every = [*architectures(TOY)]
    said = np.exp(mixture.log_chances([answers.of(one) for one in every]))
    assert [found[one.id] / 4_000 for one in every] == pytest.approx(list(said), abs=0.03)


def test_a_mixture_does_not_depend_on_what_else_has_been_read() -> None:
    fresh, used = Answers(TREE), Answers(TREE)
    some = [TREE.sample(random.Random(seed)) for seed in range(40)]
    for n in range(1, 40, 3):
        used.mixture(some[n:])
    asked = [fresh.of(one) for one in some]
    assert fresh.mixture(some[:9]).log_chances(asked) == pytest.approx(used.mixture(some[:9]).log_chances(asked))


def test_weights_are_those_of_optuna_and_one_for_the_flat_kernel() -> None:
    for count in (1, 24, 25, 26, 27, 100):
        expected = np.append(optuna.samplers._tpe.sampler.default_weights(count), 1.0)
        assert weights(count) == pytest.approx(expected / expected.sum())


def test_nothing_is_proposed_twice_while_there_is_anything_else_near() -> None:
    done = search(TOY, 3, 45, lambda one: Known(one, float(toy_params(one)), 0.0))
    assert len({one.architecture.id for one in done}) == 45
    sampler = ParzenSearch(TOY, seed=0)
    everything = [Known(one, float(toy_params(one)), 0.0) for one in architectures(TOY)]
    assert sampler.choose(Seen(everything)) in {one.architecture for one in everything}


def test_the_first_are_drawn_by_chance_and_the_others_from_what_is_known() -> None:
    def tenth(worse: float) -> Architecture:
        done = search(TREE, 0, START, lambda one: Known(one, cost(one), 0.0))
        sampler = ParzenSearch(TREE, seed=1)
        return sampler.choose(Seen([Known(one.architecture, worse * one.cost, 0.0) for one in done]))

    assert tenth(1) == tenth(2) != tenth(-1)


def test_it_finds_better_ones_than_optunas_tpe_and_than_chance() -> None:
    ours, theirs, chance = [], [], []
    for seed in range(6):
        ours.append(min(one.cost for one in search(TREE, seed, 80, lambda one: Known(one, cost(one), 0.0))))
        chance.append(min(cost(TREE.sample(random.Random(80 * seed + n))) for n in range(80)))
        theirs.append(best_of_optuna(seed, 80))
    assert fmean(ours) < fmean(theirs) < fmean(chance)


def best_of_optuna(seed: int, trials: int) -> float:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=TPESampler(seed=seed))
    study.optimize(lambda trial: cost(TREE.walk(lambda name, domain: suggest(trial, name, domain))), n_trials=trials)
    return study.best_value


def test_it_keeps_to_limits_that_it_is_told_of() -> None:
    def within(one: Architecture) -> Known:
        excess = max(0.0, sum(int(str(value)) for name, value in one.choices.items() if name.endswith("width")) / 128 - 1)
        return Known(one, cost(one) if not excess else math.inf, excess, {"width <= 128": excess})

    done = [search(TREE, seed, 60, within) for seed in range(3)]
    assert fmean(share(one[20:]) for one in done) > 1.3 * share([within(TREE.sample(random.Random(n))) for n in range(300)])


def share(done: Sequence[Known]) -> float:
    return fmean(one.excess == 0 for one in done)


def test_one_that_failed_is_worse_than_any() -> None:
    done = search(TREE, 0, 60, lambda one: Known(one, math.inf if "block.0.op.conv.width" in one.choices else 1.0, 0.0))
    assert fmean(math.isfinite(one.cost) for one in done[30:]) > 0.8


def test_what_runs_stands_among_the_rest_until_it_is_known() -> None:
    row = Space(name="row", version=1, accepts="image", layers=(Layer("row", {n: Categorical(*range(6)) for n in "abcd"}),))
    chance = random.Random(0)
    done = [
        Known(one, float(sum(map(int, map(str, one.choices.values())))), 0.0) for one in (row.sample(chance) for _ in range(40))
    ]

    def threes(running: list[Architecture]) -> int:
        """How often the answer to `a` is 3 in proposals."""
        proposals = [ParzenSearch(row, seed=seed).choose(Seen(done, running)) for seed in range(60)]
        assert not {one.id for one in proposals} & {one.id for one in running}
        return sum(one.choices["row.a"] == 3 for one in proposals)

    best = min(done, key=lambda one: one.cost).architecture.choices
    running = [row.architecture({**best, "row.a": 3, "row.d": d}) for d in range(6)]
    assert threes(running) < threes([])
