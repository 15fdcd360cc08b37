"""What a higher cost buys, on studies whose truth is known."""

import random
from typing import Any

import numpy as np
import pytest
from planted import BUDGET, MACHINE, study, trial, trials

from nas.effects import evidence_of, prices_of
from nas.effects.prices import _rising
from nas.errors import LedgerError

GOOD = 1.2816 * 0.01
"""How far a tenth of normal noise of 0.01 lies above its mean."""


def saturating(_: Any, rng: random.Random) -> dict[str, float]:
    """Accuracy rises by 0.05 a millisecond up to 2 ms, and no further."""
    latency = rng.uniform(0.5, 4.0)
    return {"latency_ms": latency, "validation_accuracy": 0.8 + 0.05 * min(latency, 2.0) + rng.gauss(0, 0.01)}


def flat(_: Any, rng: random.Random) -> dict[str, float]:
    return {"latency_ms": rng.uniform(0.5, 4.0), "validation_accuracy": 0.9 + rng.gauss(0, 0.01)}


def test_a_step_buys_what_good_trials_gain_and_nothing_where_they_gain_nothing() -> None:
    (price,) = prices_of(study(), trials(1_000, saturating), costs=["latency_ms"], more=1.0)
    first, *_, last = price.steps
    assert first.at + first.more < 2.0
    assert first.low < 0.05 < first.high
    assert first.gain == pytest.approx(0.05, abs=0.01)
    assert last.at > 2.0
    assert last.low == pytest.approx(0.0, abs=1e-9)
    assert last.gain < 0.005


def test_good_is_what_a_tenth_exceed_at_each_cost() -> None:
    (price,) = prices_of(study(), trials(4_000, saturating), costs=["latency_ms"])
    for bound in price.bounds[1:-1]:
        assert bound.good == pytest.approx(0.8 + 0.05 * min(bound.cost, 2.0) + GOOD, abs=0.004)
    goods = [bound.good for bound in price.bounds]
    assert goods == sorted(goods)
    assert sum(bound.count for bound in price.bounds) == 4_000


def test_intervals_of_gains_hold_the_truth_as_often_as_they_say() -> None:
    held = []
    for seed in range(40):
        (price,) = prices_of(study(), trials(200, saturating, seed=seed), costs=["latency_ms"], more=1.0)
        held.append(price.steps[0].low <= 0.05 * (min(2.0, price.steps[0].at + 1.0) - price.steps[0].at) <= price.steps[0].high)
    assert sum(held) >= 33  # of 38; fewer have a probability of 0.3 %


def test_where_a_cost_buys_nothing_few_steps_say_that_it_does() -> None:
    sold = [
        step.low > 1e-9
        for seed in range(30)
        for price in prices_of(study(), trials(120, flat, seed=seed), costs=["latency_ms"], more=1.0)
        for step in price.steps
    ]
    assert len(sold) >= 60
    assert sum(sold) / len(sold) <= 0.05


def test_of_a_loss_less_is_more() -> None:
    def falling(_: Any, rng: random.Random) -> dict[str, float]:
        params = rng.randrange(1_000, 9_000)
        return {"params": params, "validation_loss": 2.0 - params / 10_000 + rng.gauss(0, 0.02)}

    (price,) = prices_of(study(), trials(400, falling), figures=["validation_loss"])
    assert price.direction == "minimize"
    goods = [bound.good for bound in price.bounds]
    assert goods == sorted(goods, reverse=True)
    assert all(bound.low <= bound.good <= bound.high for bound in price.bounds)
    assert all(step.low > 0 for step in price.steps)
    assert [step.more for step in price.steps] == [2_000.0] * len(price.steps)


def test_a_limit_of_the_study_is_told_and_no_step_goes_beyond_what_was_tried() -> None:
    (price,) = prices_of(study(limits=["latency_ms <= 4", "latency_ms <= 4.5", "params >= 10"]), trials(100, saturating))
    assert price.limit == 4.0
    assert all(step.at + step.more <= price.dearest for step in price.steps)


def test_steps_that_are_longer_than_all_that_was_tried_are_none() -> None:
    (price,) = prices_of(study(), trials(100, saturating), costs=["latency_ms"], more=50.0)
    assert price.steps == ()


def test_few_trials_or_one_cost_have_no_price() -> None:
    assert prices_of(study(), trials(19, saturating)) == ()
    same = trials(50, lambda _, rng: {"latency_ms": 1.5, "validation_accuracy": rng.random()})
    assert prices_of(study(), same) == ()


def test_a_cost_that_no_trial_has_is_refused() -> None:
    with pytest.raises(LedgerError, match=r"has the figure 'flop'\. "):
        prices_of(study(), trials(30, saturating), costs=["flop"])


@pytest.mark.parametrize("more", [0.0, -1.0, float("nan"), float("inf")])
def test_a_price_is_for_more(more: float) -> None:
    with pytest.raises(LedgerError, match="A price is for an amount above 0 of a cost, got"):
        prices_of(study(), trials(30, saturating), more=more)


def test_isotonic_means_are_those_of_pooling_by_hand() -> None:
    counts = np.array([1, 2, 1, 1])
    assert _rising(np.array([[1.0, 4.0, 1.0, 5.0]]), counts)[0] == pytest.approx([1.0, 3.0, 3.0, 5.0])
    rng = np.random.default_rng(0)
    for _ in range(100):
        values, counts = rng.normal(size=8), rng.integers(1, 9, size=8)
        assert _rising(values[None], counts)[0] == pytest.approx(pooled(list(values), list(counts)))


def pooled(values: list[float], counts: list[int]) -> list[float]:
    """Pool adjacent violators, one by one."""
    pools: list[tuple[float, int, int]] = []
    for value, count in zip(values, counts, strict=True):
        pools.append((value, count, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, wide, m), (b, narrow, n) = pools[-2:]
            pools[-2:] = [((a * wide + b * narrow) / (wide + narrow), wide + narrow, m + n)]
    return [value for value, _, places in pools for _ in range(places)]


def test_trials_compare_where_budget_and_setting_are_those_of_most() -> None:
    found = trials(30, saturating)
    other = [
        trial(100 + n, one.architecture, {"latency_ms": 1.0}, record={"budget": BUDGET, "machine": MACHINE, "device": "cuda:0"})
        for n, one in enumerate(found[:10])
    ]
    again = [trial(200, found[0].architecture, {"latency_ms": 9.0})]
    unfinished = [trial(300, found[0].architecture, {}, state="failed", record={"outcome": "failed"})]
    final = [trial(400, found[1].architecture, {"latency_ms": 9.0}, stage="final")]
    evidence = evidence_of(study(), [*other, *found, *again, *unfinished, *final])
    assert len(evidence.trials) == 30
    assert (evidence.again, evidence.left_out) == (1, 10)
    assert evidence.values("latency_ms").max() < 9
