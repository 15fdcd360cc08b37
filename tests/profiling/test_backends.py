import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.errors import SearchError
from nas.profiling import backends
from nas.profiling.backends import prepare
from nas.profiling.latency import measure_latency
from nas.profiling.timing import evaluating

needs_compiler = pytest.mark.skipif(which("g++") is None, reason="needs a C++ compiler")


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5)).eval()


def inputs() -> Tensor:
    return torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Random(nn.Module):
    """Gives other outputs every time."""

    def forward(self, given: Tensor) -> Tensor:
        return given + torch.rand_like(given)


class Choosing(nn.Module):
    """Takes a path that depends on what it is given, which no exporter can follow."""

    def forward(self, given: Tensor) -> Tensor:
        return given if given.sum() > 0 else -given


def test_an_unknown_backend_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SearchError) as caught:
        prepare(network(), inputs(), "compiled")  # type: ignore[arg-type]
    assert str(caught.value) == (
        "No backend is called 'compiled'. Did you mean 'compile'? Known: compile, cuda_graph, eager, onnxruntime."
    )


def test_eager_runs_the_network_as_it_is() -> None:
    model, given = network(), inputs()
    assert torch.equal(prepare(model, given, "eager")(), model(given))  # type: ignore[arg-type]


class Adding(nn.Module):
    """Takes two arguments."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return first + 2 * second


@pytest.mark.parametrize("backend", ["eager", pytest.param("onnxruntime", marks=pytest.mark.slow)])
def test_a_network_may_take_several_inputs(backend: backends.Backend) -> None:
    if backend == "onnxruntime":
        for package in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(package)
    given = (torch.tensor([[1.0]]), torch.tensor([[10.0]]))
    with evaluating(model := Adding()):
        outputs: Any = prepare(model, given, backend)()
    assert float(torch.as_tensor(outputs if backend == "eager" else outputs[0])) == 21.0


@needs_compiler
@pytest.mark.slow
def test_a_compiled_network_gives_the_same_outputs() -> None:
    model, given = network(), inputs()
    with evaluating(model):
        assert torch.allclose(prepare(model, given, "compile")(), model(given), atol=1e-5)  # type: ignore[arg-type]


REFUSALS = """
import sys
import torch
import torch._inductor.config as config
from nas.errors import SearchError
from nas.profiling.backends import prepare

for compiler in sys.argv[1:]:
    with config.patch({"cpp.cxx": (compiler,)}):
        try:
            prepare(torch.nn.Tanh(), torch.zeros(1, 17), "compile")
        except SearchError as error:
            print(error)
"""


@pytest.mark.slow
def test_what_keeps_a_network_from_being_compiled_is_one_line(tmp_path: Path) -> None:
    """In a process of its own, since torch remembers what a compiler could not do."""
    broken = tmp_path / "g++"
    broken.write_text('#!/bin/sh\n[ "$1" = --version ] && echo g++ 13.0 && exit 0\nexit 1\n')
    broken.chmod(0o755)
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-c", REFUSALS, str(tmp_path / "nowhere"), str(broken)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    without, by_a_broken_one = done.stdout.splitlines()
    assert without == "The backend 'compile' needs a C++ compiler, and there is none; install g++ or take 'eager'."
    assert re.fullmatch(r"The backend 'compile' cannot run this network \([A-Za-z]+\); take 'eager'\.", by_a_broken_one)


def exported(model: nn.Module, given: Tensor) -> Any:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    with evaluating(model):
        return prepare(model, given, "onnxruntime")


def test_an_exported_network_gives_the_same_outputs(capfd: pytest.CaptureFixture[str]) -> None:
    model, given = network(), inputs()
    (outputs,) = exported(model, given)()
    assert torch.allclose(torch.from_numpy(outputs), model(given), atol=1e-5)
    assert capfd.readouterr() == ("", "")


def test_exporting_shows_no_warning_and_hides_none_that_comes_later() -> None:
    before = list(warnings.filters)
    exported(nn.Linear(2, 2).eval(), torch.zeros(1, 2))
    assert warnings.filters == before


def test_tokens_are_exported_too() -> None:
    model = nn.Sequential(nn.Embedding(7, 3), nn.Flatten(), nn.Linear(12, 2)).eval()
    given = torch.tensor([[1, 2, 3, 6]])
    assert torch.allclose(torch.from_numpy(exported(model, given)()[0]), model(given), atol=1e-5)


def test_a_network_that_gives_other_outputs_is_not_timed() -> None:
    with pytest.raises(SearchError) as caught:
        exported(Random(), torch.zeros(1, 100))
    begin, end = "The backend 'onnxruntime' gives other outputs than torch, by ", " of the largest, where 0.001 is rounding: "
    assert str(caught.value).startswith(begin)
    assert str(caught.value).endswith(end + "its time would be that of another network; take 'eager'.")


def test_a_network_that_cannot_be_exported_is_refused_in_one_line() -> None:
    with pytest.raises(SearchError, match=r"^The backend 'onnxruntime' cannot run this network \([A-Za-z]+\); take 'eager'\.$"):
        exported(Choosing(), torch.ones(1, 3))


def test_what_is_not_installed_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: None if name.startswith("onnxs") else name)
    with pytest.raises(SearchError) as caught:
        prepare(network(), inputs(), "onnxruntime")
    assert str(caught.value) == (
        "The backend 'onnxruntime' needs onnxscript, not installed here; pip install 'nas-harness[onnx]'."
    )


def test_onnx_runtime_is_for_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: name)
    with pytest.raises(SearchError, match=r"^The backend 'onnxruntime' runs on the CPU, got 'meta'; take --device cpu\.$"):
        prepare(network(), inputs().to("meta"), "onnxruntime")


def test_a_graph_is_captured_on_cuda_alone() -> None:
    with pytest.raises(SearchError) as caught:
        prepare(network(), inputs(), "cuda_graph")
    assert str(caught.value) == "The backend 'cuda_graph' needs a CUDA device, got 'cpu'; take 'eager' or 'compile' here."


def test_a_latency_names_its_backend() -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    measured = measure_latency(nn.Linear(3, 2), torch.zeros(1, 3), backend="onnxruntime")
    assert measured.backend == "onnxruntime"
    assert measured.median_ms > 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("backend", ["cuda_graph", "compile"])
def test_a_network_on_the_gpu_gives_the_same_outputs(backend: backends.Backend) -> None:
    device = torch.device("cuda", torch.cuda.device_count() - 1)
    model, given = network().to(device), inputs().to(device)
    with evaluating(model):
        run = prepare(model, given, backend)
        given += 1  # what is replayed reads what the inputs hold then
        outputs = run()
        torch.cuda.synchronize(device)
        assert torch.allclose(outputs, model(given), atol=1e-4)  # type: ignore[arg-type]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_graph_takes_no_longer_than_the_launches_that_it_saves() -> None:
    model, given = nn.Sequential(*[nn.Linear(16, 16) for _ in range(50)]).cuda(), torch.zeros(1, 16, device="cuda")
    captured, eager = (measure_latency(model, given, backend=backend) for backend in ("cuda_graph", "eager"))
    assert captured.median_ms < eager.median_ms
