import pytest
import torch
from test_timing import Noting
from torch import Tensor, nn

from nas.errors import SearchError
from nas.profiling import throughput, timing
from nas.profiling.throughput import Batch, measure_throughput


class Clock:
    """What goes by where networks sleep, and a microsecond at each look: nothing where other processes are at work."""

    def __init__(self) -> None:
        self.now_ns = 0

    def perf_counter_ns(self) -> int:
        self.now_ns += 1_000
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(1e9 * seconds)


clock = Clock()


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "SECONDS_A_BATCH_SIZE", 0.0)
    monkeypatch.setattr(timing, "time", clock)


class Sleeping(nn.Module):
    """Takes `seconds`, and `seconds_each` for each example of a batch."""

    def __init__(self, seconds: float, seconds_each: float) -> None:
        super().__init__()
        self.seconds, self.seconds_each = seconds, seconds_each

    def forward(self, inputs: Tensor) -> Tensor:
        clock.sleep(self.seconds + len(inputs) * self.seconds_each)
        return inputs


class Cramped(nn.Module):
    """Has memory for so many examples and no more."""

    def __init__(self, most: int, error: Exception) -> None:
        super().__init__()
        self.most, self.error = most, error

    def forward(self, inputs: Tensor) -> Tensor:
        if len(inputs) > self.most:
            raise self.error
        clock.sleep(0.002)
        return inputs


def sizes(measured: throughput.Throughput) -> list[int]:
    return [batch.batch_size for batch in measured.batches]


def test_batches_double_up_to_the_largest_while_examples_a_second_grow() -> None:
    measured = measure_throughput(Sleeping(0.003, 0.0), torch.zeros(3, 2), largest=20)
    assert sizes(measured) == [1, 2, 4, 8, 16]
    assert measured.ended == "largest batch size"
    assert measured.best.batch_size == 16
    assert measured.best.examples_a_second == pytest.approx(16 / 0.003, rel=1e-3)


def test_it_ends_where_larger_batches_bring_nothing() -> None:
    measured = measure_throughput(Sleeping(0.0, 0.002), torch.zeros(1, 2))
    assert measured.ended == "no longer grows"
    assert sizes(measured) == [1, 2, 4]


def test_one_batch_size_without_growth_is_not_the_end() -> None:
    def batches(*examples_a_second: float) -> list[Batch]:
        return [Batch(batch_size=2**n, p10_ms=1_000 * 2**n / speed, samples=5) for n, speed in enumerate(examples_a_second)]

    assert not throughput._flat(batches(100, 200, 190, 300))
    assert not throughput._flat(batches(100, 100))
    assert throughput._flat(batches(100, 200, 190, 205))


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory.")])
def test_it_ends_where_memory_does(error: Exception) -> None:
    measured = measure_throughput(Cramped(4, error), torch.zeros(1, 2))
    assert (sizes(measured), measured.ended) == ([1, 2, 4], "out of memory")


def test_an_error_that_is_not_of_memory_is_raised() -> None:
    with pytest.raises(ValueError, match="no such thing"):
        measure_throughput(Cramped(4, ValueError("no such thing")), torch.zeros(1, 2))


def test_memory_that_does_for_no_example_is_raised() -> None:
    with pytest.raises(MemoryError):
        measure_throughput(Cramped(0, MemoryError()), torch.zeros(1, 2))


def test_it_ends_where_a_pass_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "LONGEST_PASS_SECONDS", 0.006)
    measured = measure_throughput(Sleeping(0.0, 0.005), torch.zeros(1, 2))
    assert measured.ended == "a pass takes too long"
    assert [batch.p10_ms for batch in measured.batches] == pytest.approx([5, 10], rel=1e-3)


def test_each_batch_is_copies_of_one_example_in_evaluation_mode() -> None:
    class Seeing(Noting):
        def forward(self, inputs: Tensor) -> Tensor:
            assert torch.equal(inputs, torch.tensor([[7, 8]]).repeat(len(inputs), 1))
            return super().forward(inputs)

    model = Seeing()
    measured = measure_throughput(model, torch.tensor([[7, 8], [1, 2]]), largest=4)
    assert sizes(measured) == [1, 2, 4]
    assert set(model.calls) == {(False, False)}
    assert model.training


def test_each_of_several_inputs_is_copied() -> None:
    measured = measure_throughput(nn.Bilinear(2, 3, 1), (torch.zeros(1, 2), torch.zeros(1, 3)), largest=2)
    assert sizes(measured) == [1, 2]


def test_a_batch_of_half_a_second_for_a_hundred_is_two_hundred_a_second() -> None:
    assert Batch(batch_size=100, p10_ms=500.0, samples=5).examples_a_second == 200


def test_a_throughput_says_how_it_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = measure_throughput(nn.Linear(2, 2), torch.zeros(1, 2), largest=1)
    assert (measured.device, measured.threads, measured.backend) == ("cpu", torch.get_num_threads(), "eager")
    assert measured.batches[0].samples == throughput.MIN_PASSES


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(SearchError, match=r"^No backend is called 'fast'"):
        measure_throughput(nn.Identity(), torch.zeros(1), backend="fast")  # type: ignore[arg-type]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_does_more_examples_a_second_in_batches_and_gives_its_memory_back() -> None:
    before = torch.cuda.memory_allocated()
    measured = measure_throughput(nn.Linear(256, 256).cuda(), torch.zeros(1, 256, device="cuda"), largest=4_096)
    assert measured.best.batch_size > 1
    assert measured.device == "cuda:0"
    assert torch.cuda.memory_allocated() <= before + 256 * 257 * 4 + 4_096
