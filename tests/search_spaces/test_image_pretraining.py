from nas.benchmark import Features, Image, Signature
from nas.models import Cost, cost, network_id
from nas.space import Categorical, Domain, Value, size
from search_spaces.image_pretraining import SPACE

FASHION = Signature(Image(1, 28, 28), Features(10))


def first(_: str, domain: Domain) -> Value:
    return domain.values[0] if isinstance(domain, Categorical) else domain.low


def test_the_space_is_as_large_as_its_choices_say() -> None:
    """A stage: 5 widths, 2 kernels, no block, a residual one, or an inverted residual one of 2 expansions."""
    stage = 5 * 2 * (1 + 1 + 2)
    assert size(SPACE) == 2 * 3 * (stage + stage**2) * (3 * 3 * 2) * (2 * 2) == 708_480


def test_the_smallest_network_costs_what_it_costs_on_paper() -> None:
    """Of 28×28 pixels 14×14 of 8 channels, then 7×7 of 16, then the head."""
    stem, reduce = 9 * 8, 9 * 8 * 16
    params, macs = stem + reduce + 2 * (8 + 16) + 170, 14 * 14 * stem + 7 * 7 * reduce + 160
    assert cost(SPACE, SPACE.walk(first), FASHION) == Cost(params, macs)


def test_how_a_network_is_fine_tuned_is_no_part_of_its_cost_but_of_what_it_is() -> None:
    def tuned(name: str, domain: Domain) -> Value:
        return 0.1 if name == "fine_tuning.rate" else first(name, domain)

    one, other = SPACE.walk(first), SPACE.walk(tuned)
    assert cost(SPACE, one, FASHION) == cost(SPACE, other, FASHION)
    assert network_id(SPACE, one, FASHION) != network_id(SPACE, other, FASHION)
