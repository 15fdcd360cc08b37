import re
from pathlib import Path

import pytest

from benchmarks.emoji import BENCHMARK as EMOJI
from benchmarks.spoken_and_written_digits import BENCHMARK as DIGITS
from nas.benchmark import Benchmark
from nas.models import CostFold
from nas.space import Completions, Space, extremes, size
from search_spaces import cross_modal, cross_modal_members, cross_modal_text

SPACES = Path(__file__).parents[2] / "search_spaces"


@pytest.mark.parametrize(
    ("space", "question"),
    [(cross_modal.SPACE, DIGITS), (cross_modal_text.SPACE, EMOJI), (cross_modal_members.SPACE, EMOJI)],
    ids=["two", "three", "members"],
)
def test_the_readme_states_size_and_range(space: Space, question: Benchmark) -> None:
    readme = (SPACES / space.name / "README.md").read_text(encoding="utf-8")
    assert f"{size(space):,} architectures" in readme
    reach = extremes(Completions(space, CostFold(question.signature)), "params")
    low, high = (int(number.replace(",", "")) for number in re.search(r"([\d,]+) to ([\d,]+) parameters", readme).groups())
    assert (reach.smallest.total, reach.largest.total) == (low, high)
