"""Intervals of a model card, of trainings that no leaderboard compares."""

import pytest

from nas.exporting.card import bounds
from nas.ranking import Summary


@pytest.mark.parametrize(
    "name", ["test_accuracy", "test_f1", "test_auroc", "test_recall_at_5", "test_ndcg_at_10", "test_coverage"]
)
def test_a_share_ends_at_1_and_a_percentage_does_not(name: str) -> None:
    low, high = bounds(name, Summary(mean=0.99, deviation=0.02, count=2))
    assert low is not None
    assert (0 < low < 0.99, high) == (True, 1)
    low, high = bounds(name, Summary(mean=90.2, deviation=0.3, count=2))
    assert low is not None
    assert high is not None
    assert low < 90.2 < high


def test_no_time_is_below_0_and_a_loss_may_be() -> None:
    low, high = bounds("train_seconds", Summary(mean=20.7, deviation=5.9, count=2))
    assert low == 0
    assert high is not None
    assert high > 70
    low, _ = bounds("validation_loss", Summary(mean=0.08, deviation=0.1, count=2))
    assert low is not None
    assert low < 0
