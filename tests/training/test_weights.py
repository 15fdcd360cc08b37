import hashlib
import math
from pathlib import Path

import pytest
import safetensors.torch
import torch
from little import equal, files_of_at_most, network
from torch import nn

from nas.device import place
from nas.errors import ModelError
from nas.training import read_weights, write_weights
from nas.training.weights import write_tensors


def test_weights_come_back_bit_for_bit_in_the_layout_of_the_model(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    model, plain, laid_out = nn.Conv2d(8, 4, 3), nn.Conv2d(8, 4, 3), place(nn.Conv2d(8, 4, 3), torch.device("cpu"))
    written = write_weights(place(model, torch.device("cpu")), path)
    assert written == hashlib.sha256(path.read_bytes()).hexdigest()
    for other in (plain, laid_out):
        layout = other.weight.stride()
        read_weights(other, path)
        assert equal(other, model)
        assert other.weight.stride() == layout
    assert plain.weight.stride() != laid_out.weight.stride()


def test_anyone_can_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    model = network()
    write_weights(model, path)
    found = safetensors.torch.load_file(path)
    assert found.keys() == model.state_dict().keys()
    assert all(torch.equal(found[name], value) for name, value in model.state_dict().items())


def test_tensors_in_one_memory_or_in_odd_layouts_are_written_each_for_itself(tmp_path: Path) -> None:
    path = tmp_path / "tensors.safetensors"
    base = torch.arange(12.0)
    tensors = {
        "whole": base,
        "same": base,
        "part": base[3:5],
        "gaps": base[::5],
        "turned": base.view(3, 4).t(),
        "spread": torch.tensor(math.pi).expand(3),
        "number": torch.tensor(7),
        "none": torch.zeros(0, 3),
        "bits": torch.tensor([True, False]),
        "bytes": torch.tensor([255, 0], dtype=torch.uint8),
        "short": torch.tensor([1e-3], dtype=torch.bfloat16),
        "no number": torch.tensor([math.nan, -0.0, math.inf]),
    }
    write_tensors(tensors, path)
    found = safetensors.torch.load_file(path)
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
        assert (
            found[name].numpy(force=True).tobytes() == value.contiguous().numpy(force=True).tobytes() if name != "short" else True
        )
    assert torch.equal(found["short"], tensors["short"])


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    model = network()
    write_weights(model, path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match=r"^odd is no tensor but of type int$"):
        write_tensors({"odd": 3}, path)  # type: ignore[dict-item]
    with pytest.raises(FileNotFoundError):
        write_weights(model, tmp_path / "nowhere" / "weights.safetensors")
    assert path.read_bytes() == before
    write_weights(network(seed=1), path)
    assert path.read_bytes() != before
    assert [entry.name for entry in tmp_path.iterdir()] == ["weights.safetensors"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "tensors.safetensors"
    write_tensors({"one": torch.ones(10)}, path)
    with files_of_at_most(4_096), pytest.raises(OSError, match="File too large"):
        write_tensors({"many": torch.ones(10_000)}, path)
    assert safetensors.torch.load_file(path).keys() == {"one"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["tensors.safetensors"]


def test_what_cannot_be_written_leaves_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_weights(network(), tmp_path / "taken")
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (nn.Linear(3, 4), "holds the weights of another network: 'weight' is (4, 2) there and (4, 3) here; build that one."),
        (
            nn.Linear(2, 4, bias=False),
            "holds the weights of another network: 'bias' is (4,) there and absent here; build that one.",
        ),
    ],
)
def test_weights_of_another_network_are_refused(other: nn.Module, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    write_weights(nn.Linear(2, 4), path)
    before = other.weight.clone()  # type: ignore[operator]
    with pytest.raises(ModelError) as refused:
        read_weights(other, path)
    assert str(refused.value) == f"weights.safetensors {problem}"
    assert torch.equal(other.weight, before)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickled", b"\xff" * 100])
def test_a_file_of_something_else_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"^weights.safetensors is no whole safetensors file \(.*\); write it again"):
        read_weights(network(), path)
