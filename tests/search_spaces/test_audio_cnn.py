import random
import re
from pathlib import Path

import pytest
import torch

from benchmarks.spoken_digits import BENCHMARK
from nas.models import build, cost
from nas.space import size
from search_spaces.audio_cnn import SPACE

torch.set_num_threads(1)


def test_the_readme_states_the_exact_size() -> None:
    readme = Path(__file__).parents[2] / "search_spaces" / "audio_cnn" / "README.md"
    assert f"{size(SPACE):,} architectures" in readme.read_text(encoding="utf-8")


def test_fifty_random_networks_run_forward_and_backward() -> None:
    rng = random.Random(0)
    for n in range(50):
        architecture = SPACE.sample(rng)
        model = build(SPACE, architecture, BENCHMARK.signature, seed=n)
        outputs = model(torch.randn(2, *BENCHMARK.signature.input.axes))
        assert outputs.shape == (2, 10)
        outputs.square().sum().backward()
        missing = [name for name, parameter in model.named_parameters() if parameter.grad is None]
        assert not missing, architecture.choices


@pytest.mark.parametrize("front", ["waveform", "log_mel"])
def test_parameters_stay_within_what_the_readme_says(front: str) -> None:
    rng = random.Random(0)
    sampled = [SPACE.sample(rng) for _ in range(2_000)]
    params = [cost(SPACE, one, BENCHMARK.signature).params for one in sampled if one.choices["front"] == front]
    readme = (Path(__file__).parents[2] / "search_spaces" / "audio_cnn" / "README.md").read_text(encoding="utf-8")
    low, high = (int(number.replace(",", "")) for number in re.search(r"([\d,]+) to ([\d,]+) parameters", readme).groups())
    assert low <= min(params) <= max(params) <= high
