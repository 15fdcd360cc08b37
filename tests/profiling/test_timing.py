import time

import pytest
import torch
from torch import Tensor, nn

from nas.profiling.timing import LONGEST_TURN, evaluating, passes_in, stopwatch, turn

CPU = torch.device("cpu")


class Noting(nn.Module):
    """Gives back what it is given, and notes in what state it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[bool, bool]] = []

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls.append((self.training, torch.is_grad_enabled()))
        return inputs


@pytest.mark.parametrize("training", [True, False])
def test_a_model_is_asked_in_evaluation_mode_without_gradients_and_comes_back_as_it_was(training: bool) -> None:
    model = Noting().train(training)
    with evaluating(model):
        model(torch.zeros(1))
    assert model.calls == [(False, False)]
    assert model.training is training
    assert torch.is_grad_enabled()


def test_each_part_comes_back_in_the_mode_that_it_had() -> None:
    model = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2)).train()
    model[1].eval()  # frozen statistics
    with evaluating(model):
        assert not model[0].training
    assert (model.training, model[0].training, model[1].training) == (True, True, False)


def test_a_pass_is_timed_from_its_begin_to_its_end() -> None:
    once = stopwatch(lambda: time.sleep(0.003), CPU)
    assert once() >= 3


@pytest.mark.parametrize(("pass_ms", "passes"), [(1.0, 3), (1.1, 3), (3.0, 1), (500.0, 1), (0.001, LONGEST_TURN)])
def test_a_turn_is_filled_with_passes(pass_ms: float, passes: int) -> None:
    assert passes_in(3.0, pass_ms) == passes


def test_the_first_pass_of_a_turn_is_not_counted() -> None:
    times = iter([9.0, 1.0, 2.0, 3.0])
    assert turn(lambda: next(times), 3) == [1.0, 2.0, 3.0]
    assert next(times, None) is None


def test_a_turn_of_one_pass_is_that_pass() -> None:
    times = iter([9.0, 1.0])
    assert turn(lambda: next(times), 1) == [9.0]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_pass_on_the_gpu_is_timed_to_its_end() -> None:
    device = torch.device("cuda", torch.cuda.device_count() - 1)
    matrix = torch.zeros(8_192, 8_192, device=device)
    once = stopwatch(lambda: matrix @ matrix, device)
    once()
    assert once() > 0.5  # 1.1e12 FLOPs: no GPU does them in half a millisecond
