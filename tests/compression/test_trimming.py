"""Structured pruning to widths that no space lists: what is kept, what it costs, and that files say so."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from nas.benchmark import Features, Image, Sequence, Signature
from nas.compression.trimming import Trim, trimmed
from nas.errors import ModelError, SearchError
from nas.models import build
from nas.profiling.layers import count_layers
from nas.space import parse_space
from nas.training import Unsupported, cut_of, derivation_of, group, read_weights, reshape, write_weights

PICTURES = Signature(input=Image(1, 8, 8), output=Features(10))
SEQUENCES = Signature(input=Sequence(6, 5), output=Features(4))

ENCODER = """
name: encoder
version: 1
accepts: sequence
layers:
  - embedding: {{features: {width}}}
  - encoder_block: {{heads: {heads}, head_size: 6, ratio: {ratio}, positions: {positions}, gated: true}}
  - norm: {{kind: layer}}
  - head
"""
LISTENER = """
name: listener
version: 1
accepts: sequence
layers:
  - embedding: {{features: {width}}}
  - {cell}: {{features: {units}, bidirectional: true, layers: 2}}
  - head
"""
LOOKER = """
name: looker
version: 1
accepts: image
layers:
  - conv: {{features: {width}}}
  - residual: {{features: {width}}}
  - depthwise_separable: {{features: {last}}}
  - head
"""


def network(text: str, signature: Signature, **widths: object) -> nn.Sequential:
    space = parse_space(text.format(**widths))
    return build(space, space.architecture({}), signature, seed=0).eval()


def narrow(parent: nn.Module, fresh: nn.Module, share: float, *kinds: str) -> nn.Module:
    """`fresh`, which is as `parent` was built, cut to that share of the parent's weights."""
    state = trimmed(parent, share, *([kinds] if kinds else []))
    own = fresh.state_dict()
    reshape(fresh, {name: tuple(value.shape) for name, value in state.items() if value.shape != own[name].shape})
    fresh.load_state_dict(state)
    return fresh


def flops(model: nn.Module, signature: Signature) -> tuple[float, int]:
    counts = count_layers(lambda: deepcopy(model).to("meta"), signature.input)
    return counts.flops, counts.params


@pytest.mark.parametrize("positions", ["rotary", "relative"])
def test_a_cut_transformer_costs_what_a_fresh_one_of_its_shapes_costs(positions: str) -> None:
    given = {"width": 20, "heads": 4, "ratio": 2, "positions": positions}
    child = narrow(network(ENCODER, SEQUENCES, **given), network(ENCODER, SEQUENCES, **given), 0.5)
    block = child[1]
    heads, inside, width = block.attn.heads, block.mlp.fc2.in_features, block.attn.qkv.in_features
    assert (heads, width) == (3, 13)
    fresh = network(ENCODER, SEQUENCES, width=width, heads=heads, ratio=(inside + 0.5) / width, positions=positions)
    assert {name: value.shape for name, value in fresh.state_dict().items()} == {
        name: value.shape for name, value in child.state_dict().items()
    }
    assert flops(child, SEQUENCES) == flops(fresh, SEQUENCES)
    assert flops(child, SEQUENCES)[1] <= 0.5 * flops(network(ENCODER, SEQUENCES, **given), SEQUENCES)[1]
    assert child(torch.randn(2, 6, 5)).shape == (2, 4)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_cut_recurrent_network_costs_what_a_fresh_one_of_its_shapes_costs(cell: str) -> None:
    given = {"width": 12, "units": 14, "cell": cell}
    child = narrow(network(LISTENER, SEQUENCES, **given), network(LISTENER, SEQUENCES, **given), 0.6)
    units = child[1].cell.hidden_size
    assert units < 14
    fresh = network(LISTENER, SEQUENCES, width=child[1].cell.input_size, units=units, cell=cell)
    assert flops(child, SEQUENCES) == flops(fresh, SEQUENCES)
    inputs = torch.randn(3, 6, 5)
    fresh.load_state_dict(child.state_dict())
    torch.testing.assert_close(child(inputs), fresh(inputs))


def test_a_cut_convolutional_network_costs_what_a_fresh_one_of_its_shapes_costs() -> None:
    given = {"width": 14, "last": 22}
    child = narrow(network(LOOKER, PICTURES, **given), network(LOOKER, PICTURES, **given), 0.5)
    width, last = child[0].conv.out_channels, child[3].linear.in_features
    assert width < 14
    assert last < 22
    fresh = network(LOOKER, PICTURES, width=width, last=last)
    assert flops(child, PICTURES) == flops(fresh, PICTURES)
    inputs = torch.randn(2, 1, 8, 8)
    fresh.load_state_dict(child.state_dict())
    torch.testing.assert_close(child(inputs), fresh(inputs))


def test_heads_that_say_nothing_are_cut_whole_and_without_a_trace() -> None:
    given = {"width": 12, "heads": 4, "ratio": 1, "positions": "relative"}
    parent = network(ENCODER, SEQUENCES, **given)
    attention = parent[1].attn
    with torch.no_grad():
        attention.relative.table.normal_()
        attention.qkv.weight.view(3, 4, 6, 12)[:, 1::2] *= 1e-3  # heads 1 and 3 weigh next to nothing
        attention.proj.weight.view(12, 4, 6)[:, 1::2] = 0
    child = narrow(parent, network(ENCODER, SEQUENCES, **given), 0.75, "heads")
    assert child[1].attn.heads == 2
    assert torch.equal(child[1].attn.relative.table, attention.relative.table[::2])
    inputs = torch.randn(3, 6, 5)
    torch.testing.assert_close(child(inputs), parent(inputs))


def test_units_that_say_nothing_are_cut_first() -> None:
    given = {"width": 8, "units": 6, "cell": "gru"}
    parent = network(LISTENER, SEQUENCES, **given)
    with torch.no_grad():
        for name, value in parent[1].cell.named_parameters():
            quiet = [gate * 6 + unit for gate in range(3) for unit in (0, 4)]
            value[quiet] = 0  # they stay at nothing
            if "hh" in name and value.ndim == 2:
                value[:, [0, 4]] = 0
    child = narrow(parent, network(LISTENER, SEQUENCES, **given), 0.65, "units")
    assert child[1].cell.hidden_size == 4
    inputs = torch.randn(3, 6, 5)
    torch.testing.assert_close(child(inputs), parent(inputs))


def test_what_tells_the_classes_is_never_cut() -> None:
    given = {"width": 16, "last": 16}
    child = narrow(network(LOOKER, PICTURES, **given), network(LOOKER, PICTURES, **given), 0.1)
    assert child(torch.randn(2, 1, 8, 8)).shape == (2, 10)


def test_a_file_says_what_was_cut(tmp_path: Path) -> None:
    given = {"width": 14, "last": 22}
    parent, fresh = network(LOOKER, PICTURES, **given), network(LOOKER, PICTURES, **given)
    group(parent)
    group(fresh)
    child = narrow(parent, fresh, 0.4)
    write_weights(child, tmp_path / "cut.safetensors")
    again = network(LOOKER, PICTURES, **given)
    read_weights(again, tmp_path / "cut.safetensors")
    inputs = torch.randn(2, 1, 8, 8)
    assert torch.equal(again.eval()(inputs), child.eval()(inputs))
    assert cut_of(again) == cut_of(child)
    assert cut_of(deepcopy(again)) == cut_of(child)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"weight": [9, 2]}, r"'weight' cannot be cut to \(9, 2\), it is \(3, 2\); build another network"),
        ({"weight": [0, 2]}, r"'weight' cannot be cut to \(0, 2\)"),
        ({"other": [1]}, "'other' cannot be cut to .*, it is not there"),
        ({"weight": "x"}, "says no widths that can be read"),
        ([3], "says no widths that can be read"),
    ],
)
def test_a_file_that_says_nonsense_is_told(tmp_path: Path, said: object, message: str) -> None:
    model = nn.Linear(2, 3)
    data = safetensors.torch.save(dict(model.state_dict()), metadata={"cut": json.dumps(said)})
    (tmp_path / "odd.safetensors").write_bytes(data)
    with pytest.raises(ModelError, match=message):
        read_weights(model, tmp_path / "odd.safetensors")


def test_what_cannot_be_cut_is_told() -> None:
    parent = network(LISTENER, SEQUENCES, width=8, units=6, cell="gru")
    with pytest.raises(Unsupported, match=r"It has no heads that can be cut; take others, or int8-weights\."):
        trimmed(parent, 0.5, ("heads",))
    with pytest.raises(Unsupported, match=r"^0\.\d\d of its 1,396 parameters are left at least where units are cut; ask for a"):
        trimmed(parent, 0.01, ("units",))


@pytest.mark.parametrize("of", ["head", "units,units", ""])
def test_kinds_are_checked_at_the_door(of: str) -> None:
    with pytest.raises(SearchError, match=r"^trim: of: it is heads,units,channels, or some of these with commas between, got "):
        derivation_of("trim", {"of": of})
    assert isinstance(derivation_of("trim", {"of": "units"}), Trim)


def test_waves_that_tell_positions_stay_whole() -> None:
    text = ENCODER.replace("  - encoder_block", "  - position: {{kind: sinusoidal}}\n  - encoder_block")
    given = {"width": 12, "heads": 4, "ratio": 2, "positions": "none"}
    child = narrow(network(text, SEQUENCES, **given), network(text, SEQUENCES, **given), 0.6)
    assert child[0](torch.randn(1, 6, 5)).shape[2] == 12
    assert child(torch.randn(2, 6, 5)).shape == (2, 4)
