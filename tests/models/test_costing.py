import random
from typing import ClassVar

import pytest
import torch
from torch import nn

from nas import registry
from nas.benchmark import Features, Image, Modalities, NextTokens, Query, Sequence, Shape, Signature, Tokens, Waveform
from nas.errors import ModelError
from nas.models import LayerKind, build, cost, count, layer_kind
from nas.models.layers import Cost
from nas.searching import resolve_space
from nas.space import parse_space

SIGNATURES = {
    "image": [Signature(Image(1, 8, 8), Features(10)), Signature(Image(3, 33, 29), Features(7))],
    "sequence": [Signature(Sequence(29, 12), Features(9))],
    "tokens": [Signature(Tokens(24, 100), Features(2)), Signature(Tokens(16, 65), NextTokens(16, 65))],
    "waveform": [Signature(Waveform(length=4_000, channels=1, rate=8_000), Features(10))],
    "features": [Signature(Features(12), Features(3))],
    "modalities": [Signature(Modalities.of(image=Image(3, 8, 8), text=Tokens(24, 100), sound=Image(1, 16, 16)), Features(10))],
    "query": [Signature(Query(20, 5), Features(20))],
    "image_gan": [Signature(Features(12), Image(1, 8, 8))],  # of noise
    "recommender": [Signature(Tokens(2, 40), Features(1))],  # a space that gives no next token
    "shipped_texts": [Signature(Tokens(24, 30_522), Features(2))],  # of BERT's pieces of words
}
"""What a space of each kind is tried on; every kind has a small one."""

SPACES = sorted(registry.owners(registry.SEARCH_SPACES))


def counted(space, architecture, signature) -> Cost:
    """By torch's counter, on the built network."""
    return count(lambda: build(space, architecture, signature), signature.input)


@pytest.mark.parametrize("name", SPACES)
def test_formulas_equal_the_count_of_the_built_network(name: str) -> None:
    space = resolve_space(name)
    rng = random.Random(0)
    kinds = [name] if name in SIGNATURES else space.accepts
    signatures = [signature for kind in kinds for signature in SIGNATURES[kind]]
    for n in range(60):
        architecture, signature = space.sample(rng), signatures[n % len(signatures)]
        assert cost(space, architecture, signature) == counted(space, architecture, signature), architecture.choices


def test_formulas_build_no_module_and_hold_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a module was made")

    space = resolve_space("residual_cnn")
    monkeypatch.setattr(nn.Module, "__init__", refuse)
    assert cost(space, space.sample(random.Random(1)), SIGNATURES["image"][0]) is not None


def test_a_layer_without_a_formula_is_built_without_weights_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(LayerKind):
        accepts: ClassVar[tuple[type[Shape], ...]] = (Image,)

        def output(self, given: Shape, wanted: Shape) -> Shape:
            return given

        def build(self, given: Shape, wanted: Shape) -> nn.Module:
            assert torch.empty(0).is_meta
            return nn.Conv2d(1, 1, 3, padding=1)

    monkeypatch.setattr("nas.models.planning.layer_kind", lambda name: Plain if name == "plain" else layer_kind(name))
    space = parse_space("{name: toy, version: 1, accepts: image, layers: [plain, head]}")
    found = cost(space, space.sample(random.Random(0)), SIGNATURES["image"][0])
    assert found == Cost(params=10 + 20, macs=64 * 9 + 10)


WIRED = """
name: wired
version: 1
accepts: image
layers:
  - conv: {features: 4}
  - parallel: mix
    merge: MERGE
    branches:
      body: [conv: {features: 4}]
      skip: []
  - cell: cell
    nodes: 3
    operations: {conv: {features: FEATURES}, same: []}
  - head
"""


@pytest.mark.parametrize(("merge", "features"), [("add", 4), ("multiply", 4), ("concatenate", 8)])
def test_branches_and_cells_cost_what_is_in_them(merge: str, features: int) -> None:
    space = parse_space(WIRED.replace("MERGE", merge).replace("FEATURES", str(features)))
    architecture = space.architecture({"cell.edge_0_1": "conv", "cell.edge_0_2": "same", "cell.edge_1_2": "conv"})
    signature = SIGNATURES["image"][0]
    convolutions = 9 * 4 + 9 * 4 * 4 + 2 * 9 * features**2
    norms = 2 * (4 + 4 + 2 * features)
    expected = Cost(convolutions + norms + 10 * features + 10, 64 * convolutions + 10 * features)
    assert cost(space, architecture, signature) == counted(space, architecture, signature) == expected


def test_branches_and_cells_compute_what_they_say() -> None:
    space = parse_space(WIRED.replace("MERGE", "add").replace("FEATURES", "4"))
    architecture = space.architecture({"cell.edge_0_1": "conv", "cell.edge_0_2": "same", "cell.edge_1_2": "conv"})
    model = build(space, architecture, SIGNATURES["image"][0], seed=0).eval()
    pictures = torch.randn(2, 1, 8, 8)
    with torch.no_grad():
        first = model.conv(pictures)
        mixed = model.mix.branches["body"](first) + first
        edges = model.cell.edges
        assert torch.equal(model(pictures), model.head(mixed + edges["1_2"](edges["0_1"](mixed))))


@pytest.mark.parametrize(
    ("merge", "body", "message"),
    [
        (
            "add",
            "{conv: {features: 5}}",
            "mix: branches that are merged by add end in one shape, got an image of 5×8×8 from 'body', an image of 4×8×8 from "
            "'skip'; end each in as many channels.",
        ),
        (
            "concatenate",
            "{conv: {features: 4, stride: 2}}",
            "mix: branches that are concatenated differ in channels alone, got an image of 4×4×4 from 'body', an image of 4×8×8 "
            "from 'skip'; give each the same strides.",
        ),
    ],
)
def test_branches_that_do_not_fit_are_told_in_one_line(merge: str, body: str, message: str) -> None:
    text = WIRED.replace("MERGE", merge).replace("[conv: {features: 4}]", f"[{body}]", 1).replace("FEATURES", "4")
    space = parse_space(text)
    with pytest.raises(ModelError) as caught:
        cost(space, space.sample(random.Random(0)), SIGNATURES["image"][0])
    assert str(caught.value) == message


def test_an_operation_that_changes_the_shape_is_no_edge() -> None:
    space = parse_space(WIRED.replace("MERGE", "add").replace("FEATURES", "5"))
    architecture = space.architecture({"cell.edge_0_1": "conv", "cell.edge_0_2": "same", "cell.edge_1_2": "conv"})
    with pytest.raises(ModelError, match=r"^cell\.edge_0_1\.conv: an operation of a cell keeps the shape an image of 4×8×8, got"):
        cost(space, architecture, SIGNATURES["image"][0])
