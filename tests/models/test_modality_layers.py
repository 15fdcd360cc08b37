"""Layers that tell several inputs apart: formulas against torch's count, numbers against hand counts and slow twins."""

from math import prod
from typing import Any

import pytest
import torch
from layer_examples import batch, make, shake
from torch import Tensor, nn
from torch.nn.functional import softmax

from nas.benchmark import Features, Image, Joined, Modalities, Sequence, Signature, Tokens
from nas.errors import ModelError
from nas.models import Cost, build, cost, count, network_id, plan
from nas.space import parse_space

CLASSES = Features(3)
BOTH = Modalities.of(image=Image(2, 3, 4), text=Tokens(5, 50), sound=Sequence(6, 2))
JOINED = Joined(7, 8, (4, 2, 1))
VECTORS = Joined(2, 8, (1, 1))
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("modality_fusion", {"kind": "concatenate", "features": 6}),
    ("modality_fusion", {"kind": "gated", "features": 6}),
    ("modality_fusion", {"kind": "bilinear", "features": 6}),
    ("cross_modal_block", {"heads": 2, "ratio": 1.5}),
    ("cross_modal_block", {"heads": 3, "head_size": 4, "gated": True, "bias": False}),
]


def row() -> tuple[Tensor, dict[str, Tensor]]:
    """Two rows, and what stands in them."""
    parts = {"image": torch.randn(2, 2, 3, 4), "text": torch.randint(50, (2, 5)), "sound": torch.randn(2, 6, 2)}
    return torch.cat([part.flatten(1).float() for part in parts.values()], dim=1), parts


@pytest.mark.parametrize("name", BOTH.names)
def test_a_modality_comes_out_of_the_row_as_it_went_in(name: str) -> None:
    rows, parts = row()
    layer = make("modality", name=name)
    found = layer.build(BOTH, CLASSES)(rows)
    assert layer.output(BOTH, CLASSES) == dict(BOTH.parts)[name]
    assert found.dtype == parts[name].dtype
    assert torch.equal(found, parts[name])
    assert layer.cost(BOTH, CLASSES) == Cost() == count(lambda: layer.build(BOTH, CLASSES), BOTH)


def test_a_modality_that_is_not_there_is_told() -> None:
    with pytest.raises(ModelError) as caught:
        make("modality", name="sounds").output(BOTH, CLASSES)
    assert str(caught.value) == "no modality is called 'sounds' here. Did you mean 'sound'? Known: image, sound, text."


@pytest.mark.parametrize("given", [JOINED, VECTORS], ids=["positions", "vectors"])
@pytest.mark.parametrize(("name", "options"), KINDS)
def test_a_layer_gives_what_it_declares_and_costs_what_torch_counts(name: str, options: dict[str, Any], given: Joined) -> None:
    layer = make(name, **options)
    assert layer.cost(given, CLASSES) == count(lambda: layer.build(given, CLASSES), given)
    module = layer.build(given, CLASSES).train()
    outputs = module(batch(given))
    assert outputs.shape == (2, *layer.output(given, CLASSES).axes)
    outputs.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in module.parameters())


def means(joined: Tensor) -> list[Tensor]:
    return [joined[:, :4].mean(1), joined[:, 4:6].mean(1), joined[:, 6]]


@pytest.mark.parametrize(("given", "wanted"), [(JOINED, Features(6)), (VECTORS, Features(10))], ids=["positions", "vectors"])
def test_shared_vectors_are_linear_of_averages_brought_to_length_one(given: Joined, wanted: Features) -> None:
    layer = make("shared_vectors")
    assert layer.cost(given, wanted) == count(lambda: layer.build(given, wanted), given)
    module, joined = shake(layer.build(given, wanted)), batch(given)
    starts = [sum(given.lengths[:n]) for n in range(len(given.lengths))]
    averaged = [joined[:, start : start + length].mean(1) for start, length in zip(starts, given.lengths, strict=True)]
    vectors = [value(average) for value, average in zip(module.values, averaged, strict=True)]
    expected = torch.cat([vector / vector.norm(dim=1, keepdim=True) for vector in vectors], dim=1)
    assert torch.allclose(module(joined), expected, atol=1e-5)


def test_concatenation_is_a_linear_layer_on_all_averages() -> None:
    module, joined = shake(make("modality_fusion", features=6).build(JOINED, CLASSES)), batch(JOINED)
    assert torch.allclose(module(joined), torch.relu(module.linear(torch.cat(means(joined), dim=1))))


def test_gates_see_all_modalities_and_weigh_each() -> None:
    module, joined = shake(make("modality_fusion", kind="gated", features=6).build(JOINED, CLASSES)), batch(JOINED)
    vectors = means(joined)
    gates = module.gates(torch.cat(vectors, dim=1)).sigmoid().chunk(3, dim=1)
    expected = sum(gate * value(vector).tanh() for gate, value, vector in zip(gates, module.values, vectors, strict=True))
    assert torch.allclose(module(joined), expected, atol=1e-6)


def test_a_bilinear_form_multiplies_modalities() -> None:
    module, joined = shake(make("modality_fusion", kind="bilinear", features=6).build(JOINED, CLASSES)), batch(JOINED)
    first, second, third = (value(vector).tanh() for value, vector in zip(module.values, means(joined), strict=True))
    assert torch.allclose(module(joined), first * second * third, atol=1e-6)


def test_a_position_attends_to_other_sequences_alone() -> None:
    """Against attention to all positions, of which those of one's own sequence are shut out by a mask."""
    block = shake(make("cross_modal_block", heads=2).build(JOINED, CLASSES)).eval()
    joined, own = batch(JOINED), torch.tensor([0, 0, 0, 0, 1, 1, 2])
    query, key, value = block.attn.qkv(joined).reshape(2, 7, 3, 2, 4).permute(2, 0, 3, 1, 4)
    scores = (query @ key.transpose(-1, -2) / 2).masked_fill(own[:, None] == own, -torch.inf)
    expected = block.attn.proj((softmax(scores, dim=-1) @ value).transpose(1, 2).flatten(2))
    assert torch.allclose(block.attn(joined), expected, atol=1e-5)


def test_attention_across_modalities_needs_two() -> None:
    with pytest.raises(ModelError, match=r"^attention across modalities needs two of them, got a sequence of 4×8; join two "):
        make("cross_modal_block", heads=2).output(Joined(4, 8, (4,)), CLASSES)


SPACE = """
name: both
version: 1
accepts: modalities
layers:
  - parallel: encoders
    merge: join
    branches:
      image:
        - modality: {name: image}
        - patch_embedding: {size: 1, features: 8}
      text:
        - modality: {name: text}
        - embedding: {features: 8}
        - global_pool
  - modality_dropout: {rate: [0.1, 0.2]}
  - modality_fusion: {kind: [concatenate, bilinear], features: 6}
  - head
"""


def test_branches_are_joined_end_to_end_and_cost_what_is_counted_by_hand() -> None:
    space = parse_space(SPACE)
    architecture = space.architecture({"modality_dropout.rate": 0.1, "modality_fusion.kind": "concatenate"})
    signature = Signature(BOTH, CLASSES)
    fork = plan(space, architecture, signature)[0]
    assert fork.gives == Joined(13, 8, (12, 1))
    model = build(space, architecture, signature, seed=0).eval()
    rows, parts = row()
    pictures = model.encoders.branches["image"][1](parts["image"])
    words = model.encoders.branches["text"][1](parts["text"]).mean(1, keepdim=True)
    assert torch.equal(model.encoders(rows), torch.cat([pictures, words], dim=1))
    macs = 12 * 2 * 8 + 2 * 8 * 6 + 6 * 3
    params = (2 * 8 + 8) + 50 * 8 + (16 * 6 + 6) + (6 * 3 + 3)
    assert cost(space, architecture, signature) == Cost(params, macs)
    assert count(lambda: build(space, architecture, signature), BOTH) == Cost(params, macs)


def test_the_order_of_joined_branches_and_a_rate_of_dropout_make_another_candidate() -> None:
    signature = Signature(BOTH, CLASSES)
    choices = {"modality_dropout.rate": 0.1, "modality_fusion.kind": "concatenate"}
    begin, middle, end = (SPACE.index(words) for words in ("      image:", "      text:", "  - modality_dropout"))
    image, text = SPACE[begin:middle], SPACE[middle:end]
    spaces = [parse_space(SPACE), parse_space(SPACE.replace(image + text, text + image))]
    assert len({network_id(one, one.architecture(choices), signature) for one in spaces}) == 2
    rates = [spaces[0].architecture({**choices, "modality_dropout.rate": rate}) for rate in (0.1, 0.2)]
    assert len({network_id(spaces[0], one, signature) for one in rates}) == 2


@pytest.mark.parametrize(
    ("branch", "message"),
    [
        (
            "[modality: {name: text}, embedding: {features: 6}]",
            "encoders: branches that are joined end in sequences or vectors of as many channels each, got a sequence of 12×8 "
            "from 'image', a sequence of 5×6 from 'text'.",
        ),
        (
            "[modality: {name: image}]",
            "encoders: branches that are joined end in sequences or vectors of as many channels each, got a sequence of 12×8 "
            "from 'image', an image of 2×3×4 from 'text'.",
        ),
    ],
)
def test_ends_that_cannot_be_joined_are_told(branch: str, message: str) -> None:
    layers = "  - {parallel: encoders, merge: join, branches: {image: [modality: {name: image}, "
    layers += f"patch_embedding: {{size: 1, features: 8}}], text: {branch}}}}}\n"
    space = parse_space(f"name: two\nversion: 1\naccepts: modalities\nlayers:\n{layers}  - head\n")
    with pytest.raises(ModelError) as caught:
        plan(space, space.architecture({}), Signature(BOTH, CLASSES))
    assert str(caught.value) == message


def test_modalities_are_taken_apart_before_they_are_merged() -> None:
    text = "name: two\nversion: 1\naccepts: modalities\nlayers:\n  - {parallel: both, branches: {one: [], other: []}}\n  - head\n"
    space = parse_space(text)
    with pytest.raises(ModelError, match="modalities cannot be merged as they come; begin each branch with a `modality`"):
        plan(space, space.architecture({}), Signature(BOTH, CLASSES))


def test_a_row_is_as_long_as_all_that_stands_in_it() -> None:
    assert BOTH.axes == (24 + 5 + 12,) == (sum(prod(shape.axes) for _, shape in BOTH.parts),)
    assert isinstance(make("modality", name="text").build(BOTH, CLASSES), nn.Module)
