import math

import pytest
import torch
from sklearn.metrics import roc_auc_score

from nas.training.intervals import area_interval


def test_the_ends_solve_the_equation_of_the_method() -> None:
    """|area − θ| = z √V(θ), with Hanley & McNeil's V and 60 in the place of both counts."""
    for theta in area_interval(0.9, 40, 80):
        first, second = theta / (2 - theta), 2 * theta**2 / (1 + theta)
        variance = (theta * (1 - theta) + 59 * (first - theta**2) + 59 * (second - theta**2)) / (40 * 80)
        assert abs(0.9 - theta) == pytest.approx(1.959964 * math.sqrt(variance), rel=1e-6)


def test_an_area_of_one_is_not_taken_for_sure() -> None:
    low, high = area_interval(1.0, 42, 72)
    assert 0.9 < low < 0.99
    assert high == 1.0
    assert area_interval(0.0, 42, 72) == pytest.approx((0.0, 1 - low))


def test_more_examples_make_it_narrower() -> None:
    assert area_interval(0.9, 400, 800)[0] > area_interval(0.9, 40, 80)[0]


def test_nineteen_of_twenty_intervals_hold_the_true_area() -> None:
    """Of two normal distributions 1.5 apart the area is Φ(1.5 / √2); over 600 samples of 25 and 40 the error is 0.009."""
    generator = torch.Generator().manual_seed(0)
    true = 0.5 * (1 + math.erf(1.5 / 2))
    classes = [1] * 25 + [0] * 40
    held = 0
    for _ in range(600):
        scores = torch.randn(65, generator=generator)
        scores[:25] += 1.5
        low, high = area_interval(roc_auc_score(classes, scores), 25, 40)
        held += low <= true <= high
    assert 0.93 <= held / 600 <= 0.98
