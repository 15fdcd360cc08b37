import re
from pathlib import Path

import torch

from benchmarks.spoken_and_written_digits import BENCHMARK
from nas.models import CostFold
from nas.space import Completions, extremes, size
from search_spaces import cross_modal

torch.set_num_threads(1)

SPACES = Path(__file__).parents[2] / "search_spaces"


def test_the_readme_states_size_and_range() -> None:
    readme = (SPACES / "cross_modal" / "README.md").read_text(encoding="utf-8")
    assert f"{size(cross_modal.SPACE):,} architectures" in readme
    reach = extremes(Completions(cross_modal.SPACE, CostFold(BENCHMARK.signature)), "params")
    low, high = (int(number.replace(",", "")) for number in re.search(r"([\d,]+) to ([\d,]+) parameters", readme).groups())
    assert (reach.smallest.total, reach.largest.total) == (low, high)
