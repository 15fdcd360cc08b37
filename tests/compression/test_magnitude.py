"""Magnitude pruning: which weights become zeros, how many, and what a file keeps."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from nas.benchmark import Recipe
from nas.compression.pruning import Magnitude, prunable, prune
from nas.training import write_tensors


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 5))


def test_the_smallest_weights_of_all_layers_become_zeros() -> None:
    layers = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        layers[0].weight.copy_(torch.tensor([[0.1, -5.0], [0.2, 4.0]]))
        layers[1].weight.copy_(torch.tensor([[-0.05, 3.0], [-2.0, 1.0]]))
    prune(layers, 3 / 8)
    assert layers[0].weight.tolist() == [[0.0, -5.0], [0.0, 4.0]]
    assert layers[1].weight.tolist() == [[0.0, 3.0], [-2.0, 1.0]]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.75, 0.99])
def test_as_many_become_zeros_as_asked(share: float) -> None:
    pruned = network()
    before = pruned[1].weight.clone()
    prune(pruned, share)
    weights = [weight for _, weight in prunable(pruned)]
    assert sum(int((weight == 0).sum()) for weight in weights) == round(share * sum(weight.numel() for weight in weights))
    assert torch.equal(pruned[1].weight, before)  # normalisation is not pruned


def test_a_file_keeps_what_is_not_zero_and_gives_the_same_network(tmp_path: Path) -> None:
    how = Magnitude(share=0.75, epochs=0)
    pruned = network()
    prune(pruned, 0.75)
    kept = how.kept(pruned)
    write_tensors(kept, tmp_path / "weights.safetensors")
    again = how.restored(network(), tmp_path / "weights.safetensors", torch.zeros(1, 2, 4, 4))
    for name, value in pruned.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)
    # 152 weights: 38 of four bytes, and a bit each: 9 bytes for 72, 10 for 80
    assert kept["0.weight.values"].numel() + kept["3.weight.values"].numel() == 38
    assert (kept["0.weight.mask"].nbytes, kept["3.weight.mask"].nbytes) == (9, 10)
    assert how.figures(again) == {"share_of_zeros": 114 / 152}


def test_no_epoch_before_all_zeros_were_in_is_taken_for_the_best() -> None:
    recipe = Recipe(batch_size=8, learning_rate=0.1)
    assert Magnitude().recipe(replace(recipe, patience=3)) == recipe
