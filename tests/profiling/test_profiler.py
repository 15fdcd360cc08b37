import json
from dataclasses import asdict

import pytest
import torch
from torch import Tensor, nn

from nas.errors import ModelError
from nas.profiling import latency, profile, rank_sources

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)


def small() -> nn.Module:
    """9 × 8 weights at each of 16 places, and 128 × 2."""
    return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 2, bias=False))


class Spectrum(nn.Module):
    def forward(self, images_NCHW: Tensor) -> Tensor:
        return torch.linalg.svdvals(images_NCHW).flatten(1)


def spectral() -> nn.Module:
    return nn.Sequential(Spectrum(), nn.Linear(4, 2))


def dropping() -> nn.Module:
    return nn.Sequential(nn.Dropout(0.5), nn.Flatten(), nn.Linear(16, 2))


def test_a_profile_holds_what_was_asked_for_and_none_of_the_rest() -> None:
    found = profile(f"{__name__}:small", (1, 4, 4), device=CPU, memory=False)
    assert (found.counts.params, found.counts.macs) == (9 * 8 + 128 * 2, 9 * 8 * 16 + 128 * 2)
    assert found.agree
    assert found.uncounted == {}
    assert [one.backend for one in found.latencies] == ["eager"]
    assert found.latencies[0].batch_size == found.batch_size == 1
    assert (found.memory, found.throughput, found.energy) == (None, None, None)
    assert (found.setting.device, found.setting.threads) == ("cpu", 1)
    assert json.loads(json.dumps(asdict(found), allow_nan=False))["counts"]["macs"] == found.counts.macs


def test_all_that_can_be_measured_here() -> None:
    found = profile(f"{__name__}:small", (1, 4, 4), device=CPU, batch_size=64, throughput=True, energy=True)
    assert found.memory is not None
    assert found.memory.how == "resident set of a fresh process"
    assert found.memory.training_bytes is not None
    assert found.memory.training_base_bytes is not None
    assert found.memory.training_bytes >= found.memory.training_base_bytes
    assert found.throughput is not None
    assert found.throughput.best.examples_a_second > 0
    told = [note for note in found.notes if "counter of" in note]
    assert len(told) == (found.energy is None)  # some machines count a processor's energy for whoever asks
    assert found.latencies[0].batch_size == 64


def test_what_neither_counter_knows_is_named() -> None:
    found = profile(f"{__name__}:spectral", (1, 4, 4), device=CPU, memory=False)
    assert found.uncounted == {"linalg_svdvals": 1}


def test_threads_and_random_numbers_are_left_as_they_were() -> None:
    torch.set_num_threads(1)
    state = torch.get_rng_state()
    profile(f"{__name__}:dropping", (1, 4, 4), device=CPU, memory=False, threads=2)
    assert torch.get_num_threads() == 1
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((1, 5, 5), r"^The network does not take such inputs; give others\. RuntimeError: .*"),
        ((), r"^Inputs are a shape, the size of one example"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_in_one_line(size: tuple[int, ...], message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        profile(f"{__name__}:small", size, device=CPU)
    assert "\n" not in str(caught.value)


class Stubborn(nn.Linear):
    def forward(self, inputs: Tensor) -> Tensor:
        if not inputs.is_meta:
            raise ValueError("No numbers,\nplease.")
        return super().forward(inputs)


def stubborn() -> nn.Module:
    return Stubborn(4, 2)


def test_a_network_that_is_counted_and_does_not_run_is_refused_in_one_line() -> None:
    with pytest.raises(
        ModelError, match=r"^The network failed while its latency was measured\. ValueError: No numbers, please\.$"
    ):
        profile(f"{__name__}:stubborn", (4,), device=CPU)
    with pytest.raises(
        ModelError, match=r"^The network failed while its latency was measured\. ValueError: No numbers, please\.$"
    ):
        rank_sources([f"{__name__}:stubborn", f"{__name__}:stubborn"], (4,), device=CPU)


def fixed() -> nn.Module:
    return nn.Linear(4, 2).requires_grad_(False)


def test_memory_that_cannot_be_measured_is_told_beside_all_that_was() -> None:
    found = profile(f"{__name__}:fixed", (4,), device=CPU)
    assert found.memory is not None
    assert found.memory.inference_bytes is not None
    assert (found.memory.training_bytes, found.memory.training_base_bytes) == (None, None)
    assert any(note.endswith("A network without trainable parameters has no step of training.") for note in found.notes)
    assert found.latencies[0].samples > 0


def test_networks_are_ranked_by_where_they_come_from() -> None:
    standing = rank_sources([f"{__name__}:small", f"{__name__}:large"], (1, 4, 4), device=CPU)
    assert standing.order == (0, 1)


def large() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 512, 3, padding=1), nn.Conv2d(512, 512, 3, padding=1), nn.Flatten())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_profile_on_a_gpu_has_the_allocators_figures() -> None:
    found = profile(f"{__name__}:small", (1, 4, 4), device=torch.device("cuda:0"))
    assert found.memory is not None
    assert found.memory.how == "CUDA's allocator"
    assert found.memory.base_bytes is None
    assert found.memory.training_bytes is not None
    assert found.memory.training_bytes > (found.memory.inference_bytes or 0) > 0
