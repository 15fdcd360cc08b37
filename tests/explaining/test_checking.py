"""The sanity check: explanations that hang on the weights pass it, those that do not fail.

Axes: N examples, C channels, H height, W width.
"""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor, nn

from nas.benchmark import Features, Image, Signature, Tokens
from nas.errors import ExplainError
from nas.explaining import Asked, Says, check, find_explainer, rank_correlation, structural_similarity
from nas.explaining.checking import interval, verdict
from nas.explaining.explainer import Explainer, explained_by
from nas.reports.explanations import Check, Interval

SIGNATURE = Signature(Image(1, 8, 8), Features(4))


def draw(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(96, 4))
    return Says(network, SIGNATURE).eval()


def checked(explainer: Explainer, examples: int = 8) -> Check:
    network = draw(0)
    asked = Asked(network, torch.rand(examples, 1, 8, 8), torch.arange(examples) % 4, SIGNATURE)
    return check(explainer, asked, explained_by(explainer, asked), draw)


class Edges:
    """A detector of edges, which looks at no network."""

    sums = False
    tells = "how much of an edge there is"

    def __call__(self, asked: Asked) -> Tensor:
        images_NHW = asked.inputs[:, 0]
        return (images_NHW - images_NHW.roll(1, 2)).abs()


class NoisyEdges(Edges):
    """One that looks at the network a little."""

    def __call__(self, asked: Asked) -> Tensor:
        weights = torch.cat([weight.flatten() for weight in asked.network.parameters()])
        return super().__call__(asked) + 0.05 * weights[:64].view(8, 8)


class Nothing(Edges):
    """The same for all."""

    def __call__(self, asked: Asked) -> Tensor:
        return torch.zeros_like(asked.inputs)


@pytest.mark.parametrize("method", ["integrated-gradients", "occlusion"])
def test_ours_hang_on_the_weights(method: str) -> None:
    found = checked(find_explainer(method))
    assert found.verdict == "depends on the weights"
    assert len(found.each) == 8
    assert [(one.layers, one.of) for one in found.depths] == [(1, 3), (2, 3), (3, 3)]
    assert found.depths[-1].correlation == found.correlation


def test_layers_are_drawn_anew_from_the_last_on() -> None:
    class FirstLayer(Edges):
        def __call__(self, asked: Asked) -> Tensor:
            return next(asked.network.parameters()).flatten()[:9].repeat(8)[:64].view(1, 8, 8).repeat(len(asked.inputs), 1, 1)

    last, last_two, every = checked(FirstLayer()).depths
    assert (last.correlation.mean, last_two.correlation.mean) == (1, 1)
    assert every.correlation.mean < 0.9


@pytest.mark.parametrize("explainer", [Edges(), NoisyEdges(), Nothing()], ids=lambda one: type(one).__name__)
def test_an_explainer_that_looks_at_the_picture_alone_fails(explainer: Explainer) -> None:
    found = checked(explainer)
    assert found.verdict == "does not depend on the weights"
    assert found.correlation.low is not None
    assert found.correlation.low > 0.5
    assert found.structure is not None
    assert found.structure.mean > 0.5


def test_of_one_example_nothing_can_be_told() -> None:
    found = checked(Edges(), examples=1)
    assert found.verdict == "cannot be told"
    assert found.correlation == Interval(mean=1.0, low=None, high=None)


def test_weights_that_are_drawn_the_same_again_are_shuffled() -> None:
    """As those are that are shipped, and come with every network that is built."""
    shipped = draw(0)
    asked = Asked(shipped, torch.rand(8, 1, 8, 8), torch.zeros(8, dtype=torch.long), SIGNATURE)
    method = find_explainer("integrated-gradients")
    found = check(method, asked, explained_by(method, asked), lambda _: copy.deepcopy(shipped))
    assert found.verdict == "depends on the weights"
    assert found.correlation.mean < 0.9


def test_padding_does_not_make_texts_alike() -> None:
    signature = Signature(Tokens(12, 30), Features(2))

    def words(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Embedding(30, 8, padding_idx=0), nn.Linear(8, 8), nn.ReLU(), nn.Flatten(), nn.Linear(96, 2))
        return Says(network, signature).eval()

    ids_NL = torch.randint(1, 30, (8, 12), generator=torch.Generator().manual_seed(0))
    ids_NL[:, :4] = 0

    class Length(Edges):
        def __call__(self, asked: Asked) -> Tensor:
            return (asked.inputs != 0) * (1 + 0.01 * torch.randn(asked.inputs.shape))

    asked = Asked(words(0), ids_NL, torch.zeros(8, dtype=torch.long), signature)
    found = check(Length(), asked, explained_by(Length(), asked), words)
    assert abs(found.correlation.mean) < 0.5  # with padding it would be above
    assert found.structure is None


def test_a_network_of_other_weights_is_refused() -> None:
    asked = Asked(draw(0), torch.rand(2, 1, 8, 8), torch.zeros(2, dtype=torch.long), SIGNATURE)
    other = Says(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), SIGNATURE)
    with pytest.raises(ExplainError, match="other weights than the trained one"):
        check(Edges(), asked, torch.rand(2, 8, 8), lambda _: other)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=20))
def test_rank_correlation_is_spearmans(pairs: list[tuple[float, float]]) -> None:
    one, other = torch.tensor(pairs, dtype=torch.float64).unbind(1)
    found = rank_correlation(one, other)
    assert -1 - 1e-9 <= found <= 1 + 1e-9
    assert rank_correlation(other, one) == pytest.approx(found)
    assert rank_correlation(one, one) == 1
    if len(set(one.tolist())) > 1 and len(set(other.tolist())) > 1:
        ranks = (stats.rankdata(one.numpy()), stats.rankdata(other.numpy()))
        assert found == pytest.approx(stats.pearsonr(*ranks).statistic)


def test_structural_similarity_is_1_of_equal_maps_and_none_of_a_blank_one() -> None:
    map_HW = torch.rand(8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert structural_similarity(map_HW, map_HW) == 1
    assert structural_similarity(map_HW, -3 * map_HW) == pytest.approx(1)  # of sizes, as shares of the largest
    assert structural_similarity(map_HW, torch.zeros(8, 8)) < 0.1
    assert structural_similarity(torch.zeros(1, 1), torch.zeros(1, 1)) == 1
    # On one window of all four places: means 1/2 and 1/2, variances 1/4 and 1/4, covariance −1/4.
    stripes = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    small, smaller = 0.01**2, 0.03**2
    assert structural_similarity(*stripes) == pytest.approx((-0.5 + smaller) / (0.5 + smaller) * (0.5 + small) / (0.5 + small))


def test_intervals_and_verdicts() -> None:
    found = interval([0.1, 0.2, 0.3])
    assert found.mean == pytest.approx(0.2)
    assert found.high == pytest.approx(0.2 + 4.302653 * 0.1 / 3**0.5)  # Student's t of 2 degrees of freedom
    assert verdict(Interval(mean=0.2, low=0.0, high=0.4)) == "depends on the weights"
    assert verdict(Interval(mean=0.8, low=0.6, high=1.0)) == "does not depend on the weights"
    assert verdict(Interval(mean=0.5, low=0.3, high=0.7)) == "cannot be told"
    assert str(Interval(mean=-0.001, low=-0.25, high=0.5)) == "0.00 (−0.25 to 0.50)"
