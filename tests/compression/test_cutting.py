"""Structured pruning: shapes, costs, and that the axes which belong together are cut together."""

import random
from collections.abc import Iterator
from copy import deepcopy

import pytest
import torch
from torch import nn

from nas.benchmark import Features, Image, Sequence, Signature, Tokens, Waveform
from nas.compression.cutting import Structured, axes_of, cut
from nas.compression.narrowing import narrower
from nas.errors import SearchError
from nas.models import build, cost, example
from nas.profiling.layers import count_layers
from nas.space import Architecture, Space, parse_space, resolve_space
from nas.training import Unsupported, group

PICTURES = Signature(input=Image(1, 8, 8), output=Features(10))
SEQUENCES = Signature(input=Sequence(12, 5), output=Features(4))
TEXTS = Signature(input=Tokens(10, 30), output=Features(2))
SOUNDS = Signature(input=Waveform(1600, 1, 8000), output=Features(10))

CASES = [
    ("residual_cnn", PICTURES),
    ("mobile_cnn", PICTURES),
    ("transformer_encoder", SEQUENCES),
    ("transformer_encoder", TEXTS),
    ("recurrent", SEQUENCES),
    ("recurrent", TEXTS),
    ("audio_cnn", SOUNDS),
]


def narrow_pairs(space: Space, signature: Signature, seed: int) -> Iterator[tuple[Architecture, Architecture]]:
    """An architecture by chance, and one with at most 0.6 of its parameters."""
    rng = random.Random(seed)
    while True:
        drawn = space.sample(rng)
        try:
            yield drawn, narrower(space, drawn, signature, 0.6)
        except SearchError:
            continue


@pytest.mark.parametrize(("name", "signature"), CASES)
def test_the_pruned_network_costs_what_a_fresh_one_of_the_cut_shapes_costs(name: str, signature: Signature) -> None:
    space = resolve_space(name)
    whole, small = next(narrow_pairs(space, signature, 1))
    parent, child = build(space, whole, signature, seed=0), build(space, small, signature, seed=0)
    child.load_state_dict(cut(parent, child))
    assert cost(space, small, signature).params <= 0.6 * cost(space, whole, signature).params
    pruned = count_layers(lambda: deepcopy(child).to("meta"), signature.input)
    fresh = count_layers(lambda: build(space, small, signature), signature.input)
    assert (pruned.flops, pruned.params) == (fresh.flops, fresh.params)
    assert pruned.flops < count_layers(lambda: build(space, whole, signature), signature.input).flops
    assert child.eval()(example(signature.input, "cpu", 2)).shape == (2, *signature.output.axes)


@pytest.mark.parametrize(("name", "signature"), [case for case in CASES if case[0] != "transformer_encoder"])
def test_axes_that_carry_nothing_can_be_cut_without_a_trace(name: str, signature: Signature) -> None:
    """Of each axis that is cut what is dropped is first silenced wherever it is made; then nothing changes by the cut."""
    space = resolve_space(name)
    rng = random.Random(3)
    while True:
        whole = space.sample(rng)
        # What normalises a whole vector changes by what is left out of it, as all Transformers do.
        if any(value == "layer" for value in whole.choices.values()):
            continue
        try:
            small = narrower(space, whole, signature, 0.7)
            break
        except SearchError:
            continue
    parent, child = build(space, whole, signature, seed=0).eval(), build(space, small, signature, seed=0).eval()
    state = parent.state_dict()
    shapes = {key: value.shape for key, value in child.state_dict().items()}
    silenced = set()
    with torch.no_grad():
        for key, number, axes in axes_of(parent):
            begin = 0
            for axis in axes:
                share = shapes[key][number] / state[key].shape[number]
                if share < 1:
                    silenced.add(id(axis))
                begin += axis.size
        assert silenced
        for key, number, axes in axes_of(parent):  # the last of each axis are dropped: make them weigh nothing
            if shapes[key][number] == state[key].shape[number]:
                continue
            begin = 0
            for axis in axes:
                count = axis.size * shapes[key][number] // state[key].shape[number]
                positions = torch.arange(begin + count, begin + axis.size)
                value = state[key]
                if "running_var" not in key:
                    value.index_fill_(number, positions, 0.0)
                begin += axis.size
    parent.load_state_dict(state)
    child.load_state_dict(cut(parent, child))
    torch.manual_seed(0)
    inputs = example(signature.input, "cpu", 3)
    inputs = torch.randn_like(inputs) if inputs.is_floating_point() else torch.randint(1, 30, inputs.shape)
    assert torch.allclose(parent(inputs), child(inputs), atol=1e-5)


def test_what_is_kept_are_the_filters_with_the_largest_weights() -> None:
    space = parse_space(
        "name: two\nversion: 1\naccepts: image\nlayers:\n  - conv: {features: [2, 4]}\n  - head: {pool: average}\n"
    )
    whole, small = (space.architecture({"conv.features": features}) for features in (4, 2))
    parent, child = build(space, whole, PICTURES, seed=0), build(space, small, PICTURES, seed=0)
    with torch.no_grad():
        for filters, size in zip(parent[0].conv.weight, (0.1, 2.0, 0.2, 1.0), strict=True):
            filters.fill_(size)
    found = cut(parent, child)
    assert found["conv.conv.weight"][:, 0, 0, 0].tolist() == [2.0, 1.0]
    assert torch.equal(found["head.linear.weight"], parent[1].linear.weight[:, [1, 3]])


def test_channels_along_shortcuts_are_one_axis() -> None:
    space = parse_space(
        """
name: shortcuts
version: 1
accepts: image
choices: {width: [8, 16]}
layers:
  - conv: {features: $width}
  - repeat: block
    times: 2
    layers:
      - residual: {features: $width}
  - head
"""
    )
    network = build(space, space.architecture({"width": 16}), PICTURES, seed=0)
    axes = {(name, number): found for name, number, found in axes_of(network)}
    first = axes["conv.conv.weight", 0]
    for name in ("block-0-residual.conv2.conv.weight", "block-1-residual.conv2.conv.weight"):
        assert axes[name, 0] == first
        assert axes[name.replace("conv2", "conv1"), 1] == first
        assert axes[name, 1] != first
    assert axes["head.linear.weight", 1] == first


@pytest.mark.parametrize("name", ["residual_cnn", "mobile_cnn"])
def test_what_normalises_groups_of_channels_is_cut_with_them(name: str) -> None:
    space = resolve_space(name)
    whole, small = next(narrow_pairs(space, PICTURES, 2))
    parent, child = build(space, whole, PICTURES, seed=0), build(space, small, PICTURES, seed=0)
    group(parent)
    group(child)
    child.load_state_dict(cut(parent, child))
    pruned = count_layers(lambda: deepcopy(child).to("meta"), PICTURES.input)
    assert pruned.flops == count_layers(lambda: build(space, small, PICTURES), PICTURES.input).flops
    assert child.eval()(example(PICTURES.input, "cpu", 2)).isfinite().all()


def test_a_network_without_widths_is_refused() -> None:
    space = parse_space("name: one\nversion: 1\naccepts: image\nlayers:\n  - conv: {features: 8, kernel: [3, 5]}\n  - head\n")
    with pytest.raises(SearchError, match=r"as small as \d+: none of its choices is a width that can be lowered; take a method"):
        narrower(space, space.architecture({"conv.kernel": 5}), PICTURES, 0.5)


def test_the_least_is_told_where_more_is_asked() -> None:
    space = parse_space("name: one\nversion: 1\naccepts: image\nlayers:\n  - conv: {features: [8, 16]}\n  - head\n")
    wide = space.architecture({"conv.features": 16})
    with pytest.raises(SearchError, match=r"the narrowest in its space has \d+; ask for a share of 0\.\d\d\.$") as caught:
        narrower(space, wide, PICTURES, 0.1)
    share = float(str(caught.value)[-5:-1])
    assert narrower(space, wide, PICTURES, share).choices == {"conv.features": 8}


def test_a_layer_that_is_not_known_is_named() -> None:
    class Odd(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.factors = nn.Parameter(torch.ones(width))

    with pytest.raises(Unsupported, match="does not know which channels of Odd belong together"):
        cut(nn.Sequential(nn.Linear(3, 4), Odd(4)), nn.Sequential(nn.Linear(3, 2), Odd(2)))


def test_layers_that_a_shortcut_joins_are_made_narrower_together() -> None:
    space = parse_space(
        """
name: joined
version: 1
accepts: image
layers:
  - conv: {features: [8, 16]}
  - residual: {features: [8, 16]}
  - head
"""
    )
    whole = space.architecture({"conv.features": 16, "residual.features": 16})
    small = narrower(space, whole, PICTURES, 0.5)
    assert dict(small.choices) == {"conv.features": 8, "residual.features": 8}


def test_a_bag_of_n_grams_loses_numbers_of_its_vectors() -> None:
    space = parse_space(
        "name: bagged\nversion: 1\naccepts: tokens\nlayers:\n  - ngram_bag: {features: [4, 8], buckets: 50}\n  - head\n"
    )
    whole, small = (space.architecture({"ngram_bag.features": features}) for features in (8, 4))
    parent, child = (build(space, one, TEXTS, seed=0) for one in (whole, small))
    child.load_state_dict(cut(parent, child))
    kept = [
        column for column in parent.ngram_bag.table.weight.T if any(column.equal(one) for one in child.ngram_bag.table.weight.T)
    ]
    lost = [column for column in parent.ngram_bag.table.weight.T if not any(column.equal(one) for one in kept)]
    assert (len(kept), len(lost)) == (4, 4)
    assert cost(space, small, TEXTS).params == sum(parameter.numel() for parameter in child.parameters())


def test_a_layer_whose_channels_it_does_not_know_is_refused_in_a_line() -> None:
    space = parse_space(
        "name: asking\nversion: 1\naccepts: sequence\nlayers:\n  - embedding: {features: [4, 8]}\n"
        "  - cross_attention: {heads: 2, queries: 3}\n  - head: {pool: average}\n"
    )
    with pytest.raises(SearchError, match="does not know which channels of QueriedAttention belong together; distil instead"):
        Structured().child(space, space.architecture({"embedding.features": 8}), SEQUENCES)
