"""Attention, feed-forward, encoder blocks, positions, patches: formulas against torch's count, numbers against torch and timm."""

from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_examples import batch, make, shake
from pydantic import ValidationError
from timm.models.vision_transformer import Block as TimmBlock
from torch import nn

from nas.benchmark import Features, Image, NextTokens, Sequence, Shape, Waveform
from nas.errors import ModelError
from nas.models import Cost, LayerKind, count, example
from nas.models.layers import Activation

CLASSES = Features(3)

sizes = st.integers(1, 6)
dropouts = st.sampled_from([0, 0.1])
flags = st.booleans()
lengths = st.integers(1, 12)
positions = ["none", "rotary", "relative"]

_attention = {
    "positions": st.sampled_from(positions),
    "reach": st.sampled_from([1, 3, 128]),
    "causal": flags,
    "bias": flags,
    "dropout": dropouts,
}
_feed_forward = {
    "ratio": st.sampled_from([0.1, 1, 1.5, 4]),
    "gated": flags,
    "activation": st.sampled_from(get_args(Activation)),
    "dropout": dropouts,
}
OPTIONS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "attention": _attention,
    "feed_forward": _feed_forward,
    "encoder_block": {**_attention, **_feed_forward, "norm": st.sampled_from(["layer", "rms"]), "norm_first": flags},
    "cross_attention": {"queries": st.integers(1, 7), "bias": flags, "dropout": dropouts},
    "position": {"kind": st.sampled_from(["learned", "sinusoidal"])},
    "class_token": {},
    "patch_embedding": {"size": st.integers(1, 9), "features": sizes, "pad": st.just(True)},
}


@st.composite
def layers(draw: st.DrawFn, name: str) -> tuple[LayerKind, Shape, Shape]:
    """Any options, what goes in, and what the benchmark wants."""
    options = {key: draw(values) for key, values in OPTIONS[name].items()}
    if name == "patch_embedding":
        return make(name, **options), Image(draw(st.integers(1, 3)), draw(lengths), draw(lengths)), CLASSES
    length, channels = draw(lengths), draw(sizes)
    if name in {"attention", "encoder_block", "cross_attention"}:
        heads, size = draw(st.integers(1, 4)), 2 * draw(st.integers(1, 3))
        options["heads"] = heads
        if draw(flags):
            options["head_size"] = size
        else:
            channels = heads * size
    shape = draw(st.sampled_from([Sequence(length, channels), Waveform(length, channels, rate=8)]))
    backward_only = name in {"attention", "feed_forward", "encoder_block", "position"} and draw(flags)
    return make(name, **options), shape, NextTokens(length, 5) if backward_only else CLASSES


def built(kind: str, shape: Shape, wanted: Shape = CLASSES, /, **options: Any) -> nn.Module:
    layer = make(kind, **options)
    layer.output(shape, wanted)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return layer.build(shape, wanted).eval()


# Formulas


@pytest.mark.parametrize("name", OPTIONS)
@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_a_layer_gives_what_it_declares_and_costs_what_torch_counts(name: str, data: st.DataObject) -> None:
    layer, shape, wanted = data.draw(layers(name))
    gives = layer.output(shape, wanted)
    assert type(gives) is Sequence
    found = count(lambda: layer.build(shape, wanted), shape)
    assert layer.cost(shape, wanted) == found
    with torch.no_grad():
        assert layer.build(shape, wanted).eval()(batch(shape)).shape == (2, *gives.axes)


@pytest.mark.parametrize("name", OPTIONS)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_a_layer_and_its_plain_form_compute_the_same(name: str, data: st.DataObject) -> None:
    layer, shape, wanted = data.draw(layers(name))
    plain = layer.plain(shape, wanted)
    assert plain is not None
    assert plain.cost(shape, wanted) == layer.cost(shape, wanted)
    first, second = shake(layer.build(shape, wanted).eval()), shake(plain.build(shape, wanted).eval())
    with torch.no_grad():
        assert torch.equal(first(batch(shape)), second(batch(shape)))


@pytest.mark.parametrize("name", OPTIONS)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_gradients_reach_every_parameter_in_training(name: str, data: st.DataObject) -> None:
    layer, shape, wanted = data.draw(layers(name))
    module = layer.build(shape, wanted)
    inputs = batch(shape).requires_grad_()
    module(inputs).square().sum().backward()
    for reached in (inputs, *module.parameters()):
        assert reached.grad is not None
        assert reached.grad.isfinite().all()


@pytest.mark.parametrize(
    ("name", "options", "shape", "expected"),
    [
        # q, k, v and the way out: 4 · 12² weights, 4 · 12 biases; at 10 positions, and two products of 10 × 10 × 12.
        ("attention", {"heads": 3}, Sequence(10, 12), Cost(4 * 144 + 48, 10 * 4 * 144 + 2 * 100 * 12)),
        ("attention", {"heads": 3, "causal": True}, Sequence(10, 12), Cost(624, 8_160)),
        # 2 heads of 5: 3 · 12 · 10 weights in, 10 · 12 out.
        (
            "attention",
            {"heads": 2, "head_size": 5},
            Sequence(10, 12),
            Cost(360 + 30 + 120 + 12, 10 * 480 + 2 * 100 * 10),
        ),
        ("attention", {"heads": 3, "bias": False}, Sequence(10, 12), Cost(576, 8_160)),
        ("attention", {"heads": 3, "positions": "rotary"}, Sequence(10, 12), Cost(624, 8_160)),
        # Distances −9 … 9 of 3 heads; −4 … 4; back alone 0 … 4.
        ("attention", {"heads": 3, "positions": "relative"}, Sequence(10, 12), Cost(624 + 57, 8_160)),
        ("attention", {"heads": 3, "positions": "relative", "reach": 4}, Sequence(10, 12), Cost(624 + 27, 8_160)),
        (
            "attention",
            {"heads": 3, "positions": "relative", "reach": 4, "causal": True},
            Sequence(10, 12),
            Cost(624 + 15, 8_160),
        ),
        # 4 queries of 12; their projection and the way out at 4 positions, keys and values at 10; two products of 4 × 10 × 12.
        (
            "cross_attention",
            {"queries": 4, "heads": 3},
            Sequence(10, 12),
            Cost(48 + 576 + 48, 4 * 288 + 10 * 288 + 2 * 4 * 10 * 12),
        ),
        ("feed_forward", {"ratio": 2}, Sequence(10, 12), Cost(12 * 24 + 24 + 24 * 12 + 12, 10 * 576)),
        ("feed_forward", {"ratio": 2, "gated": True}, Sequence(10, 12), Cost(12 * 48 + 48 + 24 * 12 + 12, 10 * 864)),
        ("encoder_block", {"heads": 3, "ratio": 2}, Sequence(10, 12), Cost(624 + 612 + 48, 8_160 + 5_760)),
        ("encoder_block", {"heads": 3, "ratio": 2, "norm_first": False}, Sequence(10, 12), Cost(1_284, 13_920)),
        ("encoder_block", {"heads": 3, "ratio": 2, "norm": "rms"}, Sequence(10, 12), Cost(1_260, 13_920)),
        ("position", {}, Sequence(10, 12), Cost(120, 0)),
        ("position", {"kind": "sinusoidal"}, Sequence(10, 12), Cost(0, 0)),
        ("class_token", {}, Sequence(10, 12), Cost(12, 0)),
        # 2 × 2 pixels of 3 channels to 5 features at 4 · 3 patches.
        ("patch_embedding", {"size": 2, "features": 5}, Image(3, 8, 6), Cost(60 + 5, 12 * 60)),
        ("patch_embedding", {"size": 2, "features": 5, "pad": True}, Image(3, 7, 5), Cost(65, 720)),
    ],
)
def test_costs_are_what_one_counts_on_paper(name: str, options: dict[str, Any], shape: Shape, expected: Cost) -> None:
    layer = make(name, **options)
    found = count(lambda: layer.build(shape, CLASSES), shape)
    assert layer.cost(shape, CLASSES) == found == expected


# Numbers


@pytest.mark.parametrize("causal", [False, True])
def test_attention_without_positions_is_that_of_torch(causal: bool) -> None:
    ours = built("attention", Sequence(9, 12), heads=3, causal=causal)
    theirs = nn.MultiheadAttention(12, 3, batch_first=True)
    shake(ours)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.qkv.weight)
        theirs.in_proj_bias.copy_(ours.qkv.bias)
        theirs.out_proj.load_state_dict(ours.proj.state_dict())
    inputs_NLC = batch(Sequence(9, 12))
    mask = nn.Transformer.generate_square_subsequent_mask(9) if causal else None
    expected, _ = theirs(inputs_NLC, inputs_NLC, inputs_NLC, attn_mask=mask, need_weights=False)
    torch.testing.assert_close(ours(inputs_NLC), expected)


def test_cross_attention_is_that_of_torch_on_its_queries() -> None:
    ours = shake(built("cross_attention", Sequence(9, 12), queries=4, heads=3))
    theirs = nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat((ours.q.weight, ours.kv.weight)))
        theirs.in_proj_bias.copy_(torch.cat((ours.q.bias, ours.kv.bias)))
        theirs.out_proj.load_state_dict(ours.proj.state_dict())
    inputs_NLC = batch(Sequence(9, 12))
    expected, _ = theirs(ours.queries_QC.expand(2, -1, -1), inputs_NLC, inputs_NLC, need_weights=False)
    torch.testing.assert_close(ours(inputs_NLC), expected)


def test_a_block_by_default_is_that_of_timms_vision_transformer() -> None:
    theirs = shake(TimmBlock(12, 3, mlp_ratio=4.0, qkv_bias=True)).eval()
    ours = built("encoder_block", Sequence(9, 12), heads=3)
    ours.load_state_dict(theirs.state_dict())  # strict: the same names and shapes
    inputs_NLC = batch(Sequence(9, 12))
    torch.testing.assert_close(ours(inputs_NLC), theirs(inputs_NLC))


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_block_with_its_norms_in_either_place_is_torchs_encoder_layer(norm_first: bool) -> None:
    ours = shake(built("encoder_block", Sequence(9, 12), heads=3, ratio=2, activation="relu", norm_first=norm_first))
    theirs = nn.TransformerEncoderLayer(
        12, 3, 24, dropout=0.0, layer_norm_eps=1e-6, batch_first=True, norm_first=norm_first
    ).train()  # in evaluation it would take another path
    names = {"attn.qkv.": "self_attn.in_proj_", "attn.proj": "self_attn.out_proj", "mlp.fc1": "linear1", "mlp.fc2": "linear2"}
    weights = {}
    for name, value in ours.state_dict().items():
        for our_name, their_name in names.items():
            name = name.replace(our_name, their_name)
        weights[name] = value
    theirs.load_state_dict(weights)
    inputs_NLC = batch(Sequence(9, 12))
    torch.testing.assert_close(ours(inputs_NLC), theirs(inputs_NLC))


def test_a_gated_feed_forward_weighs_one_projection_by_another() -> None:
    module = shake(built("feed_forward", Sequence(5, 4), ratio=2, gated=True, activation="silu"))
    inputs_NLC = batch(Sequence(5, 4))
    plain, gate = module.fc1(inputs_NLC).split(8, dim=-1)
    torch.testing.assert_close(module(inputs_NLC), module.fc2(plain * gate * gate.sigmoid()))


def test_rms_normalisation_divides_by_the_root_mean_square() -> None:
    block = built("encoder_block", Sequence(5, 4), heads=2, norm="rms")
    inputs_NLC = batch(Sequence(5, 4))
    torch.testing.assert_close(block.norm1(inputs_NLC), inputs_NLC / (inputs_NLC.square().mean(-1, keepdim=True) + 1e-6).sqrt())


def test_rotary_scores_depend_on_distance_alone() -> None:
    rotary = built("attention", Sequence(40, 8), heads=1, positions="rotary").rotary
    query, key = torch.randn(2, 8, generator=torch.Generator().manual_seed(3))
    turned_queries, turned_keys = rotary(query.expand(1, 1, 40, 8))[0, 0], rotary(key.expand(1, 1, 40, 8))[0, 0]
    scores = turned_queries @ turned_keys.T
    for distance in range(-39, 40):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=1e-4, atol=1e-4)
    assert scores[0].std() > 0.1  # and they do depend on it
    torch.testing.assert_close(scores[0, 0], query @ key)


def test_relative_scores_are_raised_by_head_and_clipped_distance() -> None:
    relative = built("attention", Sequence(5, 4), heads=2, positions="relative", reach=2).relative
    with torch.no_grad():
        relative.table.copy_(torch.arange(10.0).reshape(2, 5))
    assert relative()[0, 0].tolist() == [[2, 3, 4, 4, 4], [1, 2, 3, 4, 4], [0, 1, 2, 3, 4], [0, 0, 1, 2, 3], [0, 0, 0, 1, 2]]
    assert torch.equal(relative()[0, 1], relative()[0, 0] + 5)


def test_relative_scores_of_causal_attention_look_back_only() -> None:
    relative = built("attention", Sequence(4, 4), heads=1, positions="relative", reach=2, causal=True).relative
    with torch.no_grad():
        relative.table.copy_(torch.tensor([[7.0, 8.0, 9.0]]))
    never = float("-inf")
    assert relative()[0, 0].tolist() == [[9, never, never, never], [8, 9, never, never], [7, 8, 9, never], [7, 7, 8, 9]]


def test_relative_attention_adds_its_numbers_to_the_scores() -> None:
    module = shake(built("attention", Sequence(6, 4), heads=1, positions="relative", reach=3))
    inputs_NLC = batch(Sequence(6, 4))
    query, key, value = module.qkv(inputs_NLC).split(4, dim=-1)
    weights = (query @ key.transpose(1, 2) / 2 + module.relative()[0]).softmax(dim=-1)
    torch.testing.assert_close(module(inputs_NLC), module.proj(weights @ value))


@pytest.mark.parametrize("kind", ["rotary", "relative"])
def test_attention_that_knows_positions_tells_orders_apart(kind: str) -> None:
    inputs_NLC = batch(Sequence(6, 8))
    for told, same in ((kind, False), ("none", True)):
        module = shake(built("attention", Sequence(6, 8), heads=2, positions=told))
        turned = module(inputs_NLC.flip(1)).flip(1)
        assert torch.allclose(turned, module(inputs_NLC), atol=1e-5) is same


def test_sinusoids_are_the_waves_of_the_paper() -> None:
    module = built("position", Sequence(50, 7), kind="sinusoidal")
    added = module(torch.zeros(1, 50, 7))[0]
    for position, channel in [(0, 0), (0, 1), (3, 0), (3, 1), (49, 4), (49, 5), (20, 6)]:
        angle = torch.tensor(position / 10_000 ** (2 * (channel // 2) / 7))
        wave = angle.sin() if channel % 2 == 0 else angle.cos()
        torch.testing.assert_close(added[position, channel], wave, rtol=1e-4, atol=1e-5)


def test_what_is_fixed_is_not_among_the_weights() -> None:
    assert not built("position", Sequence(5, 4), kind="sinusoidal").state_dict()
    for kind in ("rotary", "relative"):
        names = set(built("attention", Sequence(5, 4), heads=1, positions=kind).state_dict())
        assert names - {"relative.table"} == {"qkv.weight", "qkv.bias", "proj.weight", "proj.bias"}


def test_a_class_token_stands_before_the_sequence() -> None:
    module = built("class_token", Sequence(5, 4))
    inputs_NLC = batch(Sequence(5, 4))
    outputs = module(inputs_NLC)
    assert torch.equal(outputs[:, 1:], inputs_NLC)
    assert torch.equal(outputs[:, 0], module.token_C.expand(2, -1))


def test_patches_are_read_row_by_row_and_filled_up_with_zeros() -> None:
    module = built("patch_embedding", Image(1, 3, 5), size=2, features=1, pad=True)
    with torch.no_grad():
        module.proj.weight.fill_(1.0)
        module.proj.bias.zero_()
    picture = torch.arange(15.0).reshape(1, 1, 3, 5)
    assert module(picture).flatten().tolist() == [0 + 1 + 5 + 6, 2 + 3 + 7 + 8, 4 + 9, 10 + 11, 12 + 13, 14]


@pytest.mark.parametrize("name", ["attention", "encoder_block", "feed_forward", "cross_attention"])
def test_dropout_is_of_training_only(name: str) -> None:
    options = {"attention": {"heads": 2}, "encoder_block": {"heads": 2}, "cross_attention": {"heads": 2, "queries": 3}}
    module = built(name, Sequence(8, 8), dropout=0.5, **options.get(name, {}))
    inputs_NLC = batch(Sequence(8, 8))
    assert torch.equal(module(inputs_NLC), module(inputs_NLC))
    module.train()
    assert not torch.equal(module(inputs_NLC), module(inputs_NLC))


# Looking back only


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", positions)
@pytest.mark.parametrize(
    ("name", "options"), [("attention", {}), ("encoder_block", {}), ("encoder_block", {"norm_first": False})]
)
@pytest.mark.parametrize(("causal", "wanted"), [(True, CLASSES), (False, NextTokens(40, 5))])
def test_what_comes_later_changes_no_bit_of_what_came_before(
    name: str, options: dict[str, Any], kind: str, causal: bool, wanted: Shape, training: bool
) -> None:
    module = shake(built(name, Sequence(40, 8), wanted, heads=2, positions=kind, causal=causal, **options)).train(training)
    before = batch(Sequence(40, 8))
    for changed in (1, 17, 39):
        after = before.clone()
        after[:, changed] += 100.0
        first, second = module(before), module(after)
        assert torch.equal(first[:, :changed], second[:, :changed])
        assert not torch.equal(first[:, changed:], second[:, changed:])


def test_attention_sees_what_comes_later_where_nothing_forbids_it() -> None:
    module = shake(built("attention", Sequence(5, 8), heads=2))
    before = batch(Sequence(5, 8))
    after = before.clone()
    after[:, 4] += 1.0
    assert not torch.allclose(module(before)[:, 0], module(after)[:, 0])


# Messages


@pytest.mark.parametrize(
    ("name", "options", "shape", "wanted", "message"),
    [
        (
            "attention",
            {"heads": 4},
            Sequence(5, 30),
            CLASSES,
            "heads must divide the channels that come in (30), got 4; give them a `head_size` too.",
        ),
        (
            "encoder_block",
            {"heads": 4},
            Sequence(5, 30),
            CLASSES,
            "heads must divide the channels that come in (30), got 4; give them a `head_size` too.",
        ),
        (
            "cross_attention",
            {"heads": 4, "queries": 2},
            Sequence(5, 30),
            CLASSES,
            "heads must divide the channels that come in (30), got 4; give them a `head_size` too.",
        ),
        (
            "attention",
            {"heads": 2, "positions": "rotary"},
            Sequence(5, 6),
            CLASSES,
            "rotary positions turn pairs, so that a head's size must be even, got 3; change `heads`.",
        ),
        (
            "cross_attention",
            {"heads": 2, "queries": 2},
            Sequence(5, 6),
            NextTokens(5, 9),
            "cross_attention looks at the whole sequence, got the next of 9 tokens at each of 5 positions, for which a position "
            "sees earlier ones alone; use `attention`.",
        ),
        (
            "class_token",
            {},
            Sequence(5, 6),
            NextTokens(5, 9),
            "class_token gathers from the whole sequence, got the next of 9 tokens at each of 5 positions, which looks back "
            "only; leave it out.",
        ),
        (
            "patch_embedding",
            {"size": 5, "features": 4},
            Image(1, 28, 28),
            CLASSES,
            "a patch's size must divide height and width (28×28), got 5; sizes that do: 1, 2, 4, 7, 14, 28; or fill the picture "
            "up with `pad: true`.",
        ),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(
    name: str, options: dict[str, Any], shape: Shape, wanted: Shape, message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        make(name, **options).output(shape, wanted)
    assert str(caught.value) == message


def test_what_the_messages_offer_does_fit() -> None:
    assert make("attention", heads=4, head_size=8).output(Sequence(5, 30), CLASSES) == Sequence(5, 30)
    assert make("patch_embedding", size=7, features=4).output(Image(1, 28, 28), CLASSES) == Sequence(16, 4)
    assert make("patch_embedding", size=5, features=4, pad=True).output(Image(1, 28, 28), CLASSES) == Sequence(36, 4)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("attention", {"heads": 0}),
        ("attention", {"heads": 2, "positions": "learned"}),
        ("encoder_block", {"heads": 2, "norm": "batch"}),
        ("feed_forward", {"ratio": 0}),
        ("feed_forward", {"activation": "soft"}),
        ("patch_embedding", {"size": 0, "features": 2}),
        ("cross_attention", {"heads": 2}),
        ("position", {"kind": "rotary"}),
    ],
)
def test_options_outside_their_ranges_are_refused(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make(name, **options)


def test_a_batch_of_any_size_goes_through() -> None:
    shape = Sequence(6, 8)
    for name, options in (("encoder_block", {"heads": 2}), ("cross_attention", {"heads": 2, "queries": 3}), ("class_token", {})):
        module = built(name, shape, **options)
        assert module(example(shape, "cpu", 5)).shape[0] == 5
        assert module(example(shape, "cpu", 1)).shape[0] == 1
