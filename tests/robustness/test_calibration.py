"""Calibration: by hand, against its definition, and its interval against what it claims."""

import numpy as np
import pytest
import torch

from nas.errors import BenchmarkError
from nas.robustness import Groups, calibrate


def test_the_error_is_that_of_a_hand_count() -> None:
    # Two bins of a half: three answers of 0.9, two of them right, and one of 0.3, which is wrong.
    found = calibrate(np.array([0.9, 0.9, 0.9, 0.3]), np.array([True, True, False, False]), bins=2)
    assert found.error == pytest.approx(3 / 4 * abs(2 / 3 - 0.9) + 1 / 4 * 0.3)
    assert [(one.low, one.high, one.count) for one in found.bins] == [(0, 0.5, 1), (0.5, 1, 3)]
    assert found.bins[1].confidence == pytest.approx(0.9)
    assert found.bins[1].accuracy == pytest.approx(2 / 3)


def test_torchmetrics_finds_the_same_error() -> None:
    from torchmetrics.functional.classification import multiclass_calibration_error

    chance = torch.Generator().manual_seed(0)
    shares_NK = (3 * torch.randn((500, 4), generator=chance)).softmax(1)
    classes_N = torch.randint(4, (500,), generator=chance)
    confidence_N, answer_N = shares_NK.max(1)
    theirs = multiclass_calibration_error(shares_NK, classes_N, num_classes=4, n_bins=15, norm="l1").item()
    assert calibrate(confidence_N.double().numpy(), (answer_N == classes_N).numpy()).error == pytest.approx(theirs, abs=1e-6)


def test_bins_of_equal_mass_hold_equally_many_and_sure_answers_one_bar() -> None:
    random = np.random.RandomState(0)
    confidence_N = random.beta(8, 1, 1_500)
    found = calibrate(confidence_N, random.rand(1_500) < confidence_N, mass=True)
    assert {one.count for one in found.bins} == {100}
    sure = calibrate(np.ones(20), np.ones(20, dtype=bool), mass=True)
    assert (sure.error, sure.low, sure.high) == (0, 0, 0)
    assert sum(one.count for one in sure.bins) == 20
    assert sure.bins[3].confidence is None or sure.bins[3].count == 20


def test_the_interval_holds_the_error_and_narrows_with_more_examples() -> None:
    random = np.random.RandomState(1)

    def found(count: int):
        confidence_N = random.uniform(0.5, 1, count)
        return calibrate(confidence_N, random.rand(count) < confidence_N - 0.2)

    few, many = found(200), found(5_000)
    assert many.low < 0.2 < many.high
    assert many.low < many.error < many.high
    assert many.high - many.low < 0.4 * (few.high - few.low)


def test_no_answers_and_what_is_no_confidence_are_refused() -> None:
    for confidence_N in (np.array([]), np.array([1.2]), np.array([np.nan])):
        with pytest.raises(BenchmarkError, match="Confidences are shares"):
            calibrate(confidence_N, np.ones(len(confidence_N), dtype=bool))


def test_the_worst_group_comes_first_and_one_without_examples_not_at_all() -> None:
    groups = Groups(["ann", "bob", "eve"], torch.tensor([0, 0, 1, 1, 1]))
    right_N = torch.tensor([True, False, True, True, False])
    assert groups.shares(right_N) == {"ann": 0.5, "bob": pytest.approx(2 / 3)}
    assert [*groups.shares(right_N)] == ["ann", "bob"]
    with pytest.raises(BenchmarkError, match="Each example has a group, got 5 for 4 examples"):
        groups.shares(right_N[:4])
