import random

import pytest
import torch
from torch import nn

from nas.benchmark import Features, Image, Signature
from nas.errors import ModelError, SpaceError
from nas.models import build
from nas.space import Architecture, Space, parse_space
from search_spaces.residual_cnn import SPACE

DIGITS = Signature(Image(1, 8, 8), Features(10))


def space(layers: str) -> Space:
    return parse_space(f"name: toy\nversion: 1\naccepts: image\nlayers: [{layers}]\n")


def first(of: Space) -> Architecture:
    return of.walk(lambda _, domain: next(iter(domain)))


def build_first(layers: str, signature: Signature = DIGITS) -> nn.Sequential:
    return build(space(layers), first(space(layers)), signature)


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return dict(model.state_dict())


def equal(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = weights(one), weights(other)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(
    "signature",
    [DIGITS, Signature(Image(3, 7, 5), Features(2)), Signature(Image(1, 1, 1), Features(1))],
    ids=lambda s: str(s.input),
)
def test_random_architectures_give_a_logit_a_class_and_pass_gradients_back(signature: Signature) -> None:
    rng = random.Random(signature.input.height)
    picture = signature.input
    for _ in range(50 if signature is DIGITS else 5):
        architecture = SPACE.sample(rng)
        model = build(SPACE, architecture, signature, seed=0)
        logits = model(torch.randn(4, picture.channels, picture.height, picture.width))
        assert logits.shape == (4, signature.output.count)
        logits.square().sum().backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients), architecture.choices


def test_equal_seeds_give_equal_weights_and_others_others() -> None:
    architecture = SPACE.sample(random.Random(0))
    model = build(SPACE, architecture, DIGITS, seed=7)
    torch.rand(3)
    assert equal(model, build(SPACE, architecture, DIGITS, seed=7))
    assert not equal(model, build(SPACE, architecture, DIGITS, seed=8))


def test_the_global_random_state_stays_where_a_seed_is_given() -> None:
    before = torch.get_rng_state(), random.getstate()
    build(SPACE, SPACE.sample(random.Random(0)), DIGITS, seed=7)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]


def test_without_a_seed_weights_come_from_the_global_random_state() -> None:
    architecture = SPACE.sample(random.Random(0))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = build(SPACE, architecture, DIGITS)
    assert equal(model, build(SPACE, architecture, DIGITS, seed=7))


def test_a_model_is_a_sequential_whose_weights_load_into_another() -> None:
    architecture = SPACE.sample(random.Random(1))
    model, other = (build(SPACE, architecture, DIGITS, seed=seed).eval() for seed in (0, 1))
    assert type(model) is nn.Sequential
    other.load_state_dict(model.state_dict())
    pictures = torch.randn(3, 1, 8, 8)
    assert torch.equal(model(pictures), other(pictures))


def test_a_layer_is_called_by_the_names_on_the_way_to_it() -> None:
    nested = space("{repeat: stage, times: 2, layers: [{one_of: kind, options: {conv: {features: 4}}}]}, head")
    model = build(nested, first(nested), DIGITS)
    assert [name for name, _ in model.named_children()] == ["stage-0-kind-conv", "stage-1-kind-conv", "head"]


def test_layers_whose_names_differ_only_in_dots_are_all_built() -> None:
    crowded = space("{conv: {features: 4}, name: stage_0_conv}, {repeat: stage, times: 1, layers: [{conv: {features: 6}}]}, head")
    model = build(crowded, first(crowded), DIGITS)
    assert len(model) == 3
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_a_model_is_built_on_the_meta_device_without_memory() -> None:
    architecture = SPACE.sample(random.Random(2))
    with torch.device("meta"):
        model = build(SPACE, architecture, DIGITS)
    assert all(tensor.is_meta for tensor in model.state_dict().values())
    assert model(torch.zeros(2, 1, 8, 8, device="meta")).shape == (2, 10)
    real = build(SPACE, architecture, DIGITS)
    assert {name: value.shape for name, value in weights(model).items()} == {n: v.shape for n, v in weights(real).items()}


def test_building_on_the_meta_device_draws_no_random_number() -> None:
    before = torch.get_rng_state()
    with torch.device("meta"):
        build(SPACE, SPACE.sample(random.Random(2)), DIGITS)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("head, {conv: {features: 4}}", "conv: conv takes an image, got a vector of 10 features from head; move or replace it."),
        (
            "head, pool, {head: {}, name: end}",
            "pool: pool takes an image, got a vector of 10 features from head; move or replace it.",
        ),
        (
            "{head: {}, name: early}, {repeat: stage, times: 1, layers: [{residual: {features: 4}}]}, head",
            "stage.0.residual: residual takes an image, got a vector of 10 features from early; move or replace it.",
        ),
        (
            "{conv: {features: 4, stride: 2}}",
            "toy ends in an image of 4×4×4 from conv, a vector of 10 features is wanted; end it in a `head`.",
        ),
        (
            "{repeat: stage, times: 0, layers: [pool]}",
            "toy ends in an image of 1×8×8 from the input, a vector of 10 features is wanted; end it in a `head`.",
        ),
        ("{conv: {features: 4, kernel: 4}}, head", "conv: conv.kernel must be odd, so that it has a centre, got 4."),
        ("{conv: {kernel: 3}}, head", "conv: conv needs the option 'features'."),
        ("{conv: {features: 6, groups: 4}}, head", "conv: conv groups must divide features (6), got 4."),
        (
            "{conv: {features: 6, groups: 3}, name: stem}, head",
            "stem: groups must divide the channels that come in (1), got 3.",
        ),
    ],
)
def test_a_layer_that_does_not_fit_is_refused_in_one_line(layers: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        build_first(layers)
    assert str(caught.value) == message


def test_a_second_head_takes_what_the_first_gives() -> None:
    model = build_first("{head: {}, name: early}, head")
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_an_architecture_of_another_space_is_refused() -> None:
    toy = space("head")
    with pytest.raises(SpaceError, match=r"is of 'toy' version 1, not of 'residual_cnn' version 1\.$"):
        build(SPACE, first(toy), DIGITS)


def test_a_layer_may_be_called_what_a_module_or_python_has_a_use_for() -> None:
    def called(first: str, branch: str, inside: str) -> nn.Sequential:
        branches = f"{{{branch}: [{{conv: {{features: 4}}, name: {inside}}}], b: []}}"
        return build_first(f"{{conv: {{features: 4}}, name: {first}}}, {{parallel: mix, branches: {branches}}}, head")

    named, plain = called("type", "items", "code"), called("x", "y", "z")
    named, plain = named.eval(), plain.eval()
    plain.load_state_dict(dict(zip(weights(plain), weights(named).values(), strict=True)))
    inputs = torch.rand(2, 1, 8, 8)
    assert torch.equal(named(inputs), plain(inputs))
    assert [name for name, _ in named.named_children()] == ["type-", "mix", "head"]
