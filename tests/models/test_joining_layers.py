import pytest
import torch
from layer_examples import make

from nas.benchmark import Features, Sequence
from nas.models.layers.joining import Flatten, Product
from nas.testing import LayerContract, LayerTrial

SHAPES = [Sequence(1, 3), Sequence(2, 4), Sequence(5, 1)]


class TestFlatten(LayerContract):
    @pytest.fixture
    def layer(self) -> LayerTrial:
        return LayerTrial(kind=Flatten, shapes=SHAPES)


class TestProduct(LayerContract):
    @pytest.fixture
    def layer(self) -> LayerTrial:
        return LayerTrial(kind=Product, shapes=SHAPES)


def test_positions_side_by_side_and_multiplied() -> None:
    rows = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, -1.0]]])
    made = {kind: make(kind).build(Sequence(3, 2), Features(1))(rows).tolist() for kind in ("flatten", "product")}
    assert made == {"flatten": [[1.0, 2.0, 3.0, 4.0, 5.0, -1.0]], "product": [[15.0, -8.0]]}
