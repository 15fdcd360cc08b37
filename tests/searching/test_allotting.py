import random
from statistics import fmean
from typing import Any

import pytest

from nas.benchmark import Objective
from nas.errors import SearchError
from nas.searching import allotting
from nas.searching.allotting import Allotment, Came, Training, allot

ACCURACY = Objective("validation_accuracy", "maximize")
LOSS = Objective("validation_loss", "minimize")


def allotment(**options: Any) -> Allotment:
    asked = {"finalists": 5, "seeds": 3, "trainings": None, "even": False, "confident": None, "most": None}
    return allot([LOSS], **asked | options)


def drawn(means: list[float], deviation: float = 1.0, seed: int = 0) -> dict[Training, float | None]:
    """What 50 trainings of each finalist come to."""
    rng = random.Random(seed)
    return {(finalist, n): rng.gauss(mean, deviation) for finalist, mean in enumerate(means) for n in range(50)}


def run(asked: Allotment, truth: Came, at_once: int = 1, seed: int = 0) -> list[Training]:
    """All trainings in the order that they are wanted in; `at_once` are under way, and any of them may end first."""
    came: dict[Training, float | None] = {}
    rng = random.Random(seed)
    while True:
        found, over = asked.wanted(came)
        open_now = [training for training in found if training not in came][:at_once]
        if not open_now:
            assert over
            return found
        ended = rng.choice(open_now)
        came[ended] = truth[ended]


def counts(found: list[Training], finalists: int = 5) -> list[int]:
    return [sum(one == finalist for one, _ in found) for finalist in range(finalists)]


def test_each_has_two_and_near_ties_with_the_first_get_the_rest() -> None:
    found = counts(run(allotment(seeds=6), drawn([0.0, 0.1, 5.0, 6.0, 7.0], 0.5)))
    assert sum(found) == 30
    assert found[2:] == [2, 2, 2]
    assert abs(found[0] - found[1]) <= 1


def test_whoever_asks_is_told_the_same_however_many_work_and_in_whatever_order_they_end() -> None:
    truth = drawn([0.0, 0.3, 0.5, 1.0, 2.0])
    one = run(allotment(seeds=6), truth)
    for at_once in (2, 4, 7):
        assert run(allotment(seeds=6), truth, at_once, seed=at_once) == one


def test_a_larger_number_goes_on_where_a_smaller_one_ended() -> None:
    truth = drawn([0.0, 0.3, 0.5, 1.0, 2.0])
    found = run(allotment(trainings=37), truth)
    assert [run(allotment(trainings=n), truth) for n in range(10, 37)] == [found[:n] for n in range(10, 37)]


def test_no_training_is_wanted_twice_and_each_finalist_takes_its_seeds_in_turn() -> None:
    found = run(allotment(seeds=8), drawn([0.0, 0.1, 0.2, 0.3, 0.4]))
    assert len(set(found)) == len(found) == 40
    for finalist in range(5):
        assert sorted(n for one, n in found if one == finalist) == [*range(counts(found)[finalist])]


@pytest.mark.parametrize("options", [{"seeds": 2}, {"seeds": 1}, {"seeds": 4, "even": True}])
def test_equal_seeds_are_wanted_at_once(options: dict[str, Any]) -> None:
    found, over = allotment(**options).wanted({})
    assert over
    assert found == [(finalist, n) for finalist in range(5) for n in range(options["seeds"])]


def test_a_number_that_does_not_divide_favours_the_best_of_the_search() -> None:
    found, _ = allotment(trainings=13, even=True).wanted({})
    assert counts(found) == [3, 3, 3, 2, 2]
    assert counts(allotment(trainings=7).wanted({})[0]) == [2, 2, 1, 1, 1]


def test_a_probability_that_is_enough_ends_it_and_not_before() -> None:
    clear, close = drawn([0.0, 9.0, 9.0, 9.0, 9.0], 0.5), drawn([0.0, 0.01, 0.02, 0.03, 0.04])
    assert len(run(allotment(seeds=6, confident=0.9), clear)) == 10
    assert len(run(allotment(seeds=6, confident=0.99), close)) == 30


def test_what_is_known_beyond_the_rounds_that_are_over_does_not_end_it() -> None:
    truth = drawn([0.0, 1.0, 1.5, 2.0, 3.0], 0.7)
    asked = allotment(seeds=6, confident=0.9)
    found = run(asked, truth)
    assert asked.wanted(truth) == (found, True)
    assert 10 < len(found) < 30


def test_what_there_is_of_a_finalist_bounds_it() -> None:
    found = counts(run(allotment(seeds=4, most=5), drawn([0.0, 0.1, 5.0, 6.0, 7.0], 0.1)))
    assert sum(found) == 20
    assert max(found) == 5
    assert sum(counts(run(allotment(seeds=4, most=3), drawn([0.0, 0.1, 5.0, 6.0, 7.0], 0.1)))) == 15


def test_failed_trainings_are_of_the_number_and_who_never_succeeds_gets_no_more() -> None:
    truth = drawn([0.0, 0.1, 0.2, 0.3, 0.4])
    truth |= {(1, n): None for n in range(50)} | {(0, 0): None}
    found = counts(run(allotment(seeds=6), truth))
    assert sum(found) == 30
    assert found[1] == 2
    nothing: Came = dict.fromkeys(truth)
    assert counts(run(allotment(seeds=6, confident=0.9), nothing)) == [2] * 5


def test_a_diverged_mean_is_no_rival() -> None:
    truth = drawn([0.0, 0.1, 0.2, 0.3, 0.4]) | {(2, 1): float("inf")}
    assert counts(run(allotment(seeds=6), truth))[2] == 2


def test_one_finalist_has_all() -> None:
    assert counts(run(allotment(finalists=1, seeds=7), drawn([0.0])), 1) == [7]


def test_equal_scores_are_shared_out_among_all() -> None:
    truth: Came = {(finalist, n): 1.0 for finalist in range(5) for n in range(50)}
    assert counts(run(allotment(seeds=4), truth)) == [4] * 5


def test_what_is_best_is_the_objectives_direction() -> None:
    asked = {"finalists": 4, "seeds": 5, "trainings": None, "even": False, "confident": None, "most": None}
    found = counts(run(allot([ACCURACY], **asked), drawn([0.1, 0.2, 0.89, 0.9], 0.01)), 4)  # type: ignore[arg-type]
    assert found[:2] == [2, 2]


def test_several_objectives_have_equal_seeds() -> None:
    asked = {"finalists": 3, "seeds": 4, "trainings": None, "even": False, "confident": None, "most": None}
    found, over = allot([ACCURACY, LOSS], **asked).wanted({})  # type: ignore[arg-type]
    assert (over, counts(found, 3)) == (True, [4, 4, 4])
    with pytest.raises(SearchError, match=r"^Of several objectives \(validation_accuracy, validation_loss\) none is the first"):
        allot([ACCURACY, LOSS], **asked | {"confident": 0.9})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trainings": 4}, "Each of 5 finalists is trained at least once, got trainings 4; give more."),
        ({"confident": 1.0}, "One is confident from a probability of 0.5 on and below 1, got confident 1.0."),
        ({"confident": 0.95, "even": True}, "With even all seeds are trained, got confident 0.95 too; leave one of them out."),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SearchError) as refused:
        allotment(**options)
    assert str(refused.value) == words


def test_the_best_is_found_more_often_than_with_equal_seeds() -> None:
    def regret(even: bool) -> float:
        lost = []
        for seed in range(500):
            means = [random.Random(seed * 7 + n).gauss(0, 1) for n in range(5)]
            truth = drawn(means, seed=seed)
            found = run(allotment(seeds=4, even=even), truth, at_once=20)
            scores = [fmean(truth[one, n] or 0.0 for one, n in found if one == finalist) for finalist in range(5)]
            lost.append(means[scores.index(min(scores))] - min(means))
        return fmean(lost)

    assert regret(even=False) < 0.9 * regret(even=True)


def test_the_probability_of_rounds_that_are_over_is_reckoned_once_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    reckoned: list[int] = []

    def chances(rows: list[Any], objectives: list[Objective]) -> tuple[float, ...]:
        reckoned.append(len(rows))
        return (0.5,) * len(rows)

    monkeypatch.setattr(allotting, "chances_of_first", chances)
    rounds = 70
    truth = {(finalist, n): value for (finalist, n), value in drawn([0.0, 0.1, 0.2, 0.3, 0.4]).items()}
    truth |= {(finalist, n): 0.01 * n for finalist in range(5) for n in range(50, 4 * rounds + 10)}
    asked = allotment(trainings=10 + 4 * rounds, confident=0.9)
    assert len(run(asked, truth)) == 10 + 4 * rounds
    assert len(reckoned) == rounds
    asked.wanted({**truth, (0, 0): 9.0})
    assert len(reckoned) == 2 * rounds, "another ledger tells another probability"
