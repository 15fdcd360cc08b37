"""Weights on the grid, against hand counts and torchao; and packed in files, to the bit."""

from pathlib import Path

import pytest
import torch
from torch import nn

from nas.errors import ModelError
from nas.training import read_weights, write_tensors
from nas.training.packing import from_grid, is_on_grid, lossless, parameters_of, rounded, to_grid, unpacked, without_zeros


def test_a_row_is_rounded_by_its_own_largest_weight() -> None:
    weight = torch.tensor([[1.27, -0.5, 0.014], [0.0, 0.0, 0.0]])
    whole, scale = to_grid(weight)
    assert whole.tolist() == [[127, -50, 1], [0, 0, 0]]
    assert scale.tolist() == pytest.approx([0.01, 1.0])


def test_no_weight_moves_by_more_than_half_a_step() -> None:
    torch.manual_seed(0)
    weight = torch.randn(5, 3, 3, 3)
    whole, scale = to_grid(weight)
    assert whole.dtype == torch.int8
    assert ((from_grid(whole, scale) - weight).abs() <= 0.5001 * scale.view(-1, 1, 1, 1)).all()


def test_what_lies_on_the_grid_stays() -> None:
    torch.manual_seed(0)
    once = from_grid(*to_grid(torch.randn(7, 20)))
    assert torch.allclose(from_grid(*to_grid(once)), once, rtol=1e-6, atol=0)


def test_weights_of_every_kind_of_layer_are_packed_and_vectors_are_not() -> None:
    torch.manual_seed(0)
    network = nn.ModuleList([nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 5), nn.LSTM(5, 6), nn.Embedding(7, 8)])
    kept = dict(rounded(network.state_dict(), parameters_of(network)))
    assert {name for name in kept if name.endswith(".int8")} == {
        f"{name}.int8" for name in ("0.weight", "2.weight", "3.weight_ih_l0", "3.weight_hh_l0", "4.weight")
    }
    state = unpacked(kept, network.state_dict())
    assert state.keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        assert state[name].shape == value.shape
        if not is_on_grid(value):
            assert torch.equal(state[name], value)
    weights = sum(value.numel() for value in network.parameters() if value.ndim > 1)
    assert sum(value.nbytes for name, value in kept.items() if name.endswith(".int8")) == weights  # a byte each


def test_the_grid_is_as_fine_as_torchaos() -> None:
    quantization = pytest.importorskip("torchao.quantization")
    torch.manual_seed(0)
    linear = nn.Linear(64, 32)
    weight = linear.weight.detach().clone()
    holder = nn.Sequential(linear)
    quantization.quantize_(holder, quantization.Int8WeightOnlyConfig())
    theirs = holder[0].weight.dequantize()
    whole, scale = to_grid(weight)
    ours = from_grid(whole, scale)
    assert ((ours - theirs).abs() <= 1.01 * scale.view(-1, 1)).all()  # its scale is of 127.5 steps: one step apart at most
    assert (ours - weight).square().mean() <= 1.05 * (theirs - weight).square().mean()


def rounded_network(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(24, 5))
    kept = dict(rounded(network.state_dict(), parameters_of(network)))
    network.load_state_dict(unpacked(kept, network.state_dict()))
    return network


@pytest.mark.parametrize("seed", range(5))
def test_weights_of_the_grid_are_found_again_to_the_bit(seed: int) -> None:
    network = rounded_network(seed)
    packed = lossless(network)
    assert {name for name in packed if name.endswith(".int8")} == {"0.weight.int8", "3.weight.int8"}
    for name, value in unpacked(packed, network.state_dict()).items():
        assert torch.equal(value, network.state_dict()[name])


def test_a_scale_that_its_own_largest_weight_does_not_give_back_is_found_too() -> None:
    scales = torch.rand(20_000, generator=torch.Generator().manual_seed(0))
    lost = scales[(scales * 127 / 127) != scales]
    assert len(lost) > 100
    layer = nn.Linear(2, len(lost), bias=False)
    layer.load_state_dict({"weight": from_grid(torch.tensor([[127, 3]], dtype=torch.int8).repeat(len(lost), 1), lost)})
    packed = lossless(layer)
    assert torch.equal(packed["weight.scale"], lost)
    assert torch.equal(unpacked(packed, layer.state_dict())["weight"], layer.weight)


def test_zeros_are_left_out_where_that_is_less_than_anything_else() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(40, 40), nn.Linear(40, 2))
    with torch.no_grad():
        network[0].weight[torch.rand(40, 40) < 0.75] = 0.0
    packed = lossless(network)
    assert {"0.weight.mask", "0.weight.values", "1.weight"} <= packed.keys()
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in unpacked(packed, network.state_dict()).items())


def test_a_negative_zero_is_not_lost() -> None:
    layer = nn.Linear(8, 8, bias=False)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, 0] = -0.0
    again = unpacked(lossless(layer), layer.state_dict())["weight"]
    assert torch.equal(torch.signbit(again), torch.signbit(layer.weight))


def test_what_was_trained_alone_stays_as_it_is() -> None:
    network = nn.Sequential(nn.Conv2d(2, 6, 3), nn.Linear(24, 5), nn.LSTM(4, 4))
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in lossless(network).items())


def test_tensors_that_are_only_called_so_are_no_packed_weights() -> None:
    named = nn.Module()
    for name in ("int8", "scale", "mask", "values"):
        named.register_buffer(name, torch.arange(3.0))
    held = nn.ModuleDict({"layer": named})
    assert unpacked(held.state_dict(), held.state_dict()).keys() == held.state_dict().keys()


def test_a_packed_file_is_read_like_any_other(tmp_path: Path) -> None:
    network, path = rounded_network(0), tmp_path / "packed.safetensors"
    write_tensors(lossless(network), path)
    again = nn.Sequential(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(24, 5))
    read_weights(again, path)
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in again.state_dict().items())
    with pytest.raises(ModelError, match=r"holds the weights of another network"):
        read_weights(nn.Sequential(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(24, 7)), path)
    pruned = {"weight": torch.eye(16)}
    write_tensors(dict(without_zeros(pruned, {"weight"})), path)
    with pytest.raises(ModelError, match=r"holds the weights of another network"):
        read_weights(nn.Linear(16, 40, bias=False), path)
