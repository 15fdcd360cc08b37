from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from made_up import ROWS, make_arena

from nas.comparing.confirming import confirmed
from nas.comparing.running import run

NOISY = (-6.0, 0.5, 5.5)


def test_all_trainings_of_an_architecture_come_from_seeds_one_after_another() -> None:
    arena = make_arena(spread=NOISY)
    for seed in range(5):
        one = arena.architectures[40]
        assert arena.answers(one, seed)[0] == arena.answer(one, seed)
        assert sorted(arena.answers(one, seed)) == sorted(arena.trainings[40])


def test_the_best_few_are_trained_again_in_turn_and_the_best_by_their_new_trainings_wins() -> None:
    arena = make_arena(spread=NOISY)
    costs = {one: -arena.answer(one, 7) for one in arena.architectures}
    best = sorted(costs, key=lambda one: costs[one])[:5]
    winner = max(best, key=lambda one: arena.answers(one, 7)[1])  # the first of these answers chose it, and is high by luck
    regrets = list(confirmed(arena, 7, costs, 5))
    assert regrets[0] == arena.regret(best[0])
    assert regrets[4] == arena.regret(winner)


def test_none_is_trained_more_often_than_the_table_has_trainings() -> None:
    arena = make_arena(spread=NOISY)
    costs = {one: -arena.answer(one, 0) for one in arena.architectures}
    regrets = list(confirmed(arena, 0, costs, 99))
    assert len(regrets) == 5 * 2
    best = sorted(costs, key=lambda one: costs[one])[:5]
    assert regrets[-1] == arena.regret(max(best, key=lambda one: fmean(arena.answers(one, 0)[1:])))


def test_confirming_leaves_less_regret_where_answers_are_noisy() -> None:
    arena = make_arena(spread=NOISY)
    plain = fmean(run(arena, "random", seed, 50).regrets[-1] for seed in range(30))
    again = fmean(run(arena, "random", seed, 50, 10).regrets[-1] for seed in range(30))
    assert again < plain


def test_the_trainings_again_are_of_the_same_budget_and_the_search_before_them_is_the_same() -> None:
    arena = make_arena(spread=NOISY)
    plain, again = run(arena, "random", 3, 30), run(arena, "random", 3, 30, 5)
    assert len(again.regrets) == 30
    assert again.regrets[:25] == plain.regrets[:25]


def test_a_table_of_single_trainings_has_nothing_to_confirm() -> None:
    arena = make_arena()
    assert run(arena, "random", 3, 30, 5).regrets == run(arena, "random", 3, 30).regrets
    some = make_arena(spread=NOISY)
    trainings = some.trainings.copy()
    trainings[5, 1:] = np.nan
    assert some.repeats
    assert not replace(some, trainings=trainings).repeats
    assert len(ROWS) == len(trainings)


@pytest.mark.parametrize(
    ("evaluations", "asked", "auto", "tpe"), [(40, None, 0, 0), (50, None, 5, 0), (50, 3, 3, 3), (100, 0, 0, 0)]
)
def test_auto_confirms_as_in_a_search_and_all_as_many_as_are_asked_for(
    evaluations: int, asked: int | None, auto: int, tpe: int
) -> None:
    from nas.comparing import CompareConfig

    config = CompareConfig.make(tables=["t.csv"], out="out", evaluations=evaluations, confirm=asked)
    assert (config.confirmations("auto"), config.confirmations("tpe"), config.confirmations("random")) == (auto, tpe, 0)
