import pytest
from gated_cnn import SPACE
from gated_cnn.layers import GatedConv

from nas.benchmark import Image
from nas.testing import LayerContract, LayerTrial, SpaceContract


class TestSpace(SpaceContract):
    @pytest.fixture
    def space(self):
        return SPACE


class TestLayer(LayerContract):
    @pytest.fixture
    def layer(self):
        options = [{"features": 8}, {"features": 12, "kernel": 5, "stride": 2}]
        return LayerTrial(kind=GatedConv, options=options, shapes=[Image(3, 9, 7), Image(1, 1, 1)])
