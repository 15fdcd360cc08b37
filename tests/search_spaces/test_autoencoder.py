import re
from pathlib import Path
from typing import Any

from benchmarks.unknown_digit import BENCHMARK
from nas.models import check_layers, cost, network_id
from nas.space import Architecture, size
from search_spaces.autoencoder import SPACE

README = (Path(__file__).parents[2] / "search_spaces" / "autoencoder" / "README.md").read_text(encoding="utf-8")


def architecture(**answers: Any) -> Architecture:
    """The answers, by the ends of names, the largest that there is where they go beyond it, the first where they say nothing."""

    def choose(name: str, domain: Any) -> Any:
        values = list(domain)
        answer = answers.get(name.rpartition(".")[2], values[0])
        return answer if answer in values else max(values)

    return SPACE.walk(choose)


def test_the_size_is_what_the_readme_says_and_every_option_is_known() -> None:
    check_layers(SPACE)
    layers = 4 + 4**2
    assert size(SPACE) == 3 * 3 * 3 * 2 * layers * 5 * layers
    assert f"{size(SPACE):,} architectures" in README


def test_the_smallest_and_the_largest_are_what_the_readme_says() -> None:
    found = [
        cost(SPACE, one, BENCHMARK.signature).params
        for one in (architecture(), architecture(times=2, features=256, norm="layer"))
    ]
    low, high = (int(number.replace(",", "")) for number in re.search(r"([\d,]+) to ([\d,]+) parameters", README).groups())
    assert found == [low, high]


def test_two_that_are_trained_otherwise_are_two() -> None:
    ids = {network_id(SPACE, architecture(noise=noise), BENCHMARK.signature) for noise in (0, 0.5)}
    assert len(ids) == 2
