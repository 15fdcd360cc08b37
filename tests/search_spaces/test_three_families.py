from collections import Counter

from nas.benchmark import Features, Image, Signature
from nas.models import cost, network_id
from nas.space import architectures, size
from search_spaces.three_families import SPACE

DIGITS = Signature(Image(1, 8, 8), Features(10))
ALL = list(architectures(SPACE))


def test_its_families_are_as_large_as_the_readme_says() -> None:
    found = Counter(architecture.choices["family"] for architecture in ALL)
    assert found == {
        "cnn": 4 * (4 + 4**2 + 4**3),
        "recurrent": 2 * 3 * 2 * 2 * (4 + 4 + 5 * 2),
        "transformer": 2 * 3 * 2 * (4 + 4**2),
    }
    assert size(SPACE) == len(ALL) == 336 + 432 + 240
    assert max(len(architecture.choices) for architecture in ALL) == 9


def test_each_architecture_is_another_network() -> None:
    assert len({network_id(SPACE, architecture, DIGITS) for architecture in ALL}) == len(ALL)


def test_parameters_are_those_of_the_readme() -> None:
    sizes: dict[object, list[int]] = {}
    for architecture in ALL:
        sizes.setdefault(architecture.choices["family"], []).append(cost(SPACE, architecture, DIGITS).params)
    found = {family: (min(each), sorted(each)[len(each) // 2], max(each)) for family, each in sizes.items()}
    # By hand: a stem of 9 · 4 weights, a 1×1 convolution and a head; a stem, three residual blocks with shortcuts and a head.
    assert found["cnn"][0] == (9 * 4 + 8) + (4**2 + 8) + (4 + 1) * 10
    assert found["cnn"][2] == (9 * 32 + 64) + 3 * (2 * (9 * 32**2 + 64) + 32**2 + 64) + (32 + 1) * 10
    # 8 vectors of 2×2 pixels, a block of 6 · 8² weights, three norms, a head.
    assert found["transformer"][0] == (4 + 1) * 8 + 6 * 8**2 + 6 * 8 + 3 * 16 + (8 + 1) * 10
    assert found == {"cnn": (118, 2_202, 59_626), "recurrent": (378, 3_354, 38_810), "transformer": (610, 11_626, 58_138)}
