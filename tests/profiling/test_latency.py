import time
from dataclasses import replace
from itertools import count
from types import SimpleNamespace

import pytest
import torch
from test_timing import Noting
from torch import nn

from nas.profiling import latency
from nas.profiling.latency import measure_latency
from nas.profiling.reference import Reading, Reference
from nas.records import Latency

CALM = Reading(best_ms=0.1, slowdown=1.0)


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[Reading]:
    """What the reference tells of each attempt, in their order; the last of all further ones."""
    told = [CALM]
    monkeypatch.setattr(Reference, "read", lambda *_: told.pop(0) if len(told) > 1 else told[0])
    return told


def test_a_measurement_says_how_it_was_made() -> None:
    measured = measure_latency(nn.Linear(3, 2).double(), torch.zeros(4, 3, dtype=torch.float64))
    assert measured.batch_size == 4
    assert measured.device == "cpu"
    assert measured.dtype == "float64"
    assert measured.threads == torch.get_num_threads()
    assert measured.backend == "eager"


def test_a_network_of_several_inputs_is_measured() -> None:
    measured = measure_latency(nn.Bilinear(2, 3, 1), (torch.zeros(5, 2), torch.zeros(5, 3)))
    assert (measured.batch_size, measured.dtype) == (5, "float32")


def test_its_figures_stand_in_order() -> None:
    measured = measure_latency(nn.Linear(3, 2), torch.zeros(4, 3))
    assert measured.p10_ms is not None
    assert measured.p99_ms is not None
    assert 0 < measured.low_ms <= measured.median_ms <= measured.high_ms
    assert measured.p10_ms <= measured.median_ms <= measured.p95_ms <= measured.p99_ms
    assert measured.relative_width == pytest.approx((measured.high_ms - measured.low_ms) / measured.median_ms)


def test_sessions_are_tied_by_the_reference() -> None:
    measured = measure_latency(nn.Linear(3, 2), torch.zeros(4, 3))
    assert measured.p10_ms is not None
    assert measured.reference_ms is not None
    assert measured.slowdown is not None
    assert measured.slowdown >= 1
    assert measured.relative == measured.p10_ms / measured.reference_ms
    assert replace(measured, reference_ms=None).relative is None


def test_tokens_are_no_number_format_to_compute_in() -> None:
    assert measure_latency(nn.Embedding(5, 2), torch.zeros(1, 3, dtype=torch.int64)).dtype == "float32"
    assert measure_latency(nn.Identity(), torch.zeros(1, 3, dtype=torch.int64)).dtype == "int64"


@pytest.mark.usefixtures("readings")
def test_at_least_so_many_turns_are_timed_after_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "TURN_MS", 0.0)  # one pass a turn
    model = Noting()
    assert measure_latency(model, torch.zeros(1)).samples == latency.MIN_TURNS
    assert len(model.calls) == latency.WARMUP_PASSES + latency.MIN_TURNS


@pytest.mark.usefixtures("readings")
def test_sampling_ends_when_the_interval_is_narrow_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 60.0)
    monkeypatch.setattr(latency, "TURN_MS", 0.0)
    assert measure_latency(Noting(), torch.zeros(1), relative_width=1e9).samples == latency.MIN_TURNS


@pytest.mark.usefixtures("readings")
def test_sampling_ends_after_a_while_however_wide_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.2)
    monkeypatch.setattr(latency, "TURN_MS", 0.0)
    monkeypatch.setattr(latency, "time", SimpleNamespace(perf_counter=count(0.0, 0.01).__next__))  # what a turn takes
    measured = measure_latency(Noting(), torch.zeros(1), relative_width=-1.0)
    assert latency.MIN_TURNS < measured.samples == pytest.approx(20, abs=1)


def test_the_warm_up_goes_on_while_passes_become_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 60.0)
    monkeypatch.setattr(latency, "TURN_MS", 0.0)
    times = iter([100.0, 90.0, 80.0, 70.0, 60.0, 59.0, 0.1])
    assert latency._warm_up(lambda: next(times)) == 59.0
    assert next(times) == 0.1


def test_the_warm_up_ends_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.01)
    times = (100.0 * 0.9**n for n in range(1_000_000))

    def ever_faster() -> float:
        time.sleep(1e-4)
        return next(times)

    assert latency._warm_up(ever_faster) < 100.0


def attempts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts them, and leaves room for all."""
    counted: list[int] = []
    original = latency._attempt
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 60.0)
    monkeypatch.setattr(latency, "TURN_MS", 0.0)
    monkeypatch.setattr(latency, "_attempt", lambda *given: counted.append(1) or original(*given))
    return counted


def test_a_measurement_that_was_disturbed_is_repeated_and_the_calm_one_counts(
    monkeypatch: pytest.MonkeyPatch, readings: list[Reading]
) -> None:
    counted = attempts(monkeypatch)
    readings[:] = [Reading(best_ms=0.1, slowdown=2.0), CALM]
    measured = measure_latency(Noting(), torch.zeros(1), relative_width=1e9)
    assert (len(counted), measured.slowdown, measured.disturbed) == (2, 1.0, None)


def test_it_is_repeated_so_often_at_most_and_the_least_disturbed_counts_and_says_so(
    monkeypatch: pytest.MonkeyPatch, readings: list[Reading]
) -> None:
    counted = attempts(monkeypatch)
    readings[:] = [Reading(best_ms=0.1, slowdown=slowdown) for slowdown in (3.0, 1.25, 2.0)]
    measured = measure_latency(Noting(), torch.zeros(1), relative_width=1e9)
    assert (len(counted), measured.slowdown) == (latency.ATTEMPTS, 1.25)
    assert measured.disturbed == (
        "The reference network took 1.25 times its best meanwhile: other work went on, or the clock was "
        "slower, and the interval is wider by as much."
    )


def test_no_attempt_begins_when_the_time_for_all_is_over(readings: list[Reading]) -> None:
    readings[:] = [Reading(best_ms=0.1, slowdown=3.0), CALM]
    assert measure_latency(Noting(), torch.zeros(1)).slowdown == 3.0


def test_an_interval_reaches_down_as_far_as_the_reference_was_slowed() -> None:
    turns = [[1.0, 1.1], [1.2, 1.3]]
    calm = latency._look(turns, CALM)
    slower = latency._look(turns, Reading(best_ms=0.1, slowdown=1.05))
    assert (calm.low_ms, calm.median_ms, calm.high_ms) == pytest.approx((1.05, 1.15, 1.25))
    assert (slower.low_ms, slower.median_ms, slower.high_ms) == pytest.approx((1.05 / 1.05, 1.15, 1.25))
    assert slower.width == pytest.approx(0.25 / 1.15)


def test_a_disturbed_interval_reaches_down_from_the_low_quantile() -> None:
    """Of twenty passes in ten turns, every other interrupted: the best tenth is what contention changed least."""
    turns = [[1.0, 5.0]] * 10
    disturbed = latency._look(turns, Reading(best_ms=0.1, slowdown=2.0))
    assert (disturbed.low_ms, disturbed.median_ms, disturbed.high_ms) == (0.5, 3.0, 3.0)


def test_running_statistics_stay_as_they_are() -> None:
    model = nn.BatchNorm2d(3)
    measure_latency(model, torch.randn(2, 3, 4, 4))
    assert model.num_batches_tracked == 0
    assert torch.equal(model.running_mean, torch.zeros(3))
    assert model.training


def test_a_model_with_ten_thousand_times_the_work_takes_longer() -> None:
    small, large = nn.Linear(16, 16), nn.Linear(1_600, 1_600)
    quick, slow = measure_latency(small, torch.zeros(1, 16)), measure_latency(large, torch.zeros(8, 1_600))
    assert quick.p99_ms is not None
    assert slow.p10_ms is not None
    assert slow.p10_ms > quick.median_ms


def test_a_latency_of_before_there_was_a_reference_is_still_read() -> None:
    old = {"median_ms": 1.5, "low_ms": 1.4, "high_ms": 1.7, "p95_ms": 2.0, "samples": 100, "batch_size": 1}
    read = Latency(**old, device="cpu", threads=1, dtype="float32")
    assert (read.p10_ms, read.p99_ms, read.relative_width, read.reference_ms, read.slowdown, read.disturbed) == (None,) * 6
    assert (read.backend, read.relative) == ("eager", None)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_pass_on_the_gpu_is_measured_with_its_reference_there() -> None:
    device = torch.device("cuda", torch.cuda.device_count() - 1)
    small, large = nn.Linear(16, 16).to(device), nn.Linear(8_192, 8_192).to(device)
    quick = measure_latency(small, torch.zeros(1, 16, device=device))
    slow = measure_latency(large, torch.zeros(8_192, 8_192, device=device))
    assert quick.device == str(device)
    assert slow.p10_ms is not None
    assert slow.p10_ms > quick.median_ms
    assert slow.median_ms > 0.5  # 1.1e12 FLOPs: no GPU does them in half a millisecond
    assert slow.reference_ms is not None
