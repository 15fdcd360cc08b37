import json
import random
from pathlib import Path

import pytest
import torch
from torch import nn

from nas.benchmark import Features, Image, Signature
from nas.errors import ModelError, SpaceError
from nas.models import build
from nas.profiling.sources import factory, source_of
from nas.space import resolve_space

SIGNATURE = Signature(Image(1, 8, 8), Features(10))


def test_a_network_of_timm_is_made_by_its_name() -> None:
    network = factory("timm:resnet18")()
    assert (type(network).__name__, network.fc.out_features) == ("ResNet", 1000)


def test_a_function_of_a_package_makes_a_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "our_networks.py").write_text("from torch import nn\n\ndef small():\n    return nn.Linear(4, 2)\n\nSIZE = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert str(factory("our_networks:small")()) == "Linear(in_features=4, out_features=2, bias=True)"
    with pytest.raises(ModelError, match=r"^'our_networks:SIZE' is no function that makes a network; give 'package\.module"):
        factory("our_networks:SIZE")


def test_an_architecture_goes_through_json() -> None:
    space = resolve_space("residual_cnn")
    architecture = space.sample(random.Random(4))
    source = json.loads(json.dumps(source_of(space, architecture, SIGNATURE)))
    assert str(factory(source)()) == str(build(space, architecture, SIGNATURE))


def test_each_network_draws_its_own_weights() -> None:
    make = factory("torch.nn:Identity")
    assert isinstance(make(), nn.Identity)
    make = factory(source_of(resolve_space("residual_cnn"), resolve_space("residual_cnn").sample(random.Random(4)), SIGNATURE))
    assert not torch.equal(next(make().parameters()), next(make().parameters()))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "timm:resnet81",
            r"^timm has no network called 'resnet81'\. Did you mean 'resnet.*'\? timm\.list_models\(\) names them\.$",
        ),
        ("timm:", r"^timm has no network called ''\. timm\.list_models\(\) names them\.$"),
        ("no_such_package:make", r"^'no_such_package:make' cannot be loaded \(ModuleNotFoundError: No module named"),
        (
            "torch.nn:NoSuchLayer",
            r"^'torch\.nn:NoSuchLayer' cannot be loaded \(AttributeError: .*; give 'package\.module:factory'\.$",
        ),
        ("torch.nn.Identity", r"^'torch\.nn\.Identity' is no function that makes a network; give 'package\.module:factory' or"),
        ("", r"^'' cannot be loaded \(ValueError: "),
    ],
)
def test_a_source_that_is_nowhere_is_refused(source: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        factory(source)


def test_a_function_that_makes_something_else_is_refused() -> None:
    with pytest.raises(ModelError, match=r"^'builtins:list' must make a torch module, got \[\]\.$"):
        factory("builtins:list")()


def test_a_function_that_raises_is_named_beside_what_it_raised() -> None:
    with pytest.raises(
        ModelError, match=r"^'torch\.nn:Linear' made no network \(TypeError: .*'in_features' and 'out_features'\)\.$"
    ):
        factory("torch.nn:Linear")()


def test_answers_that_the_space_does_not_have_are_refused() -> None:
    space = resolve_space("residual_cnn")
    source = source_of(space, space.sample(random.Random(4)), SIGNATURE)
    assert isinstance(source, dict)
    with pytest.raises(SpaceError):
        factory({**source, "choices": {**source["choices"], "stem.features": 5}})
