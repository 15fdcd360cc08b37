"""Each test that measures starts a process, which takes seconds: so there are few."""

import random
import sys
from pathlib import Path

import pytest
import torch

from nas.benchmark import Features, Image, Signature
from nas.errors import ModelError
from nas.profiling import ResidentMemory, factory, measure_resident_memory, predict_training_memory, source_of
from nas.space import resolve_space

MB = 2**20

linux = pytest.mark.skipif(sys.platform != "linux", reason="no other system tells a process's peak, and lets it begin anew")

NETWORKS = """
import time
from torch import nn

def large():
    print("something on standard output")
    return nn.Sequential(nn.Linear(4_096, 4_096, bias=False), nn.ReLU(), nn.Linear(4_096, 16))

def broken():
    raise ValueError("no weights")

def dying():
    import os
    os._exit(3)

def endless():
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _networks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "few_networks.py").write_text(NETWORKS)
    monkeypatch.syspath_prepend(tmp_path)


@linux
def test_inference_adds_its_weights_and_activations_to_a_process() -> None:
    """64 MB of weights, and 2,000 examples of which 32 MB are alive before and after the first layer, and after the second."""
    found = measure_resident_memory("few_networks:large", (4_096,), batch_size=2_000)
    assert found is not None
    assert found.built_bytes - found.base_bytes == pytest.approx(64 * MB, abs=8 * MB)
    assert found.added_bytes == pytest.approx((64 + 3 * 31.25) * MB, rel=0.25)
    assert (found.work, found.batch_size, found.threads) == ("inference", 2_000, 1)


@linux
def test_training_a_network_of_timm_adds_about_what_is_predicted() -> None:
    """Between nine tenths and one and a half: libraries keep memory for themselves, and an allocator does not give all back."""
    size, batch_size = (3, 128, 128), 16
    predicted = predict_training_memory(factory("timm:resnet18"), size, batch_size=batch_size).peak_bytes
    found = measure_resident_memory("timm:resnet18", size, "training", batch_size=batch_size)
    assert found is not None
    assert 0.9 < found.added_bytes / predicted < 1.5


@linux
def test_an_architecture_is_measured_by_its_declaration() -> None:
    space, image = resolve_space("residual_cnn"), Image(1, 8, 8)
    source = source_of(space, space.sample(random.Random(4)), Signature(image, Features(10)))
    found = measure_resident_memory(source, image, "training")
    assert found is not None
    assert found.peak_bytes >= found.built_bytes > 50 * MB


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "few_networks:broken",
            r"^'few_networks:broken' failed in a fresh process: .* made no network \(ValueError: no weights\)\.$",
        ),
        ("few_networks:dying", r"^A fresh process that ran 'few_networks:dying' ended with 3\.$"),
    ],
)
def test_what_fails_in_the_process_is_told(source: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        measure_resident_memory(source, (4_096,))


def test_a_process_that_takes_too_long_is_ended() -> None:
    with pytest.raises(ModelError, match=r"^A fresh process did not measure 'few_networks:endless' within 0\.5 s; give it more"):
        measure_resident_memory("few_networks:endless", (4_096,), seconds=0.5)


def test_tensors_cannot_be_told_to_another_process() -> None:
    with pytest.raises(ModelError, match=r"^Another process is told a shape or a size, got tensors; give \(3, 8, 8\)\.$"):
        measure_resident_memory("timm:resnet18", torch.zeros(2, 3, 8, 8))


def test_other_work_is_refused() -> None:
    with pytest.raises(ModelError, match=r"^Work is 'inference' or 'training', got 'rest'\.$"):
        measure_resident_memory("timm:resnet18", (3, 8, 8), "rest")  # type: ignore[arg-type]


def test_a_system_that_does_not_tell_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    from nas.profiling import fresh_process

    monkeypatch.setattr(fresh_process, "forget_resident_peak", lambda: False)
    asked = {
        "source": "torch.nn:Identity",
        "inputs": [4],
        "work": "inference",
        "batch_size": 1,
        "threads": torch.get_num_threads(),
    }
    assert fresh_process.measure(asked) is None


def test_what_was_added_is_the_peak_without_the_base() -> None:
    memory = ResidentMemory(work="inference", batch_size=1, threads=1, base_bytes=100, built_bytes=150, peak_bytes=190)
    assert memory.added_bytes == 90
