import re
from math import ceil
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_examples import make
from torch import Tensor, nn

from nas.benchmark import Features, Image, NextTokens, Sequence, Shape, Signature, Tokens, Waveform
from nas.errors import ModelError, NasError
from nas.models import LayerKind, build, check_layers, count, layer_kind
from nas.models.layers import Cost
from nas.space import parse_space

CLASSES = Features(3)

features = st.integers(1, 12)
shares = st.sampled_from([0, 0.3])
sequences = st.builds(Sequence, st.integers(1, 20), st.integers(1, 9))
inputs = sequences | st.builds(Waveform, length=st.integers(1, 300), channels=st.integers(1, 2), rate=st.just(8_000))
filters = {
    "features": features,
    "kernel": st.sampled_from([1, 3, 5, 31, 255]),
    "stride": st.sampled_from([1, 2, 3, 7, 64]),
    "dilation": st.integers(1, 5),
    "norm": st.sampled_from(["batch", "layer", "none"]),
    "activation": st.sampled_from(["relu", "leaky_relu", "gelu", "silu", "hard_swish"]),
}
recurrent = {
    "features": features,
    "layers": st.integers(1, 3),
    "bidirectional": st.booleans(),
    "dropout": shares,
    "give": st.sampled_from(["sequence", "final"]),
}


def drawn(given_shape: st.SearchStrategy[Any], /, **options: Any) -> st.SearchStrategy[tuple[dict[str, Any], Shape]]:
    return st.tuples(st.fixed_dictionaries(options), given_shape)


@st.composite
def grouped(draw: st.DrawFn) -> tuple[dict[str, Any], Shape]:
    groups = draw(st.integers(1, 4))
    options = draw(st.fixed_dictionaries(filters)) | {"groups": groups, "features": groups * draw(st.integers(1, 3))}
    return options, Sequence(draw(st.integers(1, 20)), groups * draw(st.integers(1, 3)))


@st.composite
def projected(draw: st.DrawFn) -> tuple[dict[str, Any], Shape]:
    options = draw(st.fixed_dictionaries(recurrent))
    return options | {"projection": draw(st.integers(0, options["features"] - 1))}, draw(inputs)


LAYERS = {
    "embedding": drawn(inputs | st.builds(Tokens, st.integers(1, 20), st.integers(2, 50)), features=features, dropout=shares),
    "conv1d": grouped(),
    "separable_conv1d": drawn(inputs, **filters),
    "residual_conv1d": drawn(inputs, **filters),
    "pool1d": drawn(
        inputs,
        kind=st.sampled_from(["max", "average"]),
        size=st.sampled_from([1, 2, 3, 8, 255]),
        stride=st.sampled_from([None, 1, 2, 5, 64]),
    ),
    "rnn": drawn(inputs, **recurrent, nonlinearity=st.sampled_from(["tanh", "relu"])),
    "gru": drawn(inputs, **recurrent),
    "lstm": projected(),
}


def batch(shape: Shape, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    if isinstance(shape, Tokens):
        return torch.randint(0, shape.vocabulary, (2, shape.length), generator=generator)
    return torch.randn(2, *shape.axes, generator=generator)


def wants(shape: Shape) -> list[Shape]:
    """One vector, a vector for each position, and the next token at each."""
    assert isinstance(shape, Tokens | Sequence)
    return [CLASSES, Sequence(shape.length, 4), NextTokens(shape.length, 50)]


def counted(layer: LayerKind, given_shape: Shape, wanted: Shape) -> Cost:
    return count(lambda: layer.build(given_shape, wanted), given_shape)


@pytest.mark.parametrize("kind", LAYERS)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_layer_gives_the_shape_it_declares_and_costs_what_its_formula_says(kind: str, data: st.DataObject) -> None:
    options, given_shape = data.draw(LAYERS[kind])
    wanted = data.draw(st.sampled_from(wants(given_shape)))
    layer = make(kind, **options)
    declared = layer.output(given_shape, wanted)
    module = layer.build(given_shape, wanted).eval()
    with torch.no_grad():
        outputs = module(batch(given_shape))
    assert outputs.shape == (2, *declared.axes)
    assert outputs.isfinite().all()
    assert layer.cost(given_shape, wanted) == counted(layer, given_shape, wanted)


@pytest.mark.parametrize("kind", LAYERS)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_the_plain_form_of_a_layer_is_the_same_network(kind: str, data: st.DataObject) -> None:
    options, given_shape = data.draw(LAYERS[kind])
    wanted = data.draw(st.sampled_from(wants(given_shape)))
    layer = make(kind, **options)
    plain = layer.plain(given_shape, wanted)
    module = layer.build(given_shape, wanted).eval()
    with torch.no_grad():
        outputs = module(batch(given_shape))
        if plain is None:
            assert torch.equal(outputs, batch(given_shape))
            return
        twin = plain.build(given_shape, wanted).eval()
        twin.load_state_dict(module.state_dict())
        assert torch.equal(outputs, twin(batch(given_shape)))
    assert plain.plain(given_shape, wanted) == plain


@pytest.mark.parametrize(
    ("kind", "one", "other", "wanted"),
    [
        ("gru", {"dropout": 0.3}, {}, CLASSES),
        ("gru", {"bidirectional": True}, {}, NextTokens(6, 5)),
        ("gru", {"give": "final"}, {}, Sequence(6, 5)),
        ("conv1d", {"kernel": 1, "dilation": 4}, {"kernel": 1}, CLASSES),
    ],
)
def test_options_that_make_no_difference_have_one_plain_form(
    kind: str, one: dict[str, Any], other: dict[str, Any], wanted: Shape
) -> None:
    plain = [make(kind, features=4, **options).plain(Sequence(6, 5), wanted) for options in (one, other)]
    assert plain[0] == plain[1]


def test_a_pool_of_one_position_at_every_position_is_left_out() -> None:
    assert make("pool1d", size=1).plain(Sequence(6, 5), CLASSES) is None


@pytest.mark.parametrize("kind", LAYERS)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_where_the_next_token_is_wanted_nothing_looks_ahead(kind: str, data: st.DataObject) -> None:
    options, given_shape = data.draw(LAYERS[kind])
    assert isinstance(given_shape, Tokens | Sequence)
    layer, wanted = make(kind, **options), NextTokens(given_shape.length, 50)
    module = layer.build(given_shape, wanted).eval()
    at = data.draw(st.integers(0, given_shape.length - 1))
    one, other = batch(given_shape), batch(given_shape, seed=1)
    other[:, :at] = one[:, :at]
    unchanged = ceil(at / (options.get("stride") or options.get("size", 1)))  # position i comes out for position i · stride
    with torch.no_grad():
        before = [module(inputs)[:, :unchanged] for inputs in (one, other)]
    assert torch.equal(*before)


@pytest.mark.parametrize("kind", ["conv1d", "separable_conv1d", "residual_conv1d", "pool1d", "rnn", "gru", "lstm"])
@pytest.mark.parametrize("looks_back", [False, True])
def test_a_later_position_is_seen_only_where_it_may_be(kind: str, looks_back: bool) -> None:
    options = (
        {"features": 4, "bidirectional": True} if kind in {"rnn", "gru", "lstm"} else {"features": 4, "activation": "leaky_relu"}
    )
    layer = make(kind, **({"size": 3, "stride": 1} if kind == "pool1d" else options))
    given_shape = Sequence(6, 5)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = layer.build(given_shape, NextTokens(6, 9) if looks_back else CLASSES).eval()
    one = batch(given_shape)
    other = one.clone()
    other[:, 3] += 10
    with torch.no_grad():
        differ = (module(one) != module(other)).any(dim=2).any(dim=0).tolist()
    assert differ[3]
    assert differ[2] is not looks_back


def test_padding_is_a_vector_of_zeros_that_does_not_learn() -> None:
    module = make("embedding", features=4).build(Tokens(3, 10), CLASSES)
    module(torch.tensor([[0, 0, 7]])).sum().backward()
    assert isinstance(module, nn.Embedding)
    assert module.weight[0].tolist() == [0.0] * 4
    assert module.weight.grad is not None
    assert module.weight.grad.any(dim=1).tolist() == [False] * 7 + [True] + [False] * 2


@pytest.mark.parametrize(
    ("given_shape", "expected"),
    [
        (Tokens(7, 10), Cost(params=10 * 4, macs=0)),
        (Sequence(7, 5), Cost(params=5 * 4 + 4, macs=7 * 5 * 4)),
        (Waveform(length=7, channels=1, rate=8_000), Cost(params=4 + 4, macs=7 * 4)),
    ],
)
def test_an_embedding_costs_its_table_or_its_linear_layer(given_shape: Shape, expected: Cost) -> None:
    assert make("embedding", features=4).cost(given_shape, CLASSES) == expected


GIVEN = Sequence(7, 5)


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        # One matrix from 5 inputs and one from 8 states; torch keeps two biases.
        ("rnn", {}, Cost(params=8 * 5 + 8 * 8 + 2 * 8, macs=7 * (8 * 5 + 8 * 8))),
        ("gru", {}, Cost(params=3 * (8 * 5 + 8 * 8 + 2 * 8), macs=7 * 3 * (8 * 5 + 8 * 8))),
        ("lstm", {}, Cost(params=4 * (8 * 5 + 8 * 8 + 2 * 8), macs=7 * 4 * (8 * 5 + 8 * 8))),
        # The second layer of two directions is given 2 · 8 numbers.
        (
            "gru",
            {"layers": 2, "bidirectional": True},
            Cost(params=2 * 3 * (8 * (5 + 8 + 2) + 8 * (16 + 8 + 2)), macs=7 * 2 * 3 * (8 * (5 + 8) + 8 * (16 + 8))),
        ),
        # States of 3 numbers come back and go on; each step has one more matrix, from 8 to 3.
        (
            "lstm",
            {"layers": 2, "bidirectional": True, "projection": 3},
            Cost(
                params=2 * (4 * 8 * (5 + 3 + 2) + 3 * 8) + 2 * (4 * 8 * (6 + 3 + 2) + 3 * 8),
                macs=7 * 2 * (4 * 8 * (5 + 3) + 3 * 8 + 4 * 8 * (6 + 3) + 3 * 8),
            ),
        ),
    ],
)
def test_recurrent_layers_cost_what_is_counted_by_hand(kind: str, options: dict[str, Any], expected: Cost) -> None:
    layer = make(kind, features=8, **options)
    assert layer.cost(GIVEN, CLASSES) == counted(layer, GIVEN, CLASSES) == expected


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("conv1d", {}, Cost(params=3 * 4 * 8 + 2 * 8, macs=7 * 3 * 4 * 8)),
        ("conv1d", {"norm": "none"}, Cost(params=3 * 4 * 8 + 8, macs=7 * 3 * 4 * 8)),
        ("conv1d", {"norm": "layer", "groups": 4}, Cost(params=3 * 8 + 2 * 8, macs=7 * 3 * 8)),
        ("conv1d", {"kernel": 5, "dilation": 9}, Cost(params=5 * 4 * 8 + 2 * 8, macs=7 * 5 * 4 * 8)),
        ("conv1d", {"kernel": 5, "stride": 3}, Cost(params=5 * 4 * 8 + 2 * 8, macs=3 * 5 * 4 * 8)),
        ("separable_conv1d", {"stride": 2}, Cost(params=3 * 4 + 2 * 4 + 4 * 8 + 2 * 8, macs=4 * (3 * 4 + 4 * 8))),
        ("residual_conv1d", {}, Cost(params=3 * 32 + 3 * 64 + 32 + 3 * 16, macs=7 * (3 * 32 + 3 * 64 + 32))),
    ],
)
def test_convolutions_cost_what_is_counted_by_hand(kind: str, options: dict[str, Any], expected: Cost) -> None:
    layer, given_shape = make(kind, features=8, **options), Sequence(7, 4)
    assert layer.cost(given_shape, CLASSES) == counted(layer, given_shape, CLASSES) == expected


def test_a_residual_block_that_keeps_the_shape_adds_its_input_itself() -> None:
    block = make("residual_conv1d", features=4).build(Sequence(7, 4), CLASSES)
    nn.init.zeros_(block.conv2.norm.weight)
    inputs_NLC = batch(Sequence(7, 4))
    assert torch.equal(block(inputs_NLC), inputs_NLC.relu())


@pytest.mark.parametrize(
    ("wanted", "options", "outputs"),
    [
        (CLASSES, {}, [1, 3, 6, 9, 12, 9]),  # 0 + 1, 0 + 1 + 2, …
        (NextTokens(6, 9), {}, [0, 1, 3, 6, 9, 12]),
        (CLASSES, {"stride": 2}, [1, 6, 12]),
        (CLASSES, {"dilation": 2}, [2, 4, 6, 9, 6, 8]),
        (NextTokens(6, 9), {"dilation": 2}, [0, 1, 2, 4, 6, 9]),
    ],
)
def test_a_convolution_adds_up_the_positions_around_its_own(wanted: Shape, options: dict[str, Any], outputs: list[float]) -> None:
    module = make("conv1d", features=1, norm="none", **options).build(Sequence(6, 1), wanted)
    nn.init.ones_(module.conv.weight)
    nn.init.zeros_(module.conv.bias)
    assert module(torch.arange(6.0).reshape(1, 6, 1)).flatten().tolist() == outputs


@pytest.mark.parametrize(
    ("wanted", "options", "outputs"),
    [
        (CLASSES, {"size": 2}, [1, 3, 4]),
        (CLASSES, {"size": 2, "kind": "average"}, [0.5, 2.5, 4]),
        (CLASSES, {"size": 3, "stride": 1}, [1, 2, 3, 4, 4]),
        (CLASSES, {"size": 3, "stride": 1, "kind": "average"}, [0.5, 1, 2, 3, 3.5]),
        (CLASSES, {"size": 2, "stride": 4}, [1, 4]),
        (NextTokens(5, 9), {"size": 3, "stride": 1, "kind": "average"}, [0, 0.5, 1, 2, 3]),
        (NextTokens(5, 9), {"size": 2}, [0, 2, 4]),
    ],
)
def test_a_pool_takes_the_positions_of_its_window_that_there_are(
    wanted: Shape, options: dict[str, Any], outputs: list[float]
) -> None:
    module = make("pool1d", **options).build(Sequence(5, 1), wanted)
    assert module(torch.arange(5.0).reshape(1, 5, 1)).flatten().tolist() == pytest.approx(outputs)


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_final_states_are_those_of_each_direction_after_the_whole_sequence(kind: str, bidirectional: bool) -> None:
    module = make(kind, features=4, layers=2, bidirectional=bidirectional, give="final").build(GIVEN, CLASSES).eval()
    with torch.no_grad():
        found = module.cell(batch(GIVEN))[1]
        states_DNF = (found[0] if kind == "lstm" else found)[-2 if bidirectional else -1 :]  # of the last layer's directions
        assert torch.equal(module(batch(GIVEN)), torch.cat([*states_DNF], dim=1))


@pytest.mark.parametrize("wanted", [Sequence(7, 4), NextTokens(7, 50)])
def test_the_sequence_goes_on_where_something_is_wanted_at_each_position(wanted: Shape) -> None:
    assert make("gru", features=4, give="final").output(GIVEN, wanted) == Sequence(7, 4)


def test_gradients_reach_every_parameter() -> None:
    for kind in ("conv1d", "separable_conv1d", "residual_conv1d", "rnn", "gru", "lstm"):
        module = make(kind, features=4).build(GIVEN, CLASSES)
        module(batch(GIVEN)).square().sum().backward()
        assert not [name for name, parameter in module.named_parameters() if parameter.grad is None], kind


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("lstm: {features: 8, projection: 8}", "lstm projection must be smaller than features (8), got 8."),
        ("conv1d: {features: 8, groups: 3}", "conv1d groups must divide features (8), got 3."),
        ("conv1d: {features: 8, kernel: 80}", "conv1d.kernel must be odd, so that it has a centre, got 80."),
        ("separable_conv1d: {features: 8, kernel: 257}", "separable_conv1d.kernel should be less than or equal to 255, got 257."),
        ("gru: {features: 8, give: last}", "gru.give should be 'sequence' or 'final', got 'last'."),
    ],
)
def test_options_that_do_not_fit_are_told_in_one_line(layers: str, message: str) -> None:
    with pytest.raises(NasError, match=re.escape(message)):
        check_layers(parse_space(f"name: toy\nversion: 1\naccepts: sequence\nlayers:\n  - {layers}\n"))


def network(layers: str, signature: Signature) -> nn.Module:
    text = f"name: toy\nversion: 1\naccepts: [tokens, sequence, image]\nlayers:\n{layers}"
    space = parse_space(text)
    return build(space, space.architecture({}), signature)


@pytest.mark.parametrize(
    ("layers", "signature", "message"),
    [
        (
            "  - conv1d: {features: 9, groups: 3}\n",
            Signature(Sequence(7, 4), CLASSES),
            "conv1d: groups must divide the channels that come in (4), got 3; put a layer of as many features before it.",
        ),
        (
            "  - gru: {features: 9}\n",
            Signature(Tokens(7, 40), CLASSES),
            "gru: gru takes a sequence, got 7 tokens of 40 from the input; move or replace it.",
        ),
        (
            "  - embedding: {features: 9}\n",
            Signature(Image(1, 4, 4), CLASSES),
            "embedding: embedding takes tokens or a sequence, got an image of 1×4×4 from the input; move or replace it.",
        ),
        (
            "  - embedding: {features: 9}\n  - pool1d\n  - head\n",
            Signature(Tokens(7, 40), NextTokens(7, 40)),
            "head: the next of 40 tokens at each of 7 positions is wanted, so that a sequence of 7 positions must come in, got a "
            "sequence of 4×9; leave out what shortens the sequence.",
        ),
    ],
)
def test_a_layer_that_does_not_fit_says_why(layers: str, signature: Signature, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        network(layers, signature)
    assert str(caught.value) == message


def test_long_kernels_and_strides_bring_a_waveform_down() -> None:
    given_shape = Waveform(length=8_000, channels=1, rate=8_000)
    layer = make("conv1d", features=32, kernel=79, stride=64)
    assert layer.output(given_shape, CLASSES) == Sequence(125, 32)
    assert layer.cost(given_shape, CLASSES) == Cost(params=79 * 32 + 2 * 32, macs=125 * 79 * 32)


def test_a_table_of_vectors_begins_small_and_with_the_padding_at_zero() -> None:
    weight = layer_kind("embedding")(features=32).build(Tokens(8, 500), Features(2)).weight
    assert weight[1:].std().item() == pytest.approx(0.1, rel=0.05)
    assert not weight[0].any()
