from dataclasses import replace

import numpy as np
import pytest
from made_up import make_arena

from nas.comparing.running import STUCK, run
from nas.comparing.standings import Standings
from nas.comparing.values import Question, Run
from nas.errors import StrategyError


def untimed(made: Run) -> Run:
    return replace(made, ask_seconds=0, seconds=0)


@pytest.mark.parametrize("strategy", ["random", "sort", "tpe", "local_search", "regularized_evolution"])
def test_equal_seeds_give_equal_runs_and_others_do_not(strategy: str) -> None:
    arena = make_arena(spread=(-3.0, 3.0))
    first, again, other = (run(arena, strategy, seed, 30) for seed in (1, 1, 2))
    assert untimed(first) == untimed(again)
    assert first.regrets != other.regrets


def test_equal_seeds_draw_differently_on_another_question() -> None:
    arena = make_arena()
    other = replace(arena, question=Question("other"))
    assert run(arena, "random", 1, 30).regrets != run(other, "random", 1, 30).regrets


def test_only_different_architectures_within_the_limits_count() -> None:
    made = run(make_arena("params >= 400"), "random", 0, 40)
    assert len(made.regrets) == 40
    assert made.repeated > 0
    assert made.infeasible > 0
    assert made.proposals == 40 + made.repeated + made.infeasible


def test_a_space_that_is_exhausted_ends_the_run_at_the_best() -> None:
    made = run(make_arena("params >= 700"), "tpe", 0, 400)
    assert len(made.regrets) == 10
    assert made.regrets[-1] == 0


def test_a_strategy_that_brings_nothing_new_is_helped_on_by_chance() -> None:
    made = run(make_arena("params >= 900"), "random", 0, 1)
    assert made.regrets == (0.0,)
    assert made.by_chance <= 1
    stuck = [run(make_arena("params >= 900"), "random", seed, 1) for seed in range(30)]
    assert max(one.proposals for one in stuck) == STUCK + 1
    assert {one.by_chance for one in stuck if one.proposals > STUCK} == {1}


def test_regret_never_rises_without_noise_and_can_with_it() -> None:
    steps = np.diff(run(make_arena(), "random", 0, 60).regrets)
    assert (steps <= 0).all()
    noisy = [np.diff(run(make_arena(spread=(-15.0, 15.0)), "random", seed, 60).regrets) for seed in range(10)]
    assert any((steps > 0).any() for steps in noisy)


def test_sort_evaluates_the_largest_first() -> None:
    made = run(make_arena(), "sort", 0, 4)
    assert made.regrets[0] == 39  # the largest is the worst
    assert made.regrets[3] == 39 - 9  # then those one step from it


@pytest.mark.parametrize("spread", [(0.0,), (-6.0, 0.5, 5.5)])
def test_random_search_reaches_its_closed_form(spread: tuple[float, ...]) -> None:
    arena = make_arena("params >= 300", spread=spread)
    runs = [run(arena, "random", seed, 20) for seed in range(150)]
    standings = Standings(runs, evaluations=20, strategies=["random"], expected={arena.question: arena.expected(20)})
    reached = standings.regrets[arena.question, "random"]
    for drawn in (1, 5, 20):
        error = reached[:, drawn - 1].std() / len(runs) ** 0.5
        assert reached[:, drawn - 1].mean() == pytest.approx(arena.expected(20)[drawn - 1], abs=3.5 * error)


def test_what_the_table_does_not_have_costs_nothing() -> None:
    whole = make_arena()
    rows = range(0, 64, 2)
    half = replace(
        whole,
        architectures=[whole.architectures[n] for n in rows],
        trainings=whole.trainings[::2],
        means=whole.means[::2],
        figures={"params": whole.figures["params"][::2]},
    )
    made = run(half, "local_search", 0, 64)
    assert len(made.regrets) == 32
    assert made.infeasible > 0
    assert made.regrets[-1] == 0


def test_an_unknown_strategy_is_refused() -> None:
    with pytest.raises(StrategyError, match=r"No strategy is called 'tpee'\. Did you mean 'tpe'\?"):
        run(make_arena(), "tpee", 0, 2)


def test_a_run_comes_back_as_it_was_kept() -> None:
    made = run(make_arena(), "random", 0, 5)
    kept = Run.from_data(made.to_data())
    assert replace(kept, ask_seconds=0, seconds=0) == untimed(made)
    assert kept.seconds == pytest.approx(made.seconds, abs=1e-6)
