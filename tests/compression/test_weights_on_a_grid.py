"""Weights on the grid, against hand counts and torchao."""

import pytest
import torch
from torch import nn

from nas.compression.grid import from_grid, is_on_grid, packed, to_grid, unpacked


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
    kept = packed(network)
    assert {name for name in kept if name.endswith(".int8")} == {
        f"{name}.int8" for name in ("0.weight", "2.weight", "3.weight_ih_l0", "3.weight_hh_l0", "4.weight")
    }
    state = unpacked(kept)
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
