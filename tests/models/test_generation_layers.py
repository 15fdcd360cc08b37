"""Layers of generators: sizes on the way to the picture that is wanted, formulas against torch's count and by hand."""

from itertools import product
from typing import Any

import pytest
import torch
from layer_examples import batch, make

from nas.benchmark import Features, Image, Shape
from nas.errors import ModelError
from nas.models import Cost, count
from nas.models.layers.adversarial import Adversary, Discriminator
from nas.models.layers.generation import Crop
from nas.models.layers.kind import LayerKind
from nas.testing.layers import LAYER_RULES, LayerTrial, check_layer

FASHION = Image(1, 28, 28)
WAYS = ("transposed", "nearest", "pixel_shuffle")


def sizes(layers: list[LayerKind], given: Shape, wanted: Image) -> list[int]:
    found = []
    for layer in layers:
        given = layer.output(given, wanted)
        assert isinstance(given, Image)
        found.append(given.height)
    return found


@pytest.mark.parametrize(
    ("side", "halvings", "expected"), [(28, 3, [4, 7, 14, 28, 28]), (28, 1, [14, 28, 28, 28, 28]), (8, 3, [1, 2, 4, 8, 8])]
)
def test_a_picture_grows_by_the_sizes_that_the_wanted_one_is_halved_to(side: int, halvings: int, expected: list[int]) -> None:
    layers = [make("project_to_image", features=4, halvings=halvings), *[make("up_sample", features=4)] * 3, make("image_head")]
    assert sizes(layers, Features(5), Image(1, side, side)) == expected


@pytest.mark.parametrize(
    ("kind", "options", "shapes"),
    [
        ("project_to_image", {"features": [1, 3], "halvings": [2], "norm": ["batch", "none"]}, [Features(5)]),
        (
            "up_sample",
            {"features": [3], "way": WAYS, "kernel": [3], "norm": ["batch", "none"]},
            [Image(2, 1, 1), Image(4, 7, 5), Image(2, 28, 28)],
        ),
        ("image_head", {"way": WAYS, "kernel": [1, 5]}, [Image(4, 14, 7), Image(3, 11, 4), Image(2, 28, 28)]),
        ("discriminator", {"width": [4], "norm": ["spectral", "batch"]}, [Image(2, 4, 4), Features(3)]),
        ("adversary", {"loss": ["hinge", "wgan_gp"]}, [Image(2, 4, 4), Features(3)]),
    ],
)
def test_layers_keep_their_promises(kind: str, options: dict[str, list[Any]], shapes: list[Shape]) -> None:
    given = [dict(zip(options, values, strict=True)) for values in product(*options.values())]
    trial = LayerTrial(kind=type(make(kind, **given[0])), options=given, shapes=shapes, wanted=(Image(3, 29, 28),))
    told = dict(check_layer(trial))
    assert {rule: problem for rule, problem in told.items() if problem} == {}
    assert len(told) >= len(LAYER_RULES) - 2


@pytest.mark.parametrize(
    ("way", "params", "macs"),
    [
        ("transposed", 25 * 16 * 8, 25 * 16 * 8 * 7 * 7),
        ("nearest", 25 * 16 * 8, 25 * 16 * 8 * 14 * 14),
        ("pixel_shuffle", 25 * 16 * 8 * 4, 25 * 16 * 8 * 4 * 7 * 7),
    ],
)
def test_doubling_a_picture_costs_what_a_count_by_hand_gives(way: str, params: int, macs: int) -> None:
    layer, given = make("up_sample", features=8, way=way, kernel=5), Image(16, 7, 7)
    assert layer.cost(given, FASHION) == Cost(params=params + 2 * 8, macs=macs)
    assert layer.build(given, FASHION)(batch(given)).shape == (2, 8, 14, 14)


def test_a_transposed_convolution_is_its_convolution_the_other_way_round() -> None:
    """Of 2×2 pixels a 1×1 kernel makes 4×4, in which each pixel stands in the corner of a square of zeros."""
    layer = make("up_sample", features=1, kernel=1, norm="none", activation="none").build(Image(1, 2, 2), FASHION)
    with torch.no_grad():
        layer.conv.weight.fill_(2.0)
        layer.conv.bias.zero_()
        grown = layer(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
    assert grown[0, 0].tolist() == [[2, 0, 4, 0], [0, 0, 0, 0], [6, 0, 8, 0], [0, 0, 0, 0]]


def test_what_is_too_large_is_cut_at_the_end() -> None:
    assert Crop(1, 2)(torch.arange(9.0).reshape(1, 1, 3, 3)).tolist() == [[[[0, 1]]]]
    assert str(Crop(1, 2)) == "Crop(1, 2)"


@pytest.mark.parametrize(
    ("kind", "given", "wanted", "message"),
    [
        (
            "project_to_image",
            Features(3),
            Features(2),
            "it begins a picture, and a vector of 2 features is wanted; take a `linear` layer.",
        ),
        (
            "image_head",
            Image(3, 4, 4),
            Features(2),
            "it ends in a picture, and a vector of 2 features is wanted; end in a `head`.",
        ),
        (
            "image_head",
            Image(3, 4, 9),
            Image(1, 8, 8),
            "an image of 1×8×8 is wanted, which is smaller than an image of 3×4×9; make the picture larger in fewer layers.",
        ),
        ("head", Image(3, 4, 4), FASHION, "an image of 1×28×28 is wanted, and a head gives a vector; end in an `image_head`."),
    ],
)
def test_what_does_not_fit_is_told_with_the_way_out(kind: str, given: Shape, wanted: Shape, message: str) -> None:
    layer = make(kind, **({"features": 3} if kind == "project_to_image" else {}))
    with pytest.raises(ModelError) as caught:
        layer.output(given, wanted)
    assert str(caught.value) == message


@pytest.mark.parametrize("norm", ["spectral", "batch", "layer", "none"])
@pytest.mark.parametrize(("image", "classes"), [(Image(1, 8, 8), 0), (Image(3, 29, 13), 4)])
def test_a_discriminators_cost_is_what_torch_counts(norm: Any, image: Image, classes: int) -> None:
    kind = Discriminator(width=6, depth=3, kernel=5, norm=norm)
    network = kind.network(image, classes)
    assert kind.network_cost(image, classes).params == sum(weight.numel() for weight in network.parameters())
    if norm != "spectral" and not classes:  # what normalises weights is counted too, and classes are a second input
        assert kind.network_cost(image) == count(lambda: kind.network(image), image)


def test_a_spectrally_normalised_discriminator_is_no_steeper_than_one() -> None:
    network = Discriminator(width=4, depth=1, activation="relu").network(Image(1, 8, 8))
    for _ in range(30):
        network(batch(Image(1, 8, 8)))
    largest = torch.linalg.svdvals(network.linear.weight.detach()).max()
    assert largest.item() == pytest.approx(1, abs=1e-3)


def test_a_discriminator_that_knows_classes_tells_pictures_of_another_class_apart() -> None:
    network = Discriminator(width=4, norm="none").network(Image(1, 8, 8), 3).eval()
    images = batch(Image(1, 8, 8), 1)
    told = [network(images, one[None]).item() for one in torch.eye(3)]
    assert len(set(told)) == 3


def test_a_learning_rates_ratio_is_above_0() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        Adversary(rate_ratio=0.0)
