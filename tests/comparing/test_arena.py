import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
from made_up import ROWS, make_arena

from nas.comparing.arena import Arena
from nas.errors import CompareError


def few(arena: Arena, rows: list[int]) -> Arena:
    """The arena of some rows alone."""
    return replace(
        arena,
        architectures=[arena.architectures[n] for n in rows],
        trainings=arena.trainings[rows],
        means=arena.means[rows],
        figures={name: values[rows] for name, values in arena.figures.items()},
    )


def test_the_closed_form_is_the_mean_over_all_draws_without_repeats() -> None:
    arena = few(make_arena(), [0, 5, 9, 33, 50, 63])
    regrets = arena.regrets
    by_hand = [
        np.mean([min(regrets[n] for n in some) for some in itertools.combinations(range(6), drawn)]) for drawn in range(1, 7)
    ]
    assert arena.expected(8) == pytest.approx([*by_hand, 0.0, 0.0])


def test_the_closed_form_keeps_to_the_limits() -> None:
    arena = make_arena("params >= 500")
    inside = [regret for regret, within in zip(arena.regrets, arena.inside, strict=True) if within]
    assert arena.expected(1)[0] == pytest.approx(np.mean(inside))
    assert min(inside) == 0


def test_the_closed_form_knows_what_noise_does() -> None:
    arena = make_arena(spread=(-6.0, 0.5, 5.5))
    rng = np.random.default_rng(1)
    draws = 20_000
    order = rng.random((draws, 64)).argsort(axis=1)[:, :12]
    seen = arena.trainings[order, rng.integers(3, size=order.shape)]
    for drawn in (1, 4, 12):
        chosen = order[np.arange(draws), seen[:, :drawn].argmax(axis=1)]
        reached = arena.regrets[chosen]
        assert arena.expected(12)[drawn - 1] == pytest.approx(reached.mean(), abs=4 * reached.std() / draws**0.5 + 0.01)


def test_regret_is_of_the_best_within_the_limits() -> None:
    arena = make_arena("params >= 500")
    best = max((row for row in ROWS if sum("wxyz".index(word) for word in row) <= 4), key=lambda row: ("wxyz".index(row[0]), row))
    assert arena.regret(arena.space.architecture(dict(zip("abc", best, strict=True)))) == 0
    assert arena.feasible == sum(sum("wxyz".index(word) for word in row) <= 4 for row in ROWS)


def test_an_answer_hangs_on_seed_and_architecture_alone() -> None:
    arena = make_arena(spread=(-1.0, 1.0))
    answers = [arena.answer(one, 3) for one in arena.architectures]
    assert answers == [arena.answer(one, 3) for one in reversed(arena.architectures)][::-1]
    assert answers != [arena.answer(one, 4) for one in arena.architectures]
    assert 16 <= sum(answer > arena.means[n] for n, answer in enumerate(answers)) <= 48


def test_sort_goes_by_size_and_shuffles_equals() -> None:
    arena = make_arena("params <= 800")
    orders = [arena.largest_first(random.Random(seed)) for seed in range(2)]
    sizes = [[arena.figures["params"][arena.places[one.id]] for one in order] for order in orders]
    assert sizes[0] == sizes[1] == sorted(sizes[0], reverse=True)
    assert max(sizes[0]) == 800
    assert orders[0] != orders[1]


def test_a_draw_is_within_the_limits_and_not_known() -> None:
    arena = make_arena("params >= 800")
    inside = {one.id for one, within in zip(arena.architectures, arena.inside, strict=True) if within}
    first, *others = sorted(inside)
    assert arena.draw(random.Random(0), others).id == first
    assert {arena.draw(random.Random(seed), ()).id for seed in range(100)} == inside


def test_a_limit_on_what_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(CompareError, match=r"The table hill has no figure 'latency_ms' for a limit\. Known: params\."):
        make_arena("latency_ms <= 5")


def test_limits_that_leave_nothing_are_refused() -> None:
    with pytest.raises(CompareError, match=r"The table hill has nothing within params < 0: params goes from 0 to 900\."):
        make_arena("params < 0")


def test_a_table_without_sizes_has_no_largest() -> None:
    whole = make_arena()
    assert whole.sized
    assert not replace(whole, figures={"latency_ms:phone": whole.figures["params"]}).sized


def test_a_training_that_was_not_made_is_never_an_answer_and_weighs_nothing() -> None:
    arena = few(make_arena(spread=(-6.0, 0.5, 5.5)), [0, 20, 40])
    trainings = arena.trainings.copy()
    trainings[0, 1:] = np.nan
    trainings[1, 0] = np.nan
    arena = replace(arena, trainings=trainings)
    first, second, _ = arena.architectures
    assert {arena.answer(first, seed) for seed in range(20)} == {trainings[0, 0]}
    assert {arena.answer(second, seed) for seed in range(40)} == {trainings[1, 1], trainings[1, 2]}
    assert arena.expected(1)[0] == pytest.approx(arena.regrets.mean())
