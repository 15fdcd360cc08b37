import pytest
import torch
from torch import nn

from nas.profiling import energy
from nas.profiling.energy import Energy, measure_energy, why_no_energy

GPU = torch.device("cuda", 1)


def test_on_a_cpu_it_is_not_measured_and_that_is_none() -> None:
    assert measure_energy(nn.Linear(2, 2), torch.zeros(1, 2)) is None
    assert why_no_energy(torch.device("cpu")) == "Energy is read from a GPU's own counter; 'cpu' has none."


def test_without_zeus_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "find_spec", lambda _: None)
    assert why_no_energy(GPU) == "Energy is read through zeus, not installed here; pip install 'nas-harness[energy]'."


def test_a_gpu_without_a_counter_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "find_spec", lambda name: name)
    monkeypatch.setattr(energy, "_counters", lambda _: None)
    assert why_no_energy(GPU) == "The GPU 'cuda:1' has no counter of energy that NVML can read."


def test_the_energy_of_a_batch_is_that_of_its_examples() -> None:
    used = Energy(millijoules=12.0, watts=300.0, passes=1_000, batch_size=4, device="cuda:0", backend="eager")
    assert used.millijoules_an_example == 3.0


@pytest.mark.gpu
@pytest.mark.skipif(
    not torch.cuda.is_available() or why_no_energy(torch.device("cuda", 0)) is not None,
    reason="needs a CUDA device with a counter of energy, and zeus",
)
def test_more_work_draws_more_energy() -> None:
    small = measure_energy(nn.Linear(64, 64).cuda(), torch.zeros(1, 64, device="cuda"))
    large = measure_energy(nn.Linear(8_192, 8_192).cuda(), torch.zeros(4_096, 8_192, device="cuda"))
    assert small is not None
    assert large is not None
    assert large.millijoules > 10 * small.millijoules > 0
    assert large.watts > 0
