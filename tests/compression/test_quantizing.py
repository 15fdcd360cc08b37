"""Quantisation of activations, torchao's layers, and what a file gives back."""

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from nas.compression import Int4Weights, Int8Dynamic, Int8Static, Int8Weights, Qat
from nas.compression.quantizing import _observe, _round_given
from nas.training import Derivation, Examples, Lineage, Unsupported, as_feed, write_tensors

INPUTS = torch.zeros(1, 2, 6, 6)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 16), nn.Linear(16, 3))


def lineage() -> Lineage:
    torch.manual_seed(1)
    examples = Examples(torch.randn(40, 2, 6, 6), torch.zeros(40, dtype=torch.int64))
    device = torch.device("cpu")
    return Lineage(setup=cast(Any, None), parents=(network(),), training=as_feed(examples, device), device=device, inputs=INPUTS)


def pictures() -> Tensor:
    return torch.randn(5, 2, 6, 6, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("how", [Int8Weights(), Int8Static(), Int8Dynamic()], ids=lambda how: type(how).__name__)
def test_a_file_gives_back_what_was_measured(how: Derivation, tmp_path: Path) -> None:
    if isinstance(how, Int8Dynamic):
        pytest.importorskip("torchao")
    made = how.finish(network(), lineage()).eval()
    write_tensors(how.kept(made), tmp_path / "weights.safetensors")
    again = how.restored(network(), tmp_path / "weights.safetensors", INPUTS).eval()
    answers = made(pictures())
    assert torch.allclose(again(pictures()), answers, atol=1e-6)
    plain = network().eval()(pictures())
    assert 0 < (answers - plain).abs().max() < 0.05 * plain.abs().max()


def test_quantisation_aware_training_moves_the_weights_beneath_the_grid(tmp_path: Path) -> None:
    how = Qat(epochs=1)
    trained = how.begin(network(), lineage())
    trained.train()
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.1)
    before = trained[0].parametrizations.weight.original.clone()
    trained(pictures()).square().sum().backward()
    optimizer.step()
    assert not torch.equal(trained[0].parametrizations.weight.original, before)
    made = how.finish(trained, lineage())
    write_tensors(how.kept(made), tmp_path / "weights.safetensors")
    again = how.restored(network(), tmp_path / "weights.safetensors", INPUTS).eval()
    assert torch.allclose(again(pictures()), made(pictures()), atol=1e-6)


def test_what_a_layer_is_given_is_rounded_to_255_steps_of_its_range() -> None:
    layer = nn.Linear(4, 1)
    _observe(layer, always=True)
    given = torch.tensor([[0.0, 0.1, -1.0, 1.55]])
    (rounded,) = _round_given(layer, (given,))
    assert rounded.tolist() == [pytest.approx([0.0, 0.1, -1.0, 1.55])]  # the range is −1 to 1.55: steps of 0.01
    (rounded,) = _round_given(layer, (torch.tensor([[0.104, 0.106, 1.0, 0.0]]),))
    assert rounded.tolist() == [pytest.approx([0.10, 0.11, 1.0, 0.0])]


def test_ranges_stay_numbers_where_running_means_are_taken_of_them() -> None:
    layer = nn.Linear(2, 1)
    _observe(layer)
    average = ModelEmaV3(layer, decay=0.5)
    _round_given(layer.train(), (torch.tensor([[-1.0, 4.0]]),))
    average.update(layer)
    assert average.module.given_range.tolist() == [-0.5, 2.0]


def test_validation_data_change_no_range() -> None:
    layer = nn.Linear(2, 1)
    _observe(layer)
    _round_given(layer.train(), (torch.tensor([[0.0, 1.0]]),))
    _round_given(layer.eval(), (torch.tensor([[-9.0, 9.0]]),))
    assert layer.given_range.tolist() == [0.0, 1.0]


def test_gradients_pass_as_if_nothing_were_rounded_and_not_beyond_the_range() -> None:
    layer = nn.Linear(3, 1)
    _observe(layer)
    layer.train()
    _round_given(layer, (torch.tensor([[0.0, 1.0, 0.5]]),))
    layer.eval()
    given = torch.tensor([[0.3, 0.7, 5.0]], requires_grad=True)
    (rounded,) = _round_given(layer, (given,))
    rounded.sum().backward()
    assert given.grad is not None
    assert given.grad.tolist() == [[1.0, 1.0, 0.0]]


def test_four_bits_need_a_gpu() -> None:
    with pytest.raises(Unsupported, match=r"^Weights in 4 bits need an NVIDIA GPU, got cpu; int8-weights runs everywhere\.$"):
        Int4Weights().check(torch.device("cpu"))


def test_torchao_is_asked_for_by_name_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    monkeypatch.setitem(sys.modules, "torchao", None)
    with pytest.raises(
        Unsupported, match=r"It needs torchao, which cannot be loaded \(\w+\); pip install 'nas-harness\[compress\]'"
    ):
        Int8Dynamic().check(torch.device("cpu"))


def test_a_network_without_a_linear_layer_is_refused_by_torchao() -> None:
    with pytest.raises(Unsupported, match="It has no linear layer, and torchao quantises no others here"):
        Int8Dynamic().finish(nn.Sequential(nn.Conv2d(2, 4, 3)), lineage())
