"""Layers on pictures, and those that stand anywhere: formulas against torch's count, numbers against hand counts and torch."""

from collections import OrderedDict
from math import prod
from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_examples import batch, make, shake
from pydantic import ValidationError
from torch import nn

from nas.benchmark import Features, Image, NextTokens, Sequence, Shape, Signature, Waveform
from nas.errors import ModelError
from nas.models import Cost, LayerKind, build, count
from nas.models.layers import Activation
from nas.space import parse_space

CLASSES = Features(3)

counts = st.integers(1, 12)
sides = st.sampled_from([1, 2, 3, 5, 7, 8, 28]) | st.integers(1, 20)
activations = st.sampled_from(get_args(Activation))
shares = st.sampled_from([0, 0.01, 0.25, 0.5])
flags = st.booleans()
images = st.builds(Image, counts, sides, sides)
sequences = st.builds(Sequence, st.integers(1, 12), counts)
waveforms = st.builds(Waveform, st.integers(1, 12), counts, rate=st.just(8))
vectors = st.builds(Features, counts)
anything = images | sequences | waveforms | vectors

_block: dict[str, st.SearchStrategy[Any]] = {
    "features": counts,
    "kernel": st.sampled_from([1, 3, 5, 7, 31]),
    "stride": st.integers(1, 8),
    "activation": activations,
}
_conv = {
    **_block,
    "activation": activations | st.just("none"),
    "dilation": st.integers(1, 4) | st.just(16),
    "norm": st.sampled_from(["batch", "none"]),
    "bias": st.sampled_from([None, False, True]),
    "order": st.sampled_from(["conv_first", "activation_first"]),
}
OPTIONS: dict[str, tuple[st.SearchStrategy[Any], dict[str, st.SearchStrategy[Any]]]] = {
    "conv": (images, _conv),
    "depthwise_separable": (images, _block),
    "residual": (images, {**_block, "squeeze_excite": shares}),
    "bottleneck": (images, {**_block, "squeeze_excite": shares, "reduction": st.sampled_from([1, 2, 4, 16])}),
    "inverted_residual": (images, {**_block, "squeeze_excite": shares, "expansion": st.integers(1, 6)}),
    "squeeze_excite": (images, {"ratio": st.sampled_from([0.01, 0.25, 1.0])}),
    "pool": (images, {"kind": st.sampled_from(["max", "average"])}),
    "global_pool": (images | sequences, {"kind": st.sampled_from(["max", "average"])}),
    "norm": (anything, {"kind": st.sampled_from(["batch", "layer", "group"])}),
    "activation": (anything, {"kind": activations | st.sampled_from(["sigmoid", "tanh"])}),
    "dropout": (anything, {"rate": shares}),
    "identity": (anything, {}),
    "zero": (anything, {}),
    "linear": (
        sequences | waveforms | vectors,
        {"features": counts, "bias": flags, "activation": activations | st.just("none")},
    ),
}
WITH_PARAMETERS = [name for name in OPTIONS if name not in {"pool", "global_pool", "activation", "dropout", "identity", "zero"}]


@st.composite
def layers(draw: st.DrawFn, name: str) -> tuple[LayerKind, Any]:
    """Any options, and what goes in."""
    shapes, strategies = OPTIONS[name]
    shape = draw(shapes)
    options = {key: draw(values) for key, values in strategies.items()}
    if name == "conv" and draw(flags):
        groups = draw(st.integers(1, 4))
        options |= {"groups": groups, "features": groups * draw(st.integers(1, 3))}
        shape = Image(groups * draw(st.integers(1, 3)), shape.height, shape.width)
    if name == "norm":
        divisors = [n for n in range(1, 13) if width(shape) % n == 0 and prod(shape.axes) > n]
        options |= {"groups": draw(st.sampled_from(divisors))} if divisors else {"kind": "layer"}
    if name == "pool":
        stride = draw(st.none() | st.integers(1, 16))
        squares = [size for size in range(2, 17) if stride is None or stride >= size or size % 2]
        options |= {"stride": stride, "size": draw(st.sampled_from(squares))}
    return make(name, **options), shape


def width(shape: Shape) -> int:
    assert isinstance(shape, Image | Sequence | Features)
    return shape.count if isinstance(shape, Features) else shape.channels


# Formulas


@pytest.mark.parametrize("name", OPTIONS)
@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_a_layer_gives_what_it_declares_and_costs_what_torch_counts(name: str, data: st.DataObject) -> None:
    layer, shape = data.draw(layers(name))
    found = count(lambda: layer.build(shape, CLASSES), shape)
    assert layer.cost(shape, CLASSES) == found
    with torch.no_grad():
        assert layer.build(shape, CLASSES).eval()(batch(shape)).shape == (2, *layer.output(shape, CLASSES).axes)


@pytest.mark.parametrize("name", OPTIONS)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_a_layer_and_its_plain_form_compute_the_same(name: str, data: st.DataObject) -> None:
    layer, shape = data.draw(layers(name))
    plain, inputs = layer.plain(shape, CLASSES), batch(shape)
    with torch.no_grad():
        outputs = shake(layer.build(shape, CLASSES).eval())(inputs)
        assert torch.equal(outputs, inputs if plain is None else shake(plain.build(shape, CLASSES).eval())(inputs))


@pytest.mark.parametrize("name", OPTIONS)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_no_layer_changes_what_it_is_given(name: str, data: st.DataObject) -> None:
    layer, shape = data.draw(layers(name))
    inputs = batch(shape)
    layer.build(shape, CLASSES).eval()(inputs)
    assert torch.equal(inputs, batch(shape))


@pytest.mark.parametrize("name", WITH_PARAMETERS)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_gradients_reach_every_parameter_in_training(name: str, data: st.DataObject) -> None:
    layer, shape = data.draw(layers(name))
    module = layer.build(shape, CLASSES).train()
    module(batch(shape, number=8)).square().sum().backward()
    missing = [name for name, parameter in module.named_parameters() if parameter.grad is None]
    assert not missing


@pytest.mark.parametrize(
    ("name", "options", "shape", "expected"),
    [
        # 9 · 4 · 8 weights at 4 × 3 pixels; scale and shift of 8 channels, or their biases, or neither.
        ("conv", {"features": 8, "stride": 2}, Image(4, 7, 5), Cost(288 + 16, 288 * 12)),
        ("conv", {"features": 8, "stride": 2, "norm": "none"}, Image(4, 7, 5), Cost(288 + 8, 288 * 12)),
        ("conv", {"features": 8, "stride": 2, "norm": "none", "bias": False}, Image(4, 7, 5), Cost(288, 288 * 12)),
        # 9 · 4 weights, one filter a channel, then 4 · 8 that mix them.
        ("depthwise_separable", {"features": 8}, Image(4, 7, 5), Cost(36 + 8 + 32 + 16, (36 + 32) * 35)),
        # 64 → 16 → 16 → 64 channels: 1,024 and 2,304 and 1,024 weights; the picture stays, and so the shortcut costs nothing.
        ("bottleneck", {"features": 64}, Image(64, 4, 4), Cost(4_352 + 32 + 32 + 128, 4_352 * 16)),
        # The narrowing still sees the large picture; the shortcut is 64 · 64 weights.
        (
            "bottleneck",
            {"features": 64, "stride": 2},
            Image(64, 4, 4),
            Cost(4_352 + 32 + 32 + 128 + 4_096 + 128, 1_024 * 16 + (2_304 + 1_024 + 4_096) * 4),
        ),
        ("norm", {}, Image(5, 4, 4), Cost(10, 0)),
        ("linear", {"features": 7}, Features(5), Cost(5 * 7 + 7, 35)),
        ("linear", {"features": 7, "bias": False}, Sequence(9, 5), Cost(35, 9 * 35)),
    ],
)
def test_costs_on_paper(name: str, options: dict[str, Any], shape: Shape, expected: Cost) -> None:
    assert make(name, **options).cost(shape, CLASSES) == expected


# Convolutions


@pytest.mark.parametrize(
    ("kind", "children"),
    [
        ("conv", ["conv", "bn"]),
        ("residual", ["conv1", "conv2", "squeeze_excite", "shortcut", "act"]),
        ("bottleneck", ["conv1", "conv2", "conv3", "squeeze_excite", "shortcut", "act"]),
    ],
)
def test_parts_are_made_in_one_order_under_one_name_so_that_a_seed_leads_to_its_weights(kind: str, children: list[str]) -> None:
    module = make(kind, features=8).build(Image(4, 5, 5), CLASSES)
    assert [name for name, _ in module.named_children()] == children


def test_an_activation_that_comes_first_leaves_the_sign_of_what_comes_out() -> None:
    pictures = batch(Image(4, 5, 5))
    block = make("conv", features=4, order="activation_first").build(Image(4, 5, 5), CLASSES)
    conv, norm = block.conv.conv, block.conv.bn
    assert torch.equal(block(pictures), norm(conv(pictures.relu())))
    assert block(pictures).min() < 0


def test_a_dilated_convolution_looks_at_pixels_apart() -> None:
    conv = make("conv", features=1, dilation=2, norm="none", activation="none", bias=False).build(Image(1, 5, 5), CLASSES)
    nn.init.ones_(conv.weight)
    picture = torch.zeros(1, 1, 5, 5)
    picture[0, 0, 2, 2] = 1
    seen = conv(picture)[0, 0].nonzero().tolist()
    assert seen == [[row, column] for row in (0, 2, 4) for column in (0, 2, 4)]


@pytest.mark.parametrize(("norm", "bias", "biased"), [("batch", None, False), ("none", None, True), ("none", False, False)])
def test_a_convolution_without_normalisation_has_a_bias(norm: str, bias: bool | None, biased: bool) -> None:
    module = make("conv", features=4, norm=norm, bias=bias).build(Image(4, 5, 5), CLASSES)
    convolutions = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    assert [part.bias is not None for part in convolutions] == [biased]


def test_a_convolution_without_normalisation_is_activated() -> None:
    block = make("conv", features=4, norm="none").build(Image(4, 5, 5), CLASSES)
    pictures = batch(Image(4, 5, 5))
    assert torch.equal(block(pictures), block.conv(pictures).relu())


def test_a_bottleneck_without_its_convolutions_is_its_shortcut() -> None:
    block = make("bottleneck", features=4).build(Image(4, 5, 5), CLASSES)
    nn.init.zeros_(block.conv3.bn.weight)
    pictures = batch(Image(4, 5, 5))
    assert torch.equal(block(pictures), pictures.relu())


def test_groups_that_do_not_divide_what_comes_in_are_told() -> None:
    with pytest.raises(ModelError, match=r"^groups must divide the channels that come in \(4\), got 3\.$"):
        make("conv", features=6, groups=3).output(Image(4, 5, 5), CLASSES)


# Pooling


def test_an_average_over_squares_that_overlap_keeps_the_picture_and_counts_its_pixels_alone() -> None:
    pool = make("pool", kind="average", size=3, stride=1).build(Image(1, 3, 3), CLASSES)
    picture = torch.arange(9.0).reshape(1, 1, 3, 3)
    # The corner sees 0, 1, 3, 4; the middle of the first row 0 to 5; the centre all nine.
    assert pool(picture).tolist() == [[[[2.0, 2.5, 3.0], [3.5, 4.0, 4.5], [5.0, 5.5, 6.0]]]]


def test_squares_that_overlap_lie_around_every_second_pixel() -> None:
    pool = make("pool", size=3, stride=2).build(Image(1, 4, 4), CLASSES)
    assert pool(torch.arange(16.0).reshape(1, 1, 4, 4)).tolist() == [[[[5.0, 7.0], [13.0, 15.0]]]]


def test_squares_apart_leave_pixels_out() -> None:
    pool = make("pool", size=2, stride=3).build(Image(1, 4, 4), CLASSES)
    assert pool(torch.arange(16.0).reshape(1, 1, 4, 4)).tolist() == [[[[5.0, 7.0], [13.0, 15.0]]]]


def test_squares_that_overlap_have_a_centre() -> None:
    with pytest.raises(
        ValidationError, match=r"size must be odd, so that it has a centre, where the stride \(1\) is less, got 2"
    ):
        make("pool", size=2, stride=1)


def test_a_picture_and_a_sequence_become_one_vector() -> None:
    picture, sequence = torch.arange(8.0).reshape(1, 2, 2, 2), torch.arange(8.0).reshape(1, 4, 2)
    assert make("global_pool").build(Image(2, 2, 2), CLASSES)(picture).tolist() == [[1.5, 5.5]]
    assert make("global_pool", kind="max").build(Image(2, 2, 2), CLASSES)(picture).tolist() == [[3.0, 7.0]]
    assert make("global_pool").build(Sequence(4, 2), CLASSES)(sequence).tolist() == [[3.0, 4.0]]
    assert make("global_pool", kind="max").build(Sequence(4, 2), CLASSES)(sequence).tolist() == [[6.0, 7.0]]


# Layers that stand anywhere


@pytest.mark.parametrize(
    ("kind", "shape", "axes"),
    [
        ("batch", Image(8, 4, 5), (0, 2, 3)),
        ("layer", Image(8, 4, 5), (1,)),
        ("group", Image(8, 4, 5), (1, 2, 3)),
        ("batch", Sequence(6, 8), (0, 1)),
        ("layer", Sequence(6, 8), (2,)),
        ("group", Sequence(6, 8), (1, 2)),
        ("batch", Features(8), (0,)),
        ("layer", Features(8), (1,)),
        ("group", Features(8), (1,)),
    ],
)
def test_a_norm_brings_what_it_is_over_to_mean_0_and_variance_1(kind: str, shape: Shape, axes: tuple[int, ...]) -> None:
    outputs = make("norm", kind=kind, groups=1).build(shape, CLASSES)(3 + 2 * batch(shape, number=16))
    assert outputs.mean(dim=axes).abs().max() < 1e-5
    assert (outputs.var(dim=axes, correction=0) - 1).abs().max() < 1e-3


def test_groups_of_a_norm_do_not_see_each_other() -> None:
    norm = make("norm", kind="group", groups=2).build(Sequence(6, 8), CLASSES)
    inputs = batch(Sequence(6, 8))
    outputs = norm(inputs)
    inputs[..., :4] += batch(Sequence(6, 4))
    assert torch.equal(norm(inputs)[..., 4:], outputs[..., 4:])


def test_groups_of_a_norm_that_do_not_divide_the_channels_are_told() -> None:
    with pytest.raises(ModelError, match=r"^groups must divide the channels that come in \(12\), got 8\.$"):
        make("norm", kind="group").output(Image(12, 5, 5), CLASSES)


def test_groups_of_a_norm_that_are_single_numbers_are_told() -> None:
    message = "a group has several numbers to normalise, got 8 groups of a vector of 8 features; have fewer groups."
    with pytest.raises(ModelError) as caught:
        make("norm", kind="group").output(Features(8), CLASSES)
    assert str(caught.value) == message
    assert make("norm", kind="group").output(Image(8, 1, 2), CLASSES) == Image(8, 1, 2)


def test_a_norm_over_positions_is_refused_where_none_may_see_later_ones() -> None:
    wanted = NextTokens(6, 20)
    with pytest.raises(ModelError) as caught:
        make("norm", kind="group").output(Sequence(6, 8), wanted)
    assert str(caught.value) == f"{wanted} is wanted, but group normalisation sees what comes later; normalise by 'layer'."
    assert make("norm", kind="layer").output(Sequence(6, 8), wanted) == Sequence(6, 8)


@pytest.mark.parametrize("name", ["norm", "activation", "dropout", "linear"])
def test_a_position_sees_itself_alone(name: str) -> None:
    options = {"norm": {"kind": "layer"}, "linear": {"features": 4, "activation": "gelu"}}.get(name, {})
    module = make(name, **options).build(Sequence(6, 8), NextTokens(6, 20)).eval()
    inputs = batch(Sequence(6, 8))
    before = module(inputs)
    inputs[:, 3:] = 7
    assert torch.equal(module(inputs)[:, :3], before[:, :3])


def test_dropout_makes_zeros_in_training_alone() -> None:
    module, ones = make("dropout", rate=0.5).build(Image(4, 20, 20), CLASSES), torch.ones(2, 4, 20, 20)
    assert set(module(ones).unique().tolist()) == {0.0, 2.0}
    assert torch.equal(module.eval()(ones), ones)


def test_zero_is_zero_even_of_what_is_not_finite() -> None:
    module = make("zero").build(Features(2), CLASSES)
    assert module(torch.tensor([[torch.inf, torch.nan]])).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("kind", ["sequence", "waveform"])
def test_layers_that_keep_the_shape_are_edges_of_a_cell(kind: str) -> None:
    space = parse_space(f"""
name: toy
version: 1
accepts: {kind}
layers:
  - cell: cell
    nodes: 2
    operations: {{identity: {{}}, zero: {{}}, dropout: {{rate: 0.5}}, norm: {{kind: batch}}, activation: {{kind: tanh}}}}
  - head
""")
    given_shape = Sequence(6, 2) if kind == "sequence" else Waveform(6, 2, rate=8)
    inputs = batch(given_shape)
    expected = OrderedDict(
        identity=inputs, zero=torch.zeros_like(inputs), dropout=inputs, norm=inputs / (1 + 1e-5) ** 0.5, activation=inputs.tanh()
    )
    for operation, outputs in expected.items():
        architecture = space.architecture({"cell.edge_0_1": operation})
        model = build(space, architecture, Signature(given_shape, CLASSES)).eval()
        torch.testing.assert_close(model.cell(inputs), outputs)


def test_a_gate_weighs_a_branch_by_another() -> None:
    space = parse_space("""
name: toy
version: 1
accepts: image
layers:
  - parallel: gate
    merge: multiply
    branches: {open: [{conv: {features: 3, activation: none}}, {activation: {kind: sigmoid}}], skip: []}
  - head
""")
    model = build(space, space.architecture({}), Signature(Image(3, 5, 5), CLASSES)).eval()
    pictures = batch(Image(3, 5, 5))
    weights = model.gate(pictures) / pictures
    assert 0 < weights.min() < weights.max() < 1
