"""What a model card says: intervals of trainings that no leaderboard compares, figures in order, and what comes out."""

import pytest

from nas.exporting.card import bounds, outputs_of, place_of
from nas.ranking import Summary
from nas.searching import resolve_benchmark


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


def test_figures_stand_by_what_they_tell_and_by_their_numbers() -> None:
    names = [
        *("test_hits_at_1", "test_hits_at_3", "test_hits_at_10", "validation_mrr"),
        *("params", "flops", "latency_ms", "latency_ms:phone", "discriminator_params"),
    ]
    assert sorted(sorted(names), key=place_of) == names


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("digits", "a logit for each of 10 classes, before the softmax"),
        ("breast_cancer", "a logit for each of 2 classes, before the softmax"),
        ("kinships", "a score for each of 104 entities, the higher the likelier that it answers"),
        ("digits_generation", "an image of 1×8×8"),
    ],
)
def test_what_comes_out_is_said_by_what_it_means(name: str, words: str) -> None:
    assert outputs_of(resolve_benchmark(name)) == words
