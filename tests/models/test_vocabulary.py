import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nas import registry
from nas.benchmark import Features, Image, Signature
from nas.errors import NasError, RegistryError
from nas.models import build, check_layers, layer_kind
from nas.models.layers import LayerKind
from nas.registry import LAYERS, owners
from nas.space import Layer, Space, read_space
from search_spaces.residual_cnn import SPACE

Install = Callable[..., None]

EVERY_LAYER = ", ".join(sorted(registry.owners(registry.LAYERS)))

HEADER = "name: toy\nversion: 1\naccepts: image\n"

NOISE = '''
from typing import ClassVar

import torch
from torch import nn

from nas.benchmark import Image, Shape
from nas.models import LayerKind


class Noise(LayerKind):
    """Adds noise in training."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image,)
    strength: float = 0.1

    def output(self, given, wanted):
        return given

    def build(self, given, wanted):
        return Noisy(self.strength)


class Noisy(nn.Module):
    def __init__(self, strength):
        super().__init__()
        self.strength = strength

    def forward(self, images_NCHW):
        return images_NCHW + self.strength * torch.randn_like(images_NCHW)


def noise():
    pass
'''


def space(folder: Path, layers: str) -> Space:
    file = folder / "space.yaml"
    file.write_text(HEADER + layers)
    return read_space(file)


def complaint(folder: Path, layers: str) -> str:
    """What `check_layers` says of the space, with the file's name alone for its path."""
    with pytest.raises(NasError) as caught:
        check_layers(space(folder, layers))
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{folder}/")


def test_the_shipped_space_uses_every_layer_rightly() -> None:
    check_layers(SPACE)


def test_every_layer_of_the_vocabulary_is_a_layer_kind_that_names_what_it_takes() -> None:
    known = owners(LAYERS)
    assert {"conv", "head", "inverted_residual", "pool", "residual", "squeeze_excite"} <= set(known)
    for name in known:
        kind = layer_kind(name)
        assert issubclass(kind, LayerKind)
        assert kind.accepts
        assert kind.__doc__


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            "layers:\n  - conv: {features: 4}\n  - haed\n",
            f"space.yaml:6: layers[1].haed: No layer is called 'haed'. Did you mean 'head'? Known: {EVERY_LAYER}.",
        ),
        (
            "layers:\n  - conv:\n      features: 4\n      kernal: 3\n  - head\n",
            "space.yaml:7: layers[0].conv.kernal: conv has no option 'kernal'. Did you mean 'kernel'? "
            "Known: activation, bias, dilation, features, groups, kernel, norm, order, stride.",
        ),
        (
            "layers:\n  - head\n  - conv: {kernel: 3}\n",
            "space.yaml:6: layers[1].conv: conv needs the option 'features'.",
        ),
        ("layers:\n  - conv\n", "space.yaml:5: layers[0].conv: conv needs the option 'features'."),
        (
            "layers:\n  - conv:\n      kernel: 4\n",
            "space.yaml:5: layers[0].conv: conv needs the option 'features'.",
        ),
        (
            "layers:\n  - conv:\n      features: 4\n      kernel: [3, 4, 5]\n",
            "space.yaml:7: layers[0].conv.kernel: conv.kernel must be odd, so that it has a centre, got 4.",
        ),
        (
            "layers:\n  - conv:\n      features: 4\n      kernel: {int: [3, 5]}\n",
            "space.yaml:7: layers[0].conv.kernel: conv.kernel must be odd, so that it has a centre, got 4.",
        ),
        (
            "layers:\n  - conv: {features: [8, 0]}\n",
            "space.yaml:5: layers[0].conv.features: conv.features should be greater than or equal to 1, got 0.",
        ),
        (
            "layers:\n  - conv: {features: {int: [8, 100000], log: true}}\n",
            "space.yaml:5: layers[0].conv.features: conv.features should be less than or equal to 65536, got 100000.",
        ),
        (
            "layers:\n  - head: {dropout: {real: [0, 1]}}\n",
            "space.yaml:5: layers[0].head.dropout: head.dropout should be less than 1, got 1.0.",
        ),
        (
            "layers:\n  - conv: {features: true}\n",
            "space.yaml:5: layers[0].conv.features: conv.features should be a valid integer, got True.",
        ),
        (
            "layers:\n  - pool: {kind: [max, mean]}\n",
            "space.yaml:5: layers[0].pool.kind: pool.kind should be 'max' or 'average', got 'mean'.",
        ),
        (
            "choices:\n  width: [8, 16.5]\nlayers:\n  - conv: {features: $width}\n",
            "space.yaml:7: layers[0].conv.features: conv.features should be a valid integer, got 16.5.",
        ),
        (
            "choices:\n  width: 0\nlayers:\n  - conv: {features: $width}\n",
            "space.yaml:7: layers[0].conv.features: conv.features should be greater than or equal to 1, got 0.",
        ),
        (
            "layers:\n  - repeat: stage\n    times: 2\n    choices: {size: [2, 17]}\n    layers:\n      - pool: {size: $size}\n",
            "space.yaml:9: layers[0].layers[0].pool.size: pool.size should be less than or equal to 16, got 17.",
        ),
        (
            "layers:\n  - one_of: kind\n    options:\n      conv: {features: -1}\n      skip: []\n",
            "space.yaml:7: layers[0].options.conv.features: conv.features should be greater than or equal to 1, got -1.",
        ),
        (
            "layers:\n  - one_of: kind\n    options:\n      twice:\n        - conv: {features: 8}\n        - resdual\n",
            "space.yaml:9: layers[0].options.twice[1].resdual: No layer is called 'resdual'. Did you mean 'residual'? "
            f"Known: {EVERY_LAYER}.",
        ),
        (
            "layers:\n  - conv: {features: 8, groups: [1, 3]}\n",
            "space.yaml:5: layers[0].conv: conv groups must divide features (8), got 3.",
        ),
    ],
)
def test_a_layer_used_wrongly_is_named_with_its_line(tmp_path: Path, layers: str, message: str) -> None:
    assert complaint(tmp_path, layers) == message


def test_a_space_made_in_python_is_checked_too() -> None:
    made = Space(name="toy", version=1, accepts="image", layers=(Layer("conv", {"features": 8, "kernel": 2}),))
    with pytest.raises(NasError) as caught:
        check_layers(made)
    assert str(caught.value) == "layers[0].conv.kernel: conv.kernel must be odd, so that it has a centre, got 2."


def test_an_integer_may_stand_where_a_share_is_wanted(tmp_path: Path) -> None:
    check_layers(space(tmp_path, "layers:\n  - head: {dropout: [0, 0.2]}\n"))


def test_a_wide_range_is_checked_in_a_moment(tmp_path: Path) -> None:
    check_layers(space(tmp_path, "layers:\n  - conv: {features: {int: [1, 65536]}}\n"))


def test_a_layer_of_another_package_is_used_like_our_own(tmp_path: Path, install: Install) -> None:
    install(NOISE, noise="other_team_layers:Noise")
    noisy = space(tmp_path, "layers:\n  - noise: {strength: [0.0, 0.5]}\n  - head\n")
    check_layers(noisy)
    model = build(noisy, noisy.architecture({"noise.strength": 0.0}), Signature(Image(1, 4, 4), Features(2)), seed=0)
    assert model(torch.zeros(3, 1, 4, 4)).shape == (3, 2)


def test_the_options_of_a_plugin_are_checked_like_our_own(tmp_path: Path, install: Install) -> None:
    install(NOISE, noise="other_team_layers:Noise")
    expected = "space.yaml:5: layers[0].noise.strength: noise.strength should be a valid number, got 'much'."
    assert complaint(tmp_path, "layers:\n  - noise: {strength: much}\n  - head\n") == expected


@pytest.mark.parametrize(
    ("points_at", "shown"), [("noise", r"<function noise at 0x[0-9a-f]+>"), ("Noisy", r"<class '\S+\.Noisy'>")]
)
def test_a_plugin_that_is_no_layer_kind_is_refused(install: Install, points_at: str, shown: str) -> None:
    install(NOISE, noise=f"other_team_layers:{points_at}")
    with pytest.raises(RegistryError) as caught:
        layer_kind("noise")
    assert re.fullmatch(rf"The layer 'noise' must be a subclass of nas\.models\.LayerKind, got {shown}\.", str(caught.value))


def test_a_plugin_that_fails_to_import_is_named_with_its_package(tmp_path: Path, install: Install) -> None:
    install("raise OSError('no such\\nlibrary')", noise="other_team_layers:Noise")
    expected = (
        "space.yaml:5: layers[0].noise: The layer 'noise' of other-team (other_team_layers:Noise) cannot be loaded: "
        "OSError: no such library"
    )
    assert complaint(tmp_path, "layers:\n  - noise\n") == expected


def test_a_name_that_two_packages_claim_is_refused(install: Install) -> None:
    install(NOISE, conv="other_team_layers:Noise")
    with pytest.raises(RegistryError) as caught:
        layer_kind("conv")
    claims = "other-team (other_team_layers:Noise) and nas-harness (nas.models.layers.convolution:Conv)"
    assert str(caught.value) == f"The layer 'conv' is claimed by {claims}; uninstall one of them."
