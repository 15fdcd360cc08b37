"""Group normalisation where a space says batch normalisation: no example sees another, and files say so."""

import copy
from pathlib import Path

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from nas.errors import ModelError
from nas.models.layers.sequence_convolution import FilterBlock
from nas.training import group, is_grouped, read_weights, unserved, write_weights
from nas.training.grouping import groups_of


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    picture = nn.Sequential(nn.Conv2d(1, 16, 3), BatchNormAct2d(16, act_layer=nn.ReLU), nn.Conv2d(16, 12, 3), nn.BatchNorm2d(12))
    return nn.Sequential(picture, nn.Flatten(), nn.Linear(12, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))


@pytest.mark.parametrize(("channels", "groups"), [(1, 1), (3, 1), (8, 1), (12, 1), (16, 2), (20, 2), (24, 3), (64, 8), (130, 13)])
def test_a_group_is_of_eight_channels_or_as_few_more_as_divide(channels: int, groups: int) -> None:
    assert groups_of(channels) == groups
    assert channels % groups == 0


def test_no_example_sees_another_and_weights_keep_their_number() -> None:
    model = network()
    count = sum(weight.numel() for weight in model.parameters())
    group(model)
    assert unserved(model) == ""
    assert sum(weight.numel() for weight in model.parameters()) == count
    inputs = torch.randn(4, 1, 5, 5)
    model.train()
    torch.testing.assert_close(model(inputs)[:1], model(inputs[:1]))
    assert (model[0](inputs)[:, :, 0, 0].std(dim=1) > 0.1).all()  # of one pixel too something comes out
    assert (model[0][:2](inputs) >= 0).all()  # the activation is still there


def test_along_a_sequence_channels_are_normalised_and_not_positions() -> None:
    torch.manual_seed(0)
    block = FilterBlock(3, 8, 3, norm="batch", activation=None)
    whole = nn.Sequential(block)
    group(whole)
    out_NLC = whole(torch.randn(2, 10, 3))
    assert out_NLC.shape == (2, 10, 8)
    torch.testing.assert_close(out_NLC.mean(dim=(1, 2)), torch.zeros(2), atol=1e-5, rtol=0)


def test_a_file_says_how_its_network_is_normalised(tmp_path: Path) -> None:
    model, plain = network(), network(1)
    group(model)
    write_weights(model, tmp_path / "grouped.safetensors")
    write_weights(plain, tmp_path / "plain.safetensors")
    fresh = network(2)
    read_weights(fresh, tmp_path / "grouped.safetensors")
    assert is_grouped(fresh)
    assert not is_grouped(plain)
    inputs = torch.randn(2, 1, 5, 5)
    assert torch.equal(fresh.eval()(inputs), model.eval()(inputs))
    again = network(3)
    read_weights(again, tmp_path / "plain.safetensors")
    assert torch.equal(again.eval()(inputs), copy.deepcopy(plain).eval()(inputs))
    with pytest.raises(ModelError, match="holds the weights of another network"):
        read_weights(fresh, tmp_path / "plain.safetensors")
