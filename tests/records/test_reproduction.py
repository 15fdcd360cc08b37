"""The verdict on two Records, without any training."""

from dataclasses import replace

import numpy as np
import pytest

from nas.benchmark import Budget
from nas.records import Epoch, Failure, Latency, Machine, Record, Replicate, judge
from nas.records.reproduction import Deviation

MACHINE = Machine(system="Linux x86_64", processor="A Processor", cores=2, memory_gib=8)
CURVE = (
    Epoch(epoch=1, train_loss=2.0, figures={"validation_accuracy": 0.5}, seconds=1.0),
    Epoch(epoch=2, train_loss=1.0, figures={"validation_accuracy": 0.9}, seconds=2.0),
)
THEN = Record(
    outcome="complete",
    figures={"params": 100, "flops": 200, "validation_accuracy": 0.9, "latency_ms": 1.0, "train_seconds": 2.0, "naswot": 7.5},
    latency=Latency(
        median_ms=1.0, low_ms=0.9, high_ms=1.1, p95_ms=1.2, samples=9, batch_size=1, device="cpu", threads=1, dtype="float32"
    ),
    curve=CURVE,
    seed=0,
    budget=Budget(epochs=2),
    device="cpu",
    threads=1,
    machine=MACHINE,
    network_id="0123456789abcdef",
    weights_sha256="1" * 64,
    data_sha256="2" * 64,
    versions={"python": "3.13.1", "torch": "2.10.0"},
    commit="0123456789ab",
)


def now(**changes: object) -> Record:
    return replace(THEN, **changes)  # type: ignore[arg-type]


def other_figures(**figures: float) -> dict[str, float]:
    return {**THEN.figures, **figures}


NEAR = {
    "figures": other_figures(validation_accuracy=0.905),
    "weights_sha256": "3" * 64,
    "curve": (CURVE[0], replace(CURVE[1], figures={"validation_accuracy": 0.905})),
}
"""The same training, rounded otherwise."""


def test_equal_records_are_bit_equal() -> None:
    result = judge(THEN, THEN, architecture=("a", "a"))
    assert result.verdict == "bit-equal"
    assert [check.what for check in result.checks] == [
        *("architecture", "network", "params", "flops", "data", "outcome", "learning curve", "weights"),
        *("validation_accuracy", "naswot", "latency_ms", "train_seconds"),
    ]
    assert result.sentence == "Bit-equal: all 10 checks are equal to the last bit."


def test_time_and_memory_need_not_be_equal_and_stand_with_their_intervals() -> None:
    assert THEN.latency is not None
    slower = now(figures=other_figures(latency_ms=1.5, train_seconds=9.0), latency=replace(THEN.latency, low_ms=1.4, high_ms=1.6))
    result = judge(THEN, slower)
    latency = next(check for check in result.checks if check.what == "latency_ms")
    assert result.verdict == "bit-equal"
    assert (latency.equal, latency.holds) == (False, True)
    assert latency.basis == "[0.9, 1.1] and [1.4, 1.6] do not meet"


def test_the_time_of_a_trunk_is_a_time_too() -> None:
    result = judge(now(figures=other_figures(pretrain_seconds=20.0)), now(figures=other_figures(pretrain_seconds=9.0)))
    assert result.verdict == "bit-equal"
    assert next(check for check in result.checks if check.what == "pretrain_seconds").kind == "measured"


def test_seconds_of_the_learning_curve_do_not_count() -> None:
    assert judge(THEN, now(curve=tuple(replace(point, seconds=7.0) for point in CURVE))).verdict == "bit-equal"


def test_a_loss_that_is_off_in_the_last_bit_is_not_bit_equal() -> None:
    off = (CURVE[0], replace(CURVE[1], train_loss=1.0 + 2**-52))
    result = judge(THEN, now(curve=off))
    (curve,) = [check for check in result.checks if check.what == "learning curve"]
    assert result.verdict == "within tolerance"
    assert (curve.difference, curve.basis) == (2**-52, "first other at epoch 2")


def test_other_weights_behind_equal_figures_are_not_bit_equal() -> None:
    result = judge(THEN, now(weights_sha256="3" * 64))
    assert result.verdict == "within tolerance"
    assert result.sentence.startswith("Within tolerance: weights 111111111111 then, 333333333333 now. ")


def test_a_record_of_before_digests_is_bit_equal_as_far_as_it_tells() -> None:
    old = now(weights_sha256=None, data_sha256=None, network_id=None)
    result = judge(old, THEN)
    assert result.verdict == "bit-equal"
    assert result.sentence.endswith("; the record does not tell network; data; weights.")


def test_a_figure_is_held_against_its_deviation_over_seeds() -> None:
    near = now(**NEAR)
    assert judge(THEN, near, deviations={"validation_accuracy": Deviation(0.005 / 2.7, 1000)}).verdict == "within tolerance"
    far = judge(THEN, near, deviations={"validation_accuracy": Deviation(0.005 / 2.9, 1000)})
    assert far.verdict == "different"
    assert far.sentence.startswith(
        "Different: validation_accuracy 0.9 then, 0.905 now (|Δ| 0.005 > 0.0048, 2.8 deviations over seeds, "
        "known from 1,000 degrees of freedom). "
    )


@pytest.mark.parametrize("freedom", [1, 2, 5, 40])
def test_two_trainings_are_within_the_limit_in_19_of_20_cases_however_few_tell_the_deviation(freedom: int) -> None:
    rng = np.random.default_rng(freedom)
    known = np.sqrt(rng.chisquare(freedom, 40_000) / freedom)
    apart = np.abs(rng.standard_normal(40_000) - rng.standard_normal(40_000))
    assert np.mean(apart <= known * Deviation(1.0, freedom).limit) == pytest.approx(0.95, abs=0.005)


def test_a_limit_of_one_degree_of_freedom_says_so() -> None:
    result = judge(THEN, now(**NEAR), deviations={"validation_accuracy": Deviation(0.001, 1)})
    assert "(|Δ| 0.005 ≤ 0.018, 18 deviations over seeds, known from 1 degree of freedom)" in result.sentence
    assert result.verdict == "within tolerance"


def test_a_deviation_of_nothing_is_none() -> None:
    result = judge(THEN, now(**NEAR), deviations={"validation_accuracy": Deviation(0.0, 3)})
    assert "2 % of the figure" in result.sentence


SLOW = now(outcome="infeasible", curve=(), weights_sha256=None, broken_limits=("latency_ms <= 1.4, got 1.45",))


def test_a_measured_limit_need_not_be_broken_again() -> None:
    result = judge(SLOW, replace(SLOW, outcome="pruned", broken_limits=()))
    (outcome,) = [check for check in result.checks if check.what == "outcome"]
    assert (outcome.kind, outcome.then, outcome.now) == ("measured", "infeasible", "within limits")
    assert outcome.basis == "then latency_ms <= 1.4, got 1.45"
    assert result.verdict == "bit-equal"


def test_a_limit_of_what_follows_from_the_network_must_be_broken_again() -> None:
    for broken in (("params <= 99, got 100",), ("params <= 99, got 100", "latency_ms <= 1.4, got 1.45")):
        then = replace(SLOW, broken_limits=broken)
        assert judge(then, replace(then, outcome="pruned", broken_limits=())).verdict == "different"


def test_a_failure_is_another_outcome_than_a_measured_limit() -> None:
    failed = replace(SLOW, outcome="failed", broken_limits=(), error=Failure(kind="raised", message="x"))
    assert judge(SLOW, failed).verdict == "different"


def test_without_a_deviation_it_is_held_against_a_share_of_itself() -> None:
    near = now(**NEAR)
    assert judge(THEN, near).verdict == "within tolerance"
    assert judge(THEN, near, share=0.005).verdict == "different"
    assert "(|Δ| 0.005 ≤ 0.018, 2 % of the figure)" in judge(THEN, near).sentence


def test_a_figure_that_was_changed_by_hand_is_found() -> None:
    forged = now(figures=other_figures(validation_accuracy=0.99))
    result = judge(forged, THEN)
    assert result.verdict == "different"
    assert result.sentence == (
        "Different: validation_accuracy 0.99 then, 0.9 now (|Δ| 0.09 > 0.02, 2 % of the figure). "
        "Nothing that the record tells of the conditions differs."
    )


def test_a_figure_that_is_missing_now_is_different() -> None:
    fewer = {name: value for name, value in THEN.figures.items() if name != "validation_accuracy"}
    assert judge(THEN, now(figures=fewer)).verdict == "different"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"versions": {"python": "3.13.1", "torch": "2.11.0"}}, "torch 2.10.0, now 2.11.0"),
        ({"versions": {"python": "3.13.1"}}, "torch 2.10.0, now absent"),
        ({"commit": "ba9876543210"}, "harness commit 0123456789ab, now ba9876543210"),
        ({"threads": 2}, "threads 1, now 2"),
        ({"device": "cuda:0"}, "device cpu, now cuda:0"),
        ({"precision": "bfloat16"}, "precision float32, now bfloat16"),
        (
            {"machine": replace(MACHINE, processor="Another")},
            "machine A Processor, 2 cores, 8 GiB, Linux x86_64, now Another, 2 cores, 8 GiB, Linux x86_64",
        ),
    ],
    ids=["torch", "no torch", "commit", "threads", "device", "precision", "machine"],
)
def test_what_may_be_why_is_named(changes: dict[str, object], named: str) -> None:
    result = judge(THEN, now(**NEAR, **changes))
    assert result.verdict == "within tolerance"
    assert result.why == f"Other than then: {named}."
    still = judge(THEN, now(**changes))
    assert still.verdict == "bit-equal"
    assert still.sentence.endswith(f", though {named}.")


def test_other_data_are_a_difference_whatever_the_figures() -> None:
    result = judge(THEN, now(data_sha256="3" * 64))
    assert result.verdict == "different"
    assert (
        result.sentence
        == "Different: data 222222222222 then, 333333333333 now. Other than then: data 222222222222, now 333333333333."
    )


@pytest.mark.parametrize(
    "changes", [{"network_id": "f" * 16}, {"figures": other_figures(params=101)}, {"figures": other_figures(flops=1)}]
)
def test_another_network_is_different(changes: dict[str, object]) -> None:
    assert judge(THEN, now(**changes)).verdict == "different"


def test_another_architecture_is_different() -> None:
    assert judge(THEN, THEN, architecture=("a", "b")).verdict == "different"


def test_a_failure_is_reproduced_by_one_of_its_kind() -> None:
    failed = now(
        outcome="failed", figures={"params": 100}, curve=(), weights_sha256=None, error=Failure(kind="raised", message="x")
    )
    assert judge(failed, failed).verdict == "bit-equal"
    otherwise = replace(failed, error=Failure(kind="diverged", message="x"))
    result = judge(failed, otherwise)
    assert result.verdict == "different"
    assert result.sentence.startswith("Different: outcome failed, raised then, failed, diverged now.")
    assert judge(failed, THEN).verdict == "different"


def test_replicates_are_compared_each() -> None:
    several = tuple(
        Replicate(seed=seed, figures={"validation_accuracy": 0.9}, curve=CURVE, weights_sha256=str(seed) * 64) for seed in (4, 5)
    )
    then = now(replicates=several)
    assert judge(then, then).verdict == "bit-equal"
    result = judge(then, now(replicates=(several[0], replace(several[1], weights_sha256="9" * 64))))
    assert [check.what for check in result.checks if check.equal is False] == ["weights of seed 5"]


def test_doubts_are_told_where_equal_conditions_need_not_give_equal_bits() -> None:
    gpu = now(device="cuda:0", budget=Budget(epochs=2, seconds=9.0), commit="0123456789ab-dirty")
    why = judge(gpu, replace(gpu, **NEAR)).why  # type: ignore[arg-type]
    assert "On cuda:0 sums are taken in an order that chance decides." in why
    assert "The clock may have ended the training, which had a budget of seconds." in why
    assert "The harness had uncommitted changes then." in why


def test_the_verdict_is_plain_data() -> None:
    data = judge(THEN, now(**NEAR)).to_data()
    assert data["verdict"] == "within tolerance"
    assert {check["what"]: check["holds"] for check in data["checks"] if check["kind"] == "figure"} == {
        "validation_accuracy": True,
        "naswot": True,
    }
