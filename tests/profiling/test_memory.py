import gc
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nas.profiling.memory import peak_memory_bytes

CPU = torch.device("cpu")
FLOAT = 4
"""Bytes."""

Made = tuple[nn.Module, Callable[[], None]]
"""A network and its step."""


def linear(batch: int, inputs: int = 16, classes: int = 4, device: torch.device = CPU) -> Callable[[], Made]:
    """Makes one linear layer that is trained on `batch` examples, which exist before and are not counted."""
    inputs_NF = torch.zeros(batch, inputs, device=device)
    targets = torch.zeros(batch, dtype=torch.long, device=device)

    def make() -> Made:
        model = nn.Linear(inputs, classes).to(device)
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)

        def step() -> None:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs_NF), targets).backward()
            optimizer.step()

        return model, step

    return make


def doing(step: Callable[[], object]) -> Callable[[], Made]:
    """Makes a network without weights, and a step of its own."""
    return lambda: (nn.Identity(), lambda: void(step()))


def void(_: object) -> None:
    pass


PARAMS = 16 * 4 + 4
STEPS = 2 * FLOAT
"""AdamW counts its steps in one float for each parameter tensor."""
LOSS = 2 * FLOAT
"""The mean loss, and the sum of weights that it was divided by."""


def test_a_small_batch_peaks_at_the_end_of_the_backward_pass() -> None:
    """Weights, their gradients and AdamW's two moments; the logits' gradient. The last step's gradients are long gone."""
    logits = 8 * 4 * FLOAT
    by_hand = 4 * PARAMS * FLOAT + STEPS + logits + LOSS
    assert peak_memory_bytes(linear(batch=8), CPU) == by_hand == 1_232


def test_a_large_batch_peaks_early_in_the_backward_pass() -> None:
    """Weights and moments; log-softmax, its gradient, and the logits' gradient."""
    logits = 64 * 4 * FLOAT
    by_hand = 3 * PARAMS * FLOAT + STEPS + 3 * logits + LOSS
    assert peak_memory_bytes(linear(batch=64), CPU) == by_hand == 3_904


def test_a_larger_batch_or_network_needs_more() -> None:
    assert peak_memory_bytes(linear(batch=16), CPU) < peak_memory_bytes(linear(batch=128), CPU)
    assert peak_memory_bytes(linear(batch=8), CPU) < peak_memory_bytes(linear(batch=8, inputs=32), CPU)


def test_what_is_saved_for_the_backward_pass_counts_until_its_gradient_is_known() -> None:
    """1,000 inputs, and ten sigmoids that each save their output; then the gradients on both sides of one of them."""

    def step() -> None:
        hidden_F = torch.zeros(1_000, requires_grad=True)
        for _ in range(10):
            hidden_F = hidden_F.sigmoid()
        hidden_F.sum().backward()

    loss_and_its_gradient = 2 * FLOAT
    assert peak_memory_bytes(doing(step), CPU) == 13 * 1_000 * FLOAT + loss_and_its_gradient


def test_what_is_freed_does_not_count_any_more() -> None:
    def step() -> None:
        for _ in range(10):
            torch.zeros(1_000)

    assert peak_memory_bytes(doing(step), CPU) == 1_000 * FLOAT


def test_what_lives_at_the_same_time_adds_up() -> None:
    assert peak_memory_bytes(doing(lambda: [torch.zeros(1_000) for _ in range(10)]), CPU) == 10_000 * FLOAT


def test_a_view_counts_once() -> None:
    def step() -> list[Tensor]:
        numbers = torch.zeros(100, 10)
        return [numbers, numbers.t(), numbers[:5], numbers.flatten(), numbers.detach()]

    assert peak_memory_bytes(doing(step), CPU) == 1_000 * FLOAT


def test_memory_in_bytes_follows_the_kind_of_number() -> None:
    assert peak_memory_bytes(doing(lambda: torch.zeros(1_000, dtype=torch.float64)), CPU) == 8_000


def test_measuring_twice_gives_the_same() -> None:
    assert peak_memory_bytes(linear(batch=8), CPU) == peak_memory_bytes(linear(batch=8), CPU)


def test_nothing_of_the_measured_network_stays_alive() -> None:
    kept: list[weakref.ref[object]] = []

    def make() -> Made:
        model, step = linear(batch=8)()
        kept.extend([weakref.ref(model), *(weakref.ref(p.untyped_storage()) for p in model.parameters())])
        return model, step

    peak_memory_bytes(make, CPU)
    gc.collect()
    assert [ref() for ref in kept] == [None] * 3


def test_a_step_that_fails_fails_the_measurement_and_stops_it() -> None:
    def step() -> None:
        raise ValueError("no such layer")

    with pytest.raises(ValueError, match=r"^no such layer$"):
        peak_memory_bytes(doing(step), CPU)
    assert peak_memory_bytes(doing(lambda: torch.zeros(10)), CPU) == 40


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_the_gpu_the_peak_holds_weights_gradients_and_moments() -> None:
    device = torch.device("cuda")
    params = 4_096 * 1_024 + 1_024
    peak = peak_memory_bytes(linear(batch=8, inputs=4_096, classes=1_024, device=device), device)
    assert 4 * params * FLOAT <= peak <= 4 * params * FLOAT + 64 * 2**20  # what is above: activations, and cuBLAS's workspace
