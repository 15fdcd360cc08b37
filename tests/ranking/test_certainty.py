"""What is said about noise is held against planted studies, whose true order is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from scipy.stats import studentized_range
from scipy.stats import t as student

from nas.benchmark import Objective
from nas.ranking import noise
from nas.ranking.certainty import Certainty, certainties

ACCURACY = Objective("validation_accuracy", "maximize")
LOSS = Objective("validation_loss", "minimize")
PARAMS = Objective("params", "minimize")

Floats = Any


def found(*rows: list[float], objective: Objective = LOSS) -> tuple[Certainty, ...]:
    """What is known of rows with so many seeds each."""
    known = certainties([{objective.figure: dict(enumerate(row))} for row in rows], [objective])
    assert known is not None
    return known


def ranks(known: tuple[Certainty, ...]) -> list[int]:
    return [row.rank for row in known]


# Planted studies.


@dataclass
class Study:
    """What was said of many planted tables of one kind of noise, and what was true."""

    inside: list[bool] = field(default_factory=list)
    splits: list[bool] = field(default_factory=list)
    """Of tables whose rows are all equal: whether any two were told apart."""
    said: list[float] = field(default_factory=list)
    true: list[bool] = field(default_factory=list)


def noise_of(kind: str, rows: int, seeds: int, rng: np.random.Generator) -> Floats:
    """(rows, seeds): noise of mean 0 and variance about 1."""
    normal = rng.standard_normal((rows, seeds))
    if kind == "uneven":  # deviations from about 0.4 to 2
        return normal * np.exp(rng.normal(-0.25, 0.6, (rows, 1)))
    if kind == "skewed":
        return (rng.gamma(2, 1, (rows, seeds)) - 2) / np.sqrt(2)
    if kind == "common":  # half of it is what a seed does to all rows alike
        return (normal + rng.standard_normal(seeds)) / np.sqrt(2)
    return normal


def accuracies(means: Floats, seeds: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Shares of 360 examples near 1, and their true means: with 0.4 points of noise, about as `digits` has."""

    def shares(count: int) -> Floats:
        return np.minimum(np.round(360 * (0.99 + 0.004 * (means[:, None] + rng.standard_normal((len(means), count))))), 360) / 360

    return shares(seeds), shares(4000).mean(axis=1)


def planted(kind: str, tables: int) -> Study:
    """Tables of five rows with 2, 3, 5 and 10 seeds each, whose true means are equal, near or far apart."""
    rng, study = np.random.default_rng(7), Study()
    for n in range(tables):
        apart, seeds = (0.0, 0.5, 2.0)[n % 3], (2, 3, 5, 10)[n // 3 % 4]
        means = apart * rng.standard_normal(5)
        if kind == "accuracies":
            figures, means = accuracies(means, seeds, rng)
            goal = ACCURACY
        else:
            figures, goal = means[:, None] + noise_of(kind, 5, seeds, rng), LOSS
        costs = np.array([goal.cost(value) for value in means])
        order = np.argsort([goal.cost(value) for value in figures.mean(axis=1)], kind="stable")
        known = found(*(figures[row].tolist() for row in order), objective=goal)
        for row, one in zip(order, known, strict=True):
            interval = one.intervals[goal.figure]
            study.inside.append(interval.low <= means[row] <= interval.high)
        if not apart:
            study.splits.append(any(one.places != (1, 5) for one in known))
        else:
            study.said.append(known[0].first)
            study.true.append(bool(costs.argmin() == order[0]))
    return study


@pytest.fixture
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "DRAWS", 1000)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["normal", "uneven", "skewed", "common", "accuracies"])
@pytest.mark.usefixtures("_few_draws")
def test_of_a_planted_study_intervals_hold_the_truth_ties_are_found_and_the_first_is_first_as_often_as_said(kind: str) -> None:
    study = planted(kind, 180)
    assert 0.9 <= np.mean(study.inside) <= 0.99  # of 900 intervals of 95 %
    assert np.mean(study.splits) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 60)  # of 60 tables of equal rows
    said, true = np.array(study.said), np.array(study.true)
    assert abs(said.mean() - true.mean()) <= 2.5 * np.sqrt((said * (1 - said)).sum()) / len(said)
    sure = said > 0.8
    assert true[sure].mean() > 0.8
    assert ((said - true) ** 2).mean() < true.mean() * (1 - true.mean())  # better than one figure for all


# By hand.


def test_with_equal_spread_an_interval_is_students_with_the_freedom_of_all_rows() -> None:
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((40, 1)) * 5 + np.array([-1.0, 0.0, 1.0])  # a deviation of 1 each
    half = [(one.intervals["validation_loss"].high - one.intervals["validation_loss"].low) / 2 for one in found(*rows.tolist())]
    assert half == pytest.approx([student.ppf(0.975, 80) / 3**0.5] * 40, rel=0.05)


def test_were_all_variances_equal_the_widest_pair_would_be_told_apart_as_by_tukeys_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "PRIORS", (1e9,))
    rng = np.random.default_rng(5)
    noise_RS = rng.standard_normal((12, 4))
    noise_RS -= noise_RS.mean(axis=1, keepdims=True)
    noise_RS -= noise_RS.mean(axis=0)
    variance = (noise_RS**2).sum() / (11 * 3)
    rows = [{seed: value + mean for seed, value in enumerate(row)} for row, mean in zip(noise_RS, np.arange(12) / 5, strict=True)]
    values = noise.pair_values(noise.Trainings.of(rows), np.random.default_rng(0))
    largest = studentized_range.sf(11 / 5 / np.sqrt(variance / 4), 12, 33)
    assert values[0, 11] == pytest.approx(largest, abs=0.01)
    assert values[0, 1] > values[0, 6] >= values[0, 11]
    assert (values == values.T).all()
    assert (np.diag(values) == 1).all()


def test_many_pairs_are_tested_with_fewer_draws_and_as_strictly(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    figures = [dict(enumerate(row)) for row in (np.arange(30)[:, None] / 5 + rng.standard_normal((30, 3))).tolist()]
    trainings = noise.Trainings.of(figures)
    many = noise.pair_values(trainings, np.random.default_rng(0))
    drawn: list[int] = []
    chances = noise.Spread.draw

    def draw(known: noise.Spread, rng: np.random.Generator, count: int | None = None) -> Floats:
        drawn.append(count or 0)
        return chances(known, rng, count)

    monkeypatch.setattr(noise.Spread, "draw", draw)
    monkeypatch.setattr(noise, "PAIRS_IN_ALL", 435 * 2500)
    few = noise.pair_values(trainings, np.random.default_rng(0))
    assert drawn == [2500]
    assert few == pytest.approx(many, abs=0.04)
    assert few.min() >= 1 / 2501  # what never came up in so many draws is not impossible


def test_what_a_seed_does_to_all_alike_does_not_hide_a_difference() -> None:
    seeds = np.array([0.0, 5.0, -4.0, 2.0])
    small = np.array([0.1, -0.1, 0.05, -0.05])
    known = found(*((seeds + mean + sign * small).tolist() for mean, sign in ((0, 1), (1, -1), (1.02, 1))))
    assert ranks(known) == [1, 2, 2]
    assert [one.places for one in known] == [(1, 1), (2, 3), (2, 3)]


def test_rows_without_a_common_seed_are_compared_as_they_are() -> None:
    rows = [{"validation_loss": {first + n: mean + n / 100 for n in range(3)}} for first, mean in ((1, 0.5), (8, 0.9))]
    known = certainties(rows, [LOSS])
    assert known is not None
    assert ranks(known) == [1, 2]
    assert not noise.Trainings.of([row["validation_loss"] for row in rows]).are_paired


def test_a_chain_of_common_seeds_pairs_all() -> None:
    assert noise.Trainings.of([{1: 0.5, 2: 0.6}, {2: 0.5, 3: 0.6}, {3: 0.5}]).are_paired


def test_more_seeds_tell_apart_what_few_do_not() -> None:
    rng = np.random.default_rng(1)
    rows = [(mean + rng.standard_normal(40)).tolist() for mean in (0.0, 1.5, 3.0)]
    assert ranks(found(*(row[:2] for row in rows))) == [1, 1, 1]
    assert ranks(found(*rows)) == [1, 2, 3]


def test_a_rank_is_shared_with_the_best_of_those_that_cannot_be_told_apart() -> None:
    rng = np.random.default_rng(2)
    noise_RS = rng.standard_normal((4, 12)) * 0.1
    known = found(*(noise_RS + np.array([[0.0], [0.02], [1.0], [1.02]])).tolist())
    assert ranks(known) == [1, 1, 3, 3]
    assert [one.places for one in known] == [(1, 2), (1, 2), (3, 4), (3, 4)]


# What is awkward.


def test_equal_scores_at_the_bound_are_equal_and_no_interval_leaves_it() -> None:
    known = found([1.0, 1.0], [1.0, 1.0], [1.0, 1.0], objective=ACCURACY)
    assert ranks(known) == [1, 1, 1]
    assert [one.first for one in known] == pytest.approx([1 / 3] * 3)
    low, high = (
        found([1.0, 1.0], [1.0, 359 / 360], [0.9, 0.95], objective=ACCURACY)[0].intervals["validation_accuracy"].__dict__.values()
    )
    assert 0 <= low < high == 1


def test_percentages_are_not_taken_for_shares() -> None:
    for one, mean in zip(found([91.0, 91.5], [90.0, 90.4], objective=ACCURACY), (91.25, 90.2), strict=True):
        interval = one.intervals["validation_accuracy"]
        assert interval.low < mean < interval.high


def test_one_of_few_seeds_behind_one_that_is_told_apart_is_still_like_the_first() -> None:
    rng = np.random.default_rng(4)
    many, few = 0.01 * rng.standard_normal((2, 12)), [0.525]
    known = found((0.5 + many[0]).tolist(), (0.52 + many[1]).tolist(), few, objective=LOSS)
    assert [one.like_first for one in known] == [True, False, True]
    assert known[0].shared_by == 1
    assert known[0].places == (1, 2)


def test_twice_the_same_is_no_proof_that_there_is_no_noise() -> None:
    known = found([1.0, 1.0], [359 / 360, 359 / 360], objective=ACCURACY)
    assert ranks(known) == [1, 1]
    assert known[0].intervals["validation_accuracy"].low < 719 / 720
    assert known[0].first < 0.95


def test_one_seed_borrows_the_spread_of_the_others_and_alone_says_nothing() -> None:
    one, several, more = found([0.5], [0.6, 0.62, 0.61], [0.6, 0.63, 0.64])
    alone = one.intervals["validation_loss"]
    assert alone.high - alone.low > several.intervals["validation_loss"].high - several.intervals["validation_loss"].low
    assert more.places[1] == 3
    assert certainties([{"validation_loss": {0: 0.5}}, {"validation_loss": {0: 0.6}}], [LOSS]) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_of_what_is_no_number_nothing_is_known(value: float) -> None:
    assert certainties([{"validation_loss": {0: 0.5, 1: value}}, {"validation_loss": {0: 0.6, 1: 0.7}}], [LOSS]) is None


def test_the_direction_turns_the_order_and_not_the_intervals() -> None:
    rows = [[0.9, 0.92, 0.91], [0.8, 0.83, 0.79], [0.5, 0.55, 0.52]]
    up = found(*rows, objective=ACCURACY)
    down = found(*([-value for value in row] for row in rows))
    assert [one.rank for one in up] == [one.rank for one in down]
    assert [one.first for one in up] == [one.first for one in down]
    for high, low in zip(up, down, strict=True):
        mirrored = low.intervals["validation_loss"]
        assert vars(high.intervals["validation_accuracy"]) == pytest.approx({"low": -mirrored.high, "high": -mirrored.low})


def test_a_half_diverged_row_does_not_blur_the_others() -> None:
    known = found([0.1, 0.11, 0.12], [0.5, 0.52, 0.51], [0.6, 0.61, 0.62], [0.6, 0.62, 0.63], [0.7, 40.0, 90.0])
    first = known[0].intervals["validation_loss"]
    assert first.high - first.low < 0.2
    assert known[0].first > 0.8  # for all that is known of the last, it may be better
    assert sum(one.first for one in known[1:4]) < 0.01


def test_the_probability_of_the_first_is_drawn_back_from_luck() -> None:
    rng = np.random.default_rng(11)
    rows = sorted(rng.standard_normal((10, 3)).tolist(), key=np.mean)
    known = found(*rows)
    assert known[0].first < 0.4  # ten equal rows
    assert sum(one.first for one in known) == pytest.approx(1)


def test_gibbs_sampling_and_weighing_draw_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    rows = sorted((np.arange(6)[:, None] * 0.4 + rng.standard_normal((6, 4))).tolist(), key=np.mean)
    weighed = found(*rows)
    monkeypatch.setattr(noise, "MOST_WEIGHED", 0)
    for one, other in zip(weighed, found(*rows), strict=True):
        assert one.first == pytest.approx(other.first, abs=0.025)


@pytest.mark.parametrize("rows", [30, 100])
def test_with_many_rows_the_probability_of_the_first_hangs_little_on_chance(rows: int) -> None:
    rng = np.random.default_rng(8)
    figures = rng.standard_normal((rows, 1)) + rng.standard_normal((rows, 2))
    trainings = noise.Trainings.of([dict(enumerate(row)) for row in figures.tolist()])
    known = trainings.spread()
    assert known is not None
    lead = trainings.means.argmin()
    said = [(noise.draw_means(trainings, known, np.random.default_rng(n)).argmin(axis=1) == lead).mean() for n in range(8)]
    assert np.std(said) < 0.014  # of 8,192 draws that hang on none other about 0.005
    assert 0.02 < np.mean(said) < 0.9


def test_what_follows_from_the_architecture_is_exact() -> None:
    known = found([100.0, 100.0], [101.0, 101.0], [101.0, 101.0], objective=PARAMS)
    assert ranks(known) == [1, 2, 2]
    assert [one.first for one in known] == [1, 0, 0]
    assert vars(known[0].intervals["params"]) == {"low": 100, "high": 100}


def test_with_several_objectives_the_probability_is_that_of_the_front_and_ranks_say_nothing() -> None:
    def row(params: float, *losses: float) -> Mapping[str, Mapping[int, float]]:
        return {"validation_loss": dict(enumerate(losses)), "params": dict.fromkeys(range(len(losses)), params)}

    rows = [row(10, 0.5, 0.51, 0.52), row(5, 0.8, 0.81, 0.79), row(10, 0.9, 0.91, 0.92), row(6, 0.8, 0.79, 0.81)]
    known = certainties(rows, [LOSS, PARAMS])
    assert known is not None
    assert [one.first for one in known] == pytest.approx([1, 1, 0, 0.5], abs=0.05)
    assert {one.rank for one in known} == {1}
    assert set(known[0].intervals) == {"validation_loss", "params"}


def test_equal_tables_give_equal_figures() -> None:
    assert found([0.1, 0.2], [0.3, 0.4]) == found([0.1, 0.2], [0.3, 0.4])
