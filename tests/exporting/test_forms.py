import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from taken_home import OWN, drawn, inputs_of, run_alone
from torch import nn

from nas import registry
from nas.benchmark import Features, Image, NextTokens, Sequence, Shape, Signature, Tokens
from nas.errors import ExportError
from nas.exporting import TOLERANCE, check_forms, load_source, write_forms
from nas.exporting import forms as forms_module
from nas.models import build, plan
from nas.models.layers.recurrent import States
from nas.searching import check_input, resolve_benchmark, resolve_space
from nas.space import parse_space

SMALL = Signature(Image(1, 6, 6), Features(3))
LINEAR = nn.Sequential(nn.Flatten(), nn.Linear(36, 3), nn.BatchNorm1d(3))


class Sorting(nn.Module):
    """Has no form in ONNX or as a program: what it does hangs on its numbers."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Any vector of 3."""
        outputs = self.linear(inputs)
        return outputs if float(outputs.detach().sum()) > 100 else -outputs


SORTING = nn.Sequential(nn.Flatten(), nn.Linear(36, 3), Sorting())


def write(network: nn.Module, folder: Path, **options):
    torch.manual_seed(0)
    return write_forms(network, SMALL, inputs_of(SMALL, 5), folder, title="A network.", **options)


def test_every_form_gives_the_networks_outputs(tmp_path: Path) -> None:
    found = write(LINEAR, tmp_path, forms=["source", "program"])
    assert [one.form for one in found.written] == ["source", "program"]
    assert all(one.difference <= TOLERANCE and one.latency.median_ms > 0 for one in found.written)
    assert {path.name for path in tmp_path.iterdir()} == {"model.py", "model.pt2", "weights.safetensors"}
    inputs = inputs_of(SMALL, 7)
    with torch.no_grad():
        expected = LINEAR.eval()(inputs)
        torch.testing.assert_close(load_source(tmp_path)(inputs), expected)
        torch.testing.assert_close(torch.export.load(tmp_path / "model.pt2").module()(inputs), expected)


def test_source_runs_and_trains_where_there_is_torch_alone(tmp_path: Path) -> None:
    write(LINEAR, tmp_path, forms=["source"])
    assert run_alone("import runpy; runpy.run_path('model.py', run_name='__main__')", tmp_path) == "(1, 3)\n"
    trained = """
from model import example, load
model = load().train()
model(example(4)).square().mean().backward()
print(model.training, all(float(parameter.grad.abs().sum()) > 0 for parameter in model.parameters()))
"""
    assert run_alone(trained, tmp_path) == "True True\n"


@pytest.mark.slow
def test_onnx_gives_the_networks_outputs(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    write(LINEAR, tmp_path, forms=["onnx"])
    inputs = inputs_of(SMALL, 7)
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (given,) = session.run(None, {"input": inputs.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(given), LINEAR.eval()(inputs))


def test_what_a_form_cannot_say_is_left_out_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms_module, "missing_for_onnx", lambda: "needs onnx, not installed here; pip install it.")
    found = write(SORTING, tmp_path)
    assert [one.form for one in found.written] == ["source"]
    assert found.left_out["program"].startswith("model.pt2 cannot be made of this network (")
    assert found.left_out["onnx"] == "model.onnx needs onnx, not installed here; pip install it."
    assert {path.name for path in tmp_path.iterdir()} == {"model.py", "weights.safetensors"}


def test_onnx_is_left_out_where_an_lstm_brings_its_state_down(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(2), States(nn.LSTM(36, 4, batch_first=True, proj_size=2), final=True))
    with pytest.raises(ExportError, match=r"model\.onnx cannot be written: ONNX's LSTM has no projection, and 1\.cell has one\."):
        write(network, tmp_path, forms=["onnx"])


def test_a_form_that_is_asked_for_and_cannot_be_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"model\.pt2 cannot be made of this network \(.*name other --formats\."):
        write(SORTING, tmp_path, forms=["program"])


def test_a_form_with_other_outputs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = write_source_of_another_network
    monkeypatch.setattr(forms_module, "load_source", wrong)
    with pytest.raises(ExportError, match=r"model\.py cannot be written: It gives other outputs .* on a batch of 1, by"):
        write(LINEAR, tmp_path, forms=["source"])


def write_source_of_another_network(folder: Path) -> nn.Module:
    """A network of the same names whose outputs are a little off."""
    network = load_source(folder)
    with torch.no_grad():
        next(network.parameters()).add_(1e-3)
    return network


def test_a_wrong_way_to_train_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def frozen(folder: Path) -> nn.Module:
        network = load_source(folder)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.train = lambda *_, module=module: module
        return network

    monkeypatch.setattr(forms_module, "load_source", frozen)
    with pytest.raises(ExportError, match="other outputs than the network in training"):
        write(LINEAR, tmp_path, forms=["source"])


def test_no_path_of_this_machine_is_in_a_program(tmp_path: Path) -> None:
    write(LINEAR, tmp_path, forms=["program"])
    data = (tmp_path / "model.pt2").read_bytes()
    assert b"site-packages" not in data
    assert str(tmp_path).encode() not in data
    assert str(Path(__file__).parent.parent.parent).encode() not in data


def test_formats_are_named_by_their_names() -> None:
    assert check_forms(["onnx", "source"]) == ("source", "onnx")
    with pytest.raises(ExportError, match=r"No form of a network is called 'onx'\. Did you mean 'onnx'"):
        check_forms(["onx"])


SHORT = 8
"""Positions of a sequence: ONNX writes out each step of a recurrence."""


def shortened(signature: Signature) -> Signature:
    """The same of short texts and series; of sounds as it is."""

    def short(shape: Shape) -> Shape:
        return replace(shape, length=SHORT) if type(shape) in (Sequence, NextTokens, Tokens) else shape

    return Signature(short(signature.input), short(signature.output))


FAMILIES = [
    (space, benchmark)
    for space in sorted(registry.owners(registry.SEARCH_SPACES))
    for benchmark in ("digits", "japanese_vowels", "spoken_and_written_digits", "spoken_digits", "tiny_shakespeare")
    if set(resolve_space(space).accepts) & set(resolve_benchmark(benchmark).signature.kinds)
    if space not in OWN
    if benchmark != "spoken_digits" or space == "audio_cnn"  # thousands of steps take minutes
] + [*OWN.items()]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("space", "benchmark"), FAMILIES)
def test_networks_of_every_family_keep_their_outputs_in_every_form(space: str, benchmark: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    check_input(resolve_space(space), resolve_benchmark(benchmark))
    signature = shortened(resolve_benchmark(benchmark).signature)
    network = drawn(resolve_space(space), signature, 3)
    found = write_forms(network, signature, inputs_of(signature, 5), tmp_path, title="A network.")
    projects = any(isinstance(module, nn.LSTM) and module.proj_size for module in network.modules())
    assert set(found.left_out) == ({"onnx"} if projects else set()), json.dumps(dict(found.left_out))
    assert [one.form for one in found.written][:2] == ["source", "program"]
    shape = (1, *signature.output.axes)
    assert run_alone("import runpy; runpy.run_path('model.py', run_name='__main__')", tmp_path) == f"{shape}\n"


@pytest.mark.parametrize("name", ["code", "graph", "lambda", "type"])
def test_layers_with_names_that_programs_use_are_written_too(name: str, tmp_path: Path) -> None:
    space = parse_space(f"name: toy\nversion: 1\naccepts: image\nlayers: [{{conv: {{features: 4}}, name: {name}}}, head]\n")
    architecture = space.architecture({})
    network, parts = build(space, architecture, SMALL, seed=0), plan(space, architecture, SMALL)
    found = write(network, tmp_path, forms=["source", "program"], parts=parts)
    assert all(one.difference <= TOLERANCE for one in found.written)
    assert "→ 4 × 6 × 6" in (tmp_path / "model.py").read_text(encoding="utf-8")
