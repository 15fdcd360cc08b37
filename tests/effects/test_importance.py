"""What each choice matters, on studies whose truth is known."""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import optuna
import pytest
from planted import NESTED, PLAIN, searched, study, trial, trials

from nas.effects import Effect, Point, effects_of, sums_of, total_of
from nas.errors import LedgerError
from nas.records import Trial
from nas.space import Architecture
from nas.tables import read_table


def one_decides(choices: Any, rng: random.Random) -> dict[str, float]:
    return {"validation_accuracy": 0.9 + 0.02 * (choices["stem.features"] == 32) + rng.gauss(0, 0.005)}


def nothing_decides(_: Any, rng: random.Random) -> dict[str, float]:
    return {"validation_accuracy": 0.9 + rng.gauss(0, 0.005)}


def by_choice(effects: tuple[Effect, ...]) -> dict[str, Effect]:
    return {effect.choice: effect for effect in effects}


def ends(point: Point) -> tuple[float, float]:
    assert point.low is not None
    assert point.high is not None
    return point.low, point.high


def test_the_choice_that_decides_comes_first_and_the_others_show_no_effect() -> None:
    first, *others = effects_of(study(), trials(100, one_decides, seed=1))
    assert first.choice == "stem.features"
    assert first.seen
    assert 0.4 < first.low < first.importance < first.high <= 1
    assert not any(effect.seen for effect in others)
    assert all(effect.importance < 0.1 for effect in others)


def test_each_value_of_the_choice_that_decides_comes_to_its_mean() -> None:
    points = by_choice(effects_of(study(), trials(100, one_decides)))["stem.features"].points
    assert [point.value for point in points] == [8, 16, 32]
    assert sum(point.count for point in points) == 100
    for point, truth in zip(points, (0.90, 0.90, 0.92), strict=True):
        low, high = ends(point)
        assert low < truth < high
        assert high - low < 0.006


def test_where_nothing_decides_few_studies_show_an_effect() -> None:
    shown = [any(effect.seen for effect in effects_of(study(), trials(40, nothing_decides, seed=seed))) for seed in range(40)]
    assert sum(shown) <= 6  # 5 % of 40 are 2; more than 6 have a probability of 0.3 %


@pytest.fixture(scope="module")
def features() -> list[Effect]:
    """What the choice that decides is found to do, in 40 studies."""
    return [by_choice(effects_of(study(), trials(45, one_decides, seed=seed)))["stem.features"] for seed in range(40)]


def test_intervals_of_shares_hold_the_truth_as_often_as_they_say(features: list[Effect]) -> None:
    truth = by_choice(effects_of(study(), trials(4_000, one_decides, seed=99)))["stem.features"].importance
    held = [effect.low <= truth <= effect.high for effect in features]
    assert sum(held) >= 33  # of 38; fewer have a probability of 0.3 %


def test_intervals_of_means_hold_the_truth_as_often_as_they_say(features: list[Effect]) -> None:
    points = [point for effect in features for point in effect.points]
    held = [low <= (0.92 if point.value == 32 else 0.9) <= high for point in points for low, high in [ends(point)]]
    assert 0.9 <= sum(held) / len(held) <= 0.99


def test_means_of_shares_and_their_intervals_end_at_one_and_those_of_percentages_do_not() -> None:
    def at_the_end(_: Any, rng: random.Random) -> dict[str, float]:
        share = 0.9 if rng.random() < 0.8 else 0.2
        return {"validation_accuracy": share, "percent": 100 * share}

    found = effects_of(study(), trials(20, at_the_end), figures=["validation_accuracy", "percent"])
    highest = {
        name: max(point.high for effect in found if effect.figure == name for point in effect.points if point.high is not None)
        for name in ("validation_accuracy", "percent")
    }
    assert highest["percent"] > 100
    assert highest["validation_accuracy"] == 1


def test_a_value_of_one_trial_has_its_plain_value_and_no_interval() -> None:
    found = trials(20, one_decides)
    alone = Architecture("plain", 1, {**found[0].architecture.choices, "stem.kernel": 99})
    effects = by_choice(effects_of(study(), [*found, trial(99, alone, {"validation_accuracy": 0.4})]))
    point = effects["stem.kernel"].points[-1]
    assert (point.value, point.count) == (99, 1)
    assert (point.mean, point.plain, point.low, point.high) == (0.4, 0.4, None, None)


def test_a_choice_that_only_goes_with_good_ones_is_cleared_by_the_others() -> None:
    def companions(number: int) -> dict[str, Any]:
        rng = random.Random(number)
        good = rng.random() < 0.5
        stem = {"stem.features": 32 if good else 8, "stem.stride": rng.choice([1, 2])}
        kernel = rng.choice([5, 5, 5, 5, 1]) if good else rng.choice([1, 1, 1, 1, 5])
        return {**stem, "stem.kernel": kernel, "head.dropout": rng.random() / 2, "head.pool": rng.choice(["average", "max"])}

    rng = random.Random(0)
    found = []
    for number in range(200):
        architecture = PLAIN.architecture(companions(number))
        found.append(trial(number, architecture, one_decides(architecture.choices, rng)))
    effects = by_choice(effects_of(study(), found))
    kernel = effects["stem.kernel"]
    assert effects["stem.features"].seen
    assert not kernel.seen
    one, five = kernel.points
    assert five.plain - one.plain > 0.01
    assert abs(five.mean - one.mean) < 0.003


def test_a_search_that_went_where_it_is_good_tells_what_is_good() -> None:
    effects = by_choice(effects_of(study(), searched(150, one_decides)))
    assert [effect.choice for effect in effects.values() if effect.seen] == ["stem.features"]
    means = {point.value: point.mean for point in effects["stem.features"].points}
    assert means[32] - means[8] == pytest.approx(0.02, abs=0.003)


def test_a_choice_that_is_made_in_some_trials_is_held_against_those() -> None:
    def conditional(choices: Any, rng: random.Random) -> dict[str, float]:
        good = choices.get("stage.2.kind.conv.features") == 32
        return {"validation_accuracy": 0.9 + 0.03 * good + rng.gauss(0, 0.003)}

    effects = by_choice(effects_of(study(NESTED), trials(400, conditional, NESTED)))
    features = effects["stage.2.kind.conv.features"]
    assert features.seen
    assert features.applies == pytest.approx(1 / 6, abs=0.05)
    assert [round(point.mean, 2) for point in features.points] == [0.9, 0.9, 0.93]
    assert not effects["stage.0.kind"].seen
    assert not effects["stage.1.kind"].seen


def test_what_hangs_on_a_choice_is_part_of_what_it_does() -> None:
    def deep(choices: Any, rng: random.Random) -> dict[str, float]:
        return {"validation_accuracy": 0.9 + 0.02 * ("stage.2.kind" in choices) + rng.gauss(0, 0.003)}

    times = by_choice(effects_of(study(NESTED), trials(300, deep, NESTED)))["stage.times"]
    assert times.seen
    assert [round(point.mean, 2) for point in times.points] == [0.9, 0.9, 0.92]


def test_a_range_is_told_in_stretches_of_as_many_trials() -> None:
    def rising(choices: Any, rng: random.Random) -> dict[str, float]:
        return {"validation_accuracy": 0.9 - 0.1 * choices["head.dropout"] + rng.gauss(0, 0.002)}

    effect = effects_of(study(), trials(200, rising))[0]
    assert effect.choice == "head.dropout"
    assert [point.count for point in effect.points] == [40] * 5
    means = [point.mean for point in effect.points]
    assert means == sorted(means, reverse=True)
    assert all(point.value < point.upto for point in effect.points)  # type: ignore[operator]
    assert effect.points[0].label.count("–") == 1


def test_what_two_choices_do_together_alone_is_in_neither() -> None:
    def together(choices: Any, rng: random.Random) -> dict[str, float]:
        return {"validation_accuracy": 0.9 + 0.02 * ((choices["stem.stride"] == 1) == (choices["head.pool"] == "max"))}

    effects = by_choice(effects_of(study(), trials(400, together)))
    assert effects["stem.stride"].high < 0.1
    assert effects["head.pool"].high < 0.1


def test_repeats_add_up() -> None:
    def each(choices: Any, rng: random.Random) -> dict[str, float]:
        pools = sum(choices.get(f"stage.{n}.kind") == "pool" for n in range(3))
        return {"validation_accuracy": 0.9 - 0.01 * pools + rng.gauss(0, 0.002)}

    effects = effects_of(study(NESTED), trials(300, each, NESTED))
    first, whole = sums_of(effects)[0], total_of(effects)
    assert first.pattern == "stage.*.kind"
    assert first.choices == ("stage.0.kind", "stage.1.kind", "stage.2.kind")
    assert first.seen
    parts = [effect.importance for effect in effects if effect.pattern == first.pattern]
    assert first.importance == pytest.approx(sum(parts), abs=0.01)
    assert max(parts) < first.low < first.importance < first.high <= 1
    assert first.importance <= whole.importance <= 1
    assert len(whole.choices) == len(effects)


def test_any_figure_can_be_asked_for_and_a_cost_follows_its_choices() -> None:
    def costly(choices: Any, rng: random.Random) -> dict[str, float]:
        return {**nothing_decides(choices, rng), "params": 100 * choices["stem.features"] * choices["stem.kernel"] ** 2}

    effects = effects_of(study(), trials(100, costly), figures=["params", "validation_accuracy"])
    assert {effect.choice for effect in effects if effect.seen} == {"stem.kernel", "stem.features"}
    assert {effect.figure for effect in effects if effect.seen} == {"params"}
    assert [effect.figure for effect in effects] == ["params"] * 5 + ["validation_accuracy"] * 5


def test_a_figure_that_no_trial_has_is_refused() -> None:
    with pytest.raises(LedgerError, match=r"has the figure 'latency'\. Did you mean 'latency_ms'"):
        effects_of(study(), [trial(0, PLAIN.sample(random.Random(0)), {"latency_ms": 1.0})], figures=["latency"])


def test_of_few_trials_nothing_is_said() -> None:
    assert effects_of(study(), trials(9, one_decides)) == ()
    assert effects_of(study(), []) == ()


def test_the_same_trials_give_the_same_effects() -> None:
    assert effects_of(study(), trials(30, one_decides)) == effects_of(study(), trials(30, one_decides))


def test_a_figure_that_is_the_same_everywhere_is_decided_by_nothing() -> None:
    effects = effects_of(study(), trials(30, lambda *_: {"validation_accuracy": 0.5}))
    assert [effect.importance for effect in effects] == [0.0] * 5
    assert not any(effect.seen for effect in effects)
    assert {(point.mean, point.low, point.high) for effect in effects for point in effect.points} == {(0.5, 0.5, 0.5)}


def test_the_best_tenth_is_set_apart_by_what_optuna_says() -> None:
    found = trials(400, one_decides)
    effects = by_choice(effects_of(study(), found))
    shares = {name: effect.best_tenth for name, effect in effects.items()}
    assert sum(share for share in shares.values() if share is not None) == pytest.approx(1)
    assert max(shares, key=lambda name: shares[name] or 0) == "stem.features"
    assert optunas_shares(found) == pytest.approx(shares)


def optunas_shares(found: list[Trial]) -> dict[str, float]:
    """By a study of Optuna's own, asked as its documentation says."""
    asked = optuna.create_study(direction="maximize", storage=optuna.storages.InMemoryStorage())
    domains = {
        "stem.features": optuna.distributions.CategoricalDistribution([8, 16, 32]),
        "stem.kernel": optuna.distributions.CategoricalDistribution([1, 3, 5]),
        "stem.stride": optuna.distributions.CategoricalDistribution([1, 2]),
        "head.dropout": optuna.distributions.FloatDistribution(0, 0.5),
        "head.pool": optuna.distributions.CategoricalDistribution(["average", "max"]),
    }
    for one in found:
        assert one.record is not None
        value = one.record.figures["validation_accuracy"]
        asked.add_trial(optuna.trial.create_trial(params=dict(one.architecture.choices), distributions=domains, value=value))
    return optuna.importance.get_param_importances(asked, evaluator=optuna.importance.PedAnovaImportanceEvaluator())


def test_answers_that_the_space_does_not_allow_are_told_all_the_same() -> None:
    found = trials(220, one_decides)
    foreign = {"stem.kernel": 99, "no.such.choice": "=1+1", "stem.features": 32}
    strange = [trial(300 + n, Architecture("plain", 1, {**foreign, "n": n}), {"validation_accuracy": 0.92}) for n in range(4)]
    effects = by_choice(effects_of(study(), [*found, *strange]))
    assert effects["stem.features"].seen
    assert effects["stem.kernel"].points[-1].value == 99
    assert effects["n"].best_tenth is None


def test_of_few_trials_no_best_tenth_is_told() -> None:
    assert {effect.best_tenth for effect in effects_of(study(), trials(199, one_decides))} == {None}


def test_a_space_of_more_levels_than_are_fitted_at_once_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.effects.additive.MOST_COLUMNS", 6)
    effects = effects_of(study(), trials(45, one_decides))
    assert len(effects) == 5
    assert [effect.choice for effect in effects if effect.seen] == ["stem.features"]


@pytest.mark.slow
def test_a_fifth_of_a_table_tells_what_the_whole_table_does() -> None:
    table = read_table(Path(__file__).parents[2] / "results/tables/digits-three_families.csv.gz")
    rng, entry = random.Random(0), study(table.space)

    def of(rows: Iterable[int]) -> dict[str, Effect]:
        found = [
            trial(n, table.architectures[row], {"validation_accuracy": float(rng.choice(table.trainings[row]))})
            for n, row in enumerate(rows)
        ]
        return by_choice(effects_of(entry, found))

    truth, parts = of(range(len(table))), [of(rng.sample(range(len(table)), 200)) for _ in range(10)]
    pairs = [(effect, truth[choice]) for part in parts for choice, effect in part.items()]
    held = [effect.low <= whole.importance <= effect.high for effect, whole in pairs]
    assert sum(held) / len(held) > 0.88
    assert sum(effect.seen and not whole.seen for effect, whole in pairs) <= 2
    assert sum(effect.seen for effect, whole in pairs if whole.importance > 0.05) >= 45
