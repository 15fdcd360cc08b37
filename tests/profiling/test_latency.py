from math import comb

import pytest
import torch
from torch import Tensor, nn

from nas.profiling import latency
from nas.profiling.latency import measure_latency, median_interval


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)


class Noting(nn.Module):
    """Gives back what it is given, and notes in what state it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[bool, bool]] = []

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls.append((self.training, torch.is_grad_enabled()))
        return inputs


def coverage(count: int, low: int, high: int) -> float:
    """How surely the median lies between the times at two positions: a fair coin falls heads low+1 to high times of `count`."""
    return sum(comb(count, heads) for heads in range(low + 1, high + 1)) / 2**count


def test_the_interval_holds_the_median_at_least_95_percent_of_the_time() -> None:
    held = {count: coverage(count, *median_interval(count)) for count in range(5, 201)}
    assert held.pop(5) == 1 - 2 / 2**5  # 93.75 %, and no interval of five times holds it more surely
    assert min(held.values()) >= 0.95


def test_the_interval_is_at_most_one_place_wider_on_each_side_than_the_narrowest() -> None:
    for count in range(6, 201):
        _, high = median_interval(count)
        narrowest = next(end for end in range(count // 2, count) if coverage(count, count - 1 - end, end) >= 0.95)
        assert narrowest <= high <= narrowest + 1, count


@pytest.mark.parametrize("count", [1, 2, 5, 20, 21, 1_000])
def test_as_many_times_lie_below_the_interval_as_above(count: int) -> None:
    low, high = median_interval(count)
    assert low == count - 1 - high
    assert 0 <= low <= high < count


def test_five_times_or_fewer_are_all_in_the_interval() -> None:
    assert [median_interval(count) for count in range(1, 6)] == [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4)]


def test_the_interval_of_a_hundred_times_by_hand() -> None:
    """Counted from 1: floor(50 − 9.8) = 40 and ceil(51 + 9.8) = 61 (Le Boudec 2010, th. 2.1)."""
    assert median_interval(100) == (39, 60)


def test_a_measurement_says_how_it_was_made() -> None:
    measured = measure_latency(nn.Linear(3, 2).double(), torch.zeros(4, 3, dtype=torch.float64))
    assert measured.batch_size == 4
    assert measured.device == "cpu"
    assert measured.dtype == "float64"
    assert measured.threads == torch.get_num_threads()
    assert 0 < measured.low_ms <= measured.median_ms <= measured.high_ms
    assert measured.median_ms <= measured.p95_ms


def test_at_least_so_many_passes_are_timed_after_the_warm_up() -> None:
    model = Noting()
    assert measure_latency(model, torch.zeros(1)).samples == latency.MIN_SAMPLES
    assert len(model.calls) == latency.WARMUP_PASSES + latency.MIN_SAMPLES


def test_at_most_so_many_passes_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 60.0)
    monkeypatch.setattr(latency, "MAX_SAMPLES", 50)
    assert measure_latency(Noting(), torch.zeros(1)).samples == 50


def test_the_warm_up_lasts_a_while_for_quick_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.02)
    model = Noting()
    measured = measure_latency(model, torch.zeros(1))
    assert len(model.calls) - measured.samples > latency.WARMUP_PASSES


@pytest.mark.parametrize("training", [True, False])
def test_a_model_is_timed_in_evaluation_mode_without_gradients_and_comes_back_as_it_was(training: bool) -> None:
    model = Noting().train(training)
    measure_latency(model, torch.zeros(1))
    assert set(model.calls) == {(False, False)}
    assert model.training is training


def test_running_statistics_stay_as_they_are() -> None:
    model = nn.BatchNorm2d(3)
    measure_latency(model, torch.randn(2, 3, 4, 4))
    assert model.num_batches_tracked == 0
    assert torch.equal(model.running_mean, torch.zeros(3))


def test_a_model_with_ten_thousand_times_the_work_takes_longer() -> None:
    small, large = nn.Linear(16, 16), nn.Linear(1_600, 1_600)
    quick, slow = measure_latency(small, torch.zeros(1, 16)), measure_latency(large, torch.zeros(8, 1_600))
    assert slow.low_ms > quick.high_ms


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_pass_on_the_gpu_is_timed_to_its_end() -> None:
    device = torch.device("cuda", torch.cuda.device_count() - 1)
    small, large = nn.Linear(16, 16).to(device), nn.Linear(8_192, 8_192).to(device)
    quick = measure_latency(small, torch.zeros(1, 16, device=device))
    slow = measure_latency(large, torch.zeros(8_192, 8_192, device=device))
    assert quick.device == str(device)
    assert slow.low_ms > quick.high_ms
    assert slow.median_ms > 0.5  # 1.1e12 FLOPs: no GPU does them in half a millisecond
