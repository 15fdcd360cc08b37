import math

import pytest
import torch
from layer_examples import make

from nas.benchmark import Features
from nas.models.layers.numbers import NumberEmbedding, Waves
from nas.testing import LayerContract, LayerTrial


class TestNumberEmbedding(LayerContract):
    @pytest.fixture
    def layer(self) -> LayerTrial:
        options = [{}, {"features": 3, "frequencies": 5, "deviation": 1.0}]
        return LayerTrial(kind=NumberEmbedding, options=options, shapes=[Features(1), Features(7)])


def test_a_number_becomes_its_waves_by_hand() -> None:
    """A quarter of a wave: its sine is 1, its cosine 0; of 3 quarters the sine is −1, which the ReLU takes away."""
    waves = Waves(2, 1, 2)
    with torch.no_grad():
        waves.frequencies_FK.copy_(torch.tensor([[1.0], [0.5]]))
        waves.linear.weight.copy_(torch.eye(2))
        waves.linear.bias.fill_(0.25)
    found = waves(torch.tensor([[0.25, 1.5]]))
    assert found.tolist() == [[pytest.approx(1.25), pytest.approx(0.25, abs=1e-5), 0.0, pytest.approx(0.25, abs=1e-5)]]


def test_numbers_are_unfolded_each_by_itself() -> None:
    torch.manual_seed(0)
    module = make("number_embedding", features=4).build(Features(5), Features(2))
    one = torch.randn(1, 5, generator=torch.Generator().manual_seed(0))
    other = one.clone()
    other[0, 2] += 1
    changed = (module(one) != module(other)).reshape(5, 4).any(1)
    assert changed.tolist() == [False, False, True, False, False]


def test_frequencies_begin_as_far_apart_as_is_asked() -> None:
    torch.manual_seed(0)
    waves = make("number_embedding", frequencies=500, deviation=0.3).build(Features(20), Features(2))
    assert waves.frequencies_FK.std().item() == pytest.approx(0.3, rel=0.05)
    assert math.isfinite(waves(torch.full((1, 20), 1e3)).sum().item())
