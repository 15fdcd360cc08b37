"""Guesses of members, against answers that are known."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from nas.errors import SearchError
from nas.privacy import likelihood_ratios, losses_of, signals, standing
from nas.privacy.inference import area, share_found
from nas.training import Classification, Examples


def test_losses_are_those_of_each_example_by_itself() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.9))
    examples = Examples(torch.randn(20, 4), torch.randint(3, (20,)))
    task = Classification(lambda _: examples)
    network.train()
    found = losses_of(network, task, examples)
    network.eval()
    wanted = nn.functional.cross_entropy(network(examples.inputs), examples.targets, reduction="none")
    assert found == pytest.approx(wanted.detach().numpy(), rel=1e-5)


def test_signals_are_logits_of_the_probability() -> None:
    for p in (0.01, 0.5, 0.99):
        assert signals(np.array([-math.log(p)]))[0] == pytest.approx(math.log(p / (1 - p)))
    assert np.isfinite(signals(np.array([0.0, 1e-30, 700.0]))).all()


def test_the_area_is_that_of_a_roc_curve_ties_included() -> None:
    rng = np.random.default_rng(0)
    members, others = rng.integers(0, 20, 80).astype(float) + 2, rng.integers(0, 20, 120).astype(float)
    labels = np.r_[np.ones(80), np.zeros(120)]
    assert area(members, others) == pytest.approx(roc_auc_score(labels, np.r_[members, others]))


def test_of_the_others_one_in_a_hundred_may_be_above_the_bound() -> None:
    others = np.arange(200.0)  # two of them may be: 198 and 199
    assert share_found(np.array([197.5, 198.0, 197.0, 500.0]), others) == 0.75
    assert share_found(others, others) == 0.01


def test_intervals_hold_chance_where_nothing_can_be_told_and_not_where_all_can() -> None:
    rng = np.random.default_rng(1)
    nothing = standing(rng.normal(size=400), rng.normal(size=400))
    assert nothing.auroc_low < 0.5 < nothing.auroc_high
    assert nothing.found_low is not None
    assert nothing.found_low <= 0.01 <= nothing.found_high  # type: ignore[operator]
    all_told = standing(rng.normal(size=400) + 10, rng.normal(size=400))
    assert all_told.auroc_low > 0.99
    assert all_told.found == 1.0
    assert standing(rng.normal(size=400), rng.normal(size=99)).found is None  # one in a hundred of 99 is none
    assert standing(np.zeros(9), np.ones(9)) == standing(np.zeros(9), np.ones(9))


def test_likelihood_ratios_are_those_of_the_normals_that_signals_are_drawn_from() -> None:
    rng = np.random.default_rng(2)
    count = 4_000
    hard = rng.normal(0, 5, count)  # how hard an example is, which the loss alone cannot tell from being no member
    inside = np.zeros((8, count), dtype=bool)
    for number in range(0, 8, 2):
        inside[number] = rng.random(count) < 0.5
        inside[number + 1] = ~inside[number]
    shadows = hard + 2.0 * inside + rng.normal(size=(8, count))
    member = rng.random(count) < 0.5
    target = hard + 2.0 * member + rng.normal(size=count)
    ratios = likelihood_ratios(target, shadows, inside)
    by_loss = standing(target[member], target[~member])
    by_shadows = standing(ratios[member], ratios[~member])
    assert by_loss.auroc < 0.65
    # A difference of 2 between normals whose deviation is that of a signal and of a mean over the shadows: √(1 + 1/8) or so.
    assert by_shadows.auroc == pytest.approx(0.91, abs=0.02)
    exact = ((target - hard) ** 2 - (target - hard - 2) ** 2) / 2
    assert np.corrcoef(ratios, exact)[0, 1] > 0.9


def test_an_example_needs_two_networks_of_a_kind() -> None:
    inside = np.array([[True, True], [False, False], [True, False]])
    with pytest.raises(SearchError, match="out of two at least, got 1"):
        likelihood_ratios(np.zeros(2), np.zeros((3, 2)), inside)
