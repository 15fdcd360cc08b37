from pathlib import Path

import pytest
import torch
from torch import nn

from nas.profiling import energy
from nas.profiling.energy import Energy, measure_energy, why_no_energy

GPU = torch.device("cuda", 1)


CPU = torch.device("cpu")


@pytest.fixture
def powercap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as Linux shows it, of two packages, and the cores of one."""
    for name, used in (("intel-rapl:0", 1_000), ("intel-rapl:1", 9_500), ("intel-rapl:0:0", 7)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text(f"{used}\n")
        (tmp_path / name / "max_energy_range_uj").write_text("10000\n")
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    monkeypatch.setattr(energy, "SECONDS", 0.0)
    return tmp_path


class Drawing(nn.Module):
    """Each pass draws 30 µJ from one package and 40 from the other, whose counter runs over."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        for name, used in (("intel-rapl:0", 30), ("intel-rapl:1", 40), ("intel-rapl:0:0", 5)):
            path = self.folder / name / "energy_uj"
            path.write_text(f"{(int(path.read_text()) + used) % 10_000}\n")
        return inputs


def test_without_a_counter_it_is_not_measured_and_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    assert measure_energy(nn.Linear(2, 2), torch.zeros(1, 2)) is None
    assert (
        why_no_energy(CPU) == f"Energy is read from a counter of the device's own; 'cpu' has none that Linux shows in {tmp_path}."
    )
    assert why_no_energy(torch.device("mps")) == "Energy is read from a counter of the device's own; 'mps' has none."


def test_of_a_processor_it_is_that_of_its_packages(powercap: Path) -> None:
    assert why_no_energy(CPU) is None
    used = measure_energy(Drawing(powercap), torch.zeros(2, 3))
    assert used is not None
    assert used.millijoules == pytest.approx(0.07)
    assert used.millijoules_an_example == pytest.approx(0.035)
    assert (used.passes, used.device) == (10, "cpu")
    assert used.watts > 0


@pytest.mark.parametrize("broken", ["", "much\n"])
def test_a_counter_that_cannot_be_read_is_named(powercap: Path, broken: str) -> None:
    (powercap / "intel-rapl:1" / "energy_uj").write_text(broken)
    assert measure_energy(nn.Linear(2, 2), torch.zeros(1, 2)) is None
    reason = why_no_energy(CPU)
    assert reason is not None
    assert reason.startswith("The processor's counter of energy cannot be read (invalid literal for int() with base 10")


def test_a_counter_that_root_alone_may_read_is_named(powercap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(energy, "_number", refused)
    reason = why_no_energy(CPU)
    assert reason is not None
    assert reason.startswith("The processor's counter of energy cannot be read (Permission denied): ")
    assert reason.endswith("intel-rapl:0/energy_uj; have its owner open it.")


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
