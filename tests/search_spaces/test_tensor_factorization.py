import pytest

from nas.space import Space, size
from nas.testing import SpaceContract
from search_spaces.tensor_factorization import SPACE


class TestTensorFactorization(SpaceContract):
    @pytest.fixture
    def space(self) -> Space:
        return SPACE


def test_its_size_is_what_the_readme_says() -> None:
    assert size(SPACE) == 220_320  # 24 losses, 9 penalties, 4 ways to ask for relations or not, 255 networks
