import pytest

from nas.space import Space, size
from nas.testing import SpaceContract
from search_spaces.knowledge_graph import SPACE


class TestKnowledgeGraph(SpaceContract):
    @pytest.fixture
    def space(self) -> Space:
        return SPACE


def test_its_size_is_what_the_readme_says() -> None:
    assert size(SPACE) == 3_489_200  # 26 losses at 4 rates
