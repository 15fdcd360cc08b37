"""The search by a surrogate: better than chance, within limits, from what is known alone."""

import math
import random
from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

from nas.errors import SpaceError
from nas.space import Architecture, Categorical, Integer, Layer, Limit, OneOf, Real, Repeat, Space, distance
from nas.strategies import Known, Seen, SurrogateSearch
from nas.strategies.gaussian_process import Likeness, Process
from nas.strategies.surrogate import KEPT, START, _believing, log_chance, log_expected_improvement, normal_scores

ROW = Space(name="row", version=1, accepts="image", layers=(Layer("row", {f"c{n}": Categorical(*range(4)) for n in range(6)}),))
"""4,096 architectures."""

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


def row_cost(architecture: Architecture) -> float:
    """Least, at 0, where answers are 0 1 2 3 0 1; answers of neighbouring places go together."""
    answers = [int(str(answer)) for answer in architecture.choices.values()]
    off = [(answer - n) % 4 for n, answer in enumerate(answers)]
    return sum(off) + sum(a * b for a, b in pairwise(off)) / 4


def tree_cost(architecture: Architecture) -> float:
    """Least for four convolutions of 5 with 64 features."""
    choices = architecture.choices
    widths = [abs(math.log2(value / 64)) for name, value in choices.items() if name.endswith("width") and isinstance(value, int)]
    return 12.0 - 3 * len(widths) + sum(widths) - sum(value == 5 for name, value in choices.items() if name.endswith("kernel"))


def told(
    sampler: SurrogateSearch,
    trials: int,
    cost: Callable[[Architecture], float],
    margin: Callable[[Architecture], float] = lambda _: -1.0,
) -> list[Known]:
    known: list[Known] = []
    for n in range(trials):
        sampler.seed(n)
        chosen = sampler.choose(Seen(known))
        outside = margin(chosen)
        known.append(Known(chosen, math.inf if outside > 0 else cost(chosen), max(0.0, outside), {"limit": outside}))
    return known


def best(known: Iterable[Known]) -> float:
    return min(one.cost for one in known)


def test_a_noisy_optimum_is_come_nearer_to_than_by_chance() -> None:
    """Of 4,096, with noise of the size of one wrong answer; measured without it."""
    for seed in range(3):
        noise = random.Random(seed)
        known = told(SurrogateSearch(ROW), 60, lambda one, noise=noise: row_cost(one) + noise.gauss(0, 1))  # type: ignore[misc]
        drawn = [ROW.sample(noise) for _ in range(240)]
        assert min(row_cost(one.architecture) for one in known) < min(map(row_cost, drawn))


def test_conditional_choices_and_ranges_are_learned() -> None:
    chance = random.Random(0)
    found = best(told(SurrogateSearch(TREE), 80, tree_cost))
    assert found < min(tree_cost(TREE.sample(chance)) for _ in range(800))


def test_what_is_chosen_is_an_architecture_of_the_space() -> None:
    for one in told(SurrogateSearch(TREE), 40, tree_cost):
        assert TREE.architecture(one.architecture.choices) == one.architecture
        assert [*TREE.domains(one.architecture)] == [*one.architecture.choices]


def test_it_keeps_within_a_limit_that_few_keep_to() -> None:
    """A sixth of all have a sum of at most 6."""

    def margin(architecture: Architecture) -> float:
        return sum(int(str(answer)) for answer in architecture.choices.values()) - 6.5

    after = told(SurrogateSearch(ROW), 60, lambda one: -margin(one), margin)[START:]
    assert sum(one.excess == 0 for one in after) > len(after) / 2


def test_what_failed_is_gone_round() -> None:
    """A third answer of 3 fails whatever the others are, and is told as a failure alone: margins inside are not known."""
    sampler, known = SurrogateSearch(ROW), list[Known]()
    for n in range(60):
        sampler.seed(n)
        chosen = sampler.choose(Seen(known))
        failed = chosen.choices["row.c2"] == 3
        known.append(Known(chosen, math.inf if failed else row_cost(chosen), float(failed), {"failed": 1.0} if failed else {}))
    assert sum(one.excess > 0 for one in known[START + 10 :]) <= 5


def test_one_that_was_stopped_early_counts_as_the_worst() -> None:
    known = [*told(SurrogateSearch(ROW), 30, row_cost)]
    worst = max(known, key=lambda one: one.cost)
    stopped = [Known(one.architecture, math.inf if one is worst else one.cost, 0.0) for one in known]
    assert SurrogateSearch(ROW, seed=1).choose(Seen(stopped)) == SurrogateSearch(ROW, seed=1).choose(Seen(known))


def test_proposals_follow_from_what_is_known_and_the_seed_alone() -> None:
    known = told(SurrogateSearch(TREE), 40, tree_cost)
    used = SurrogateSearch(TREE)
    told(used, 30, lambda one: -tree_cost(one))
    used.seed(7)
    assert used.choose(Seen(known)) == SurrogateSearch(TREE, seed=7).choose(Seen(known))
    assert used.choose(Seen(known)) != SurrogateSearch(TREE, seed=8).choose(Seen(known))


def test_features_tell_what_the_answers_do_not() -> None:
    """The cost is made up from the id, so that no model of the answers can know it."""

    def cost(architecture: Architecture) -> float:
        return int(architecture.id[:6], 16) / 16**6

    def score(architecture: Architecture) -> dict[str, float]:
        return {"score": -(cost(architecture) ** 3), "none": math.nan}

    found = [best(told(SurrogateSearch(ROW, features=features), 30, cost)) for features in (score, None)]
    assert found[0] < 0.002
    assert found[1] > 0.005


def test_what_its_features_tell_to_be_outside_a_limit_is_never_proposed() -> None:
    """A seventh of all have a sum of at most 6, and more is better."""

    def total(architecture: Architecture) -> float:
        return float(sum(int(str(answer)) for answer in architecture.choices.values()))

    def size(architecture: Architecture) -> dict[str, float]:
        return {"params": total(architecture)}

    limit = Limit.parse("params <= 6")
    searched = SurrogateSearch(ROW, features=size, limits=[limit])
    found = told(searched, 60, lambda one: -total(one), lambda one: limit.excess(total(one)))
    assert max(total(one.architecture) for one in found) == 6
    none = SurrogateSearch(ROW, features=size, limits=[Limit.parse("params < 0")])
    assert len({one.architecture.id for one in told(none, 15, row_cost)}) == 15  # nothing is within: it goes on


def test_features_of_nothing_are_none() -> None:
    bare, without = SurrogateSearch(ROW, features=lambda _: {}), SurrogateSearch(ROW)
    assert len({one.architecture.id for one in told(bare, 20, row_cost)}) == len(told(without, 20, row_cost))


def test_more_than_can_be_kept_leaves_the_best_in() -> None:
    chance = random.Random(0)
    drawn = {one.id: one for one in (ROW.sample(chance) for _ in range(900))}
    known = [Known(one, row_cost(one), 0.0) for one in drawn.values()]
    known.sort(key=lambda one: one.order)  # the best lie longest ago
    assert len(known) > KEPT
    chosen = SurrogateSearch(ROW, seed=0).choose(Seen(known))
    assert distance(ROW, chosen, known[0].architecture) <= 3


def test_where_all_cost_the_same_it_goes_on() -> None:
    assert len({one.architecture.id for one in told(SurrogateSearch(ROW), 30, lambda _: 1.0)}) == 30


def test_where_nothing_is_within_the_limits_it_goes_on() -> None:
    assert len({one.architecture.id for one in told(SurrogateSearch(ROW), 30, row_cost, lambda _: 1.0)}) == 30


def test_a_space_too_large_to_be_encoded_is_refused() -> None:
    wide = Space(
        name="wide", version=1, accepts="image", layers=(Layer("row", {f"c{n}": Categorical(0, 1) for n in range(10_001)}),)
    )
    with pytest.raises(SpaceError, match="more than 10,000 choices that can apply"):
        SurrogateSearch(wide)


def test_normal_scores_are_those_of_mean_ranks() -> None:
    expected = norm.ppf([0.5 / 4, 2.0 / 4, 2.0 / 4, 3.5 / 4])
    assert normal_scores(np.array([-9.0, 5.0, 5.0, math.inf])) == pytest.approx(expected)


def test_improvement_and_chance_agree_with_scipy_far_out_too() -> None:
    u = np.array([-40.0, -25.01, -24.99, -8.0, -1.0, 0.0, 3.0])
    assert log_chance(u) == pytest.approx(norm.logcdf(u), rel=1e-6)
    near = u[3:]
    assert log_expected_improvement(near) == pytest.approx(np.log(norm.pdf(near) + near * norm.cdf(near)))
    assert np.all(np.diff(log_expected_improvement(u)) > 0)


def test_what_runs_is_believed_to_come_to_what_is_expected_of_it() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(30, 2))
    apart = ((points[:, None] - points[None]) ** 2).sum(-1)
    told = np.array([True] * 12 + [False] * 4)
    known, pool = slice(0, 12), slice(16, 30)
    values = points[known, 0] ** 2
    process = Process([apart[known, known]], values, Likeness([apart[known, known]], values))
    believing, both, expected = _believing(process, [(apart[:16, :16], apart[:16, pool])], told, values, 4)
    assert both.all()
    before, after = process.expect([apart[known, pool]]), believing.expect([apart[:16, pool]])
    np.testing.assert_allclose(process.expect([apart[known, 12:16]])[0], expected)
    np.testing.assert_allclose(after[0], before[0], atol=1e-9)  # no mean is another
    assert (after[1] <= before[1] + 1e-12).all()
    assert (after[1] < 0.95 * before[1]).any()


def test_candidates_that_are_asked_for_at_once_lie_apart() -> None:
    known = told(SurrogateSearch(ROW, seed=0), 25, row_cost)
    running: list[Architecture] = []
    for seed in range(12):
        running.append(SurrogateSearch(ROW, seed=seed).choose(Seen(known, running)))
    alone = {SurrogateSearch(ROW, seed=seed).choose(Seen(known)).id for seed in range(12)}
    assert len({one.id for one in running}) == 12
    assert len(alone) < 12


def test_there_is_a_model_once_half_of_the_first_are_known() -> None:
    drawn = [ROW.sample(random.Random(seed)) for seed in range(START)]
    known = [Known(one, row_cost(one), 0.0) for one in drawn]
    for count, models in ((4, False), (5, True)):
        seen = Seen(known[:count], drawn[count:])
        chosen = [SurrogateSearch(ROW, seed=seed).choose(seen) for seed in range(30)]
        best = min(known[:count], key=lambda one: one.cost).architecture
        near = sum(sum(best.choices[name] != answer for name, answer in one.choices.items()) <= 2 for one in chosen)
        assert (near > 15) == models
