import pytest

from nas.space import Space, size
from nas.testing import SpaceContract
from search_spaces.graph_network import SPACE


class TestGraphNetwork(SpaceContract):
    @pytest.fixture
    def space(self) -> Space:
        return SPACE


def test_its_size_is_what_the_readme_says() -> None:
    assert size(SPACE) == 272_160
