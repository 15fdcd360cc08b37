"""How near generated pictures are to real ones: each figure against a hand count, a closed form or a brute-force twin."""

import math
from typing import Any

import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor

from nas.errors import BenchmarkError
from nas.training import METRICS, Generation
from nas.training.generation import class_coverage, density_and_coverage, frechet_distance, precision_and_recall


def normal(count: int, features: int, seed: int) -> Tensor:
    return torch.randn(count, features, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def task(**given: Any) -> Generation:
    return Generation(
        lambda _: pytest.fail("nothing is loaded"), latent=2, judge=lambda images: (images.flatten(1),) * 2, **given
    )


def test_the_distance_of_equal_pictures_is_0_and_of_moved_ones_the_square_of_the_way() -> None:
    features_NF = normal(50, 4, 0)
    assert frechet_distance(features_NF, features_NF) == pytest.approx(0, abs=1e-10)
    assert frechet_distance(features_NF + 3, features_NF) == pytest.approx(4 * 9)


def test_the_distance_of_wider_pictures_is_that_of_their_deviations() -> None:
    features_N1 = normal(50, 1, 0)
    deviation = features_N1.std().item()
    assert frechet_distance(3 * features_N1 - 2 * features_N1.mean(), features_N1) == pytest.approx((2 * deviation) ** 2)


def test_the_distance_is_that_by_a_general_root_of_a_matrix() -> None:
    one, other = normal(40, 5, 0) @ normal(5, 5, 1), normal(30, 5, 2) @ normal(5, 5, 3) + 1
    covariances = [torch.cov(features.T).numpy() for features in (one, other)]
    expected = (one.mean(0) - other.mean(0)).square().sum().item()
    expected += (covariances[0] + covariances[1] - 2 * sqrtm(covariances[0] @ covariances[1]).real).trace()
    assert frechet_distance(one, other) == pytest.approx(expected)
    assert frechet_distance(other, one) == pytest.approx(expected)


def test_the_distance_of_features_that_never_vary_is_finite() -> None:
    one, other = normal(20, 6, 0), normal(20, 6, 1)
    one[:, 2:] = 0
    assert math.isfinite(frechet_distance(one, other))
    assert frechet_distance(torch.zeros(9, 6).double(), torch.zeros(8, 6).double()) == 0


def test_precision_and_recall_agree_with_a_count_pair_by_pair() -> None:
    generated, real = normal(23, 2, 0) * 0.7 + 0.5, normal(19, 2, 1)

    def among(points: Tensor, others: Tensor) -> float:
        found = 0
        for point in points:
            for n, other in enumerate(others):
                rest = sorted((other - third).norm().item() for m, third in enumerate(others) if m != n)
                if (point - other).norm() <= rest[2]:
                    found += 1
                    break
        return found / len(points)

    precision, recall = precision_and_recall(generated, real)
    assert precision == pytest.approx(among(generated, real))
    assert recall == pytest.approx(among(real, generated))
    assert 0 < recall < 1


def test_a_generator_of_one_picture_is_precise_and_recalls_nothing() -> None:
    real = normal(30, 2, 0)
    precision, recall = precision_and_recall(real[:1].expand(30, 2), real)
    assert (precision, recall) == (1.0, 1 / 30)


def test_density_and_coverage_are_counts_of_neighbourhoods() -> None:
    real_N1 = torch.arange(8.0, dtype=torch.float64)[:, None]
    # At 0 the picture lies in all neighbourhoods that reach 5, 4, 3, 3, 4 and 5 to the left; beyond 20 in none.
    density, coverage = density_and_coverage(torch.tensor([[0.0], [20.0]]).double(), real_N1)
    reach = [sorted(abs(n - m) for m in range(8) if m != n)[4] for n in range(8)]
    within = [n <= reach[n] for n in range(8)]
    assert density == pytest.approx(sum(within) / 2 / 5)
    assert coverage == pytest.approx(sum(within) / 8)


def test_a_class_is_covered_by_a_tenth_of_its_share() -> None:
    real_N, made_N = torch.tensor([0] * 50 + [1] * 50), torch.tensor([0] * 95 + [1] * 5)
    logits = [torch.nn.functional.one_hot(labels_N, 3).float() for labels_N in (made_N, real_N)]
    assert class_coverage(*logits) == 1.0
    logits[0][95] = torch.tensor([1.0, 0.0, 0.0])
    assert class_coverage(*logits) == 0.5


def test_figures_are_those_of_all_batches_together() -> None:
    generated, real = (normal(40, 3, seed).float().reshape(40, 1, 1, 3) for seed in (0, 1))
    found = []
    for size in (40, 7):
        meter = task(metrics=("coverage", "density")).meter(torch.device("cpu"))
        for batch in zip(generated.split(size), real.split(size), strict=True):
            meter.update(*batch)
        found.append(meter.compute())
    assert found[0] == pytest.approx(found[1])
    assert list(found[0]) == ["frechet_distance", "precision", "recall", "class_coverage", "coverage", "density"]
    assert {*found[0]} <= {*METRICS}


def test_pictures_that_are_not_finite_have_figures_that_are_not() -> None:
    meter = task().meter(torch.device("cpu"))
    images = normal(10, 3, 0).reshape(10, 1, 1, 3)
    meter.update(images * math.nan, images)
    assert all(math.isnan(value) for value in meter.compute().values())


@pytest.mark.parametrize(
    ("count", "message"), [(0, "got none"), (5, "More than 5 pictures are compared, got 5; give the split more.")]
)
def test_too_few_pictures_are_refused(count: int, message: str) -> None:
    meter = task().meter(torch.device("cpu"))
    if count:
        meter.update(*(normal(count, 3, 0).reshape(count, 1, 1, 3),) * 2)
    with pytest.raises(BenchmarkError, match=message):
        meter.compute()


def test_there_is_no_loss_without_an_adversary_and_the_message_names_the_way_out() -> None:
    with pytest.raises(BenchmarkError, match=r"give the benchmark the protocol 'adversarial'\.$"):
        task().loss(torch.zeros(1), torch.zeros(1), 0.0)
