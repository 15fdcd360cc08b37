"""Each score against its paper's formula, on networks that are small enough for paper."""

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.proxies import Batch, grad_norm, jacob_cov, naswot, snip, synflow, zen
from nas.proxies.expressivity import ALPHA, PICTURES, REPEATS
from nas.proxies.jacobian import K


def squares(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().mean()


def batch(inputs: Sequence[object] | Tensor, targets: Sequence[object] = (), seed: int = 0) -> Batch:
    given = inputs if isinstance(inputs, Tensor) else torch.tensor(inputs, dtype=torch.float32)
    return Batch(inputs=given, targets=torch.tensor(targets, dtype=torch.float32), loss=squares, seed=seed)


def linear(weights: Sequence[Sequence[float]], bias: Sequence[float] | None = None) -> nn.Linear:
    module = nn.Linear(len(weights[0]), len(weights), bias=bias is not None)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(weights))
        if bias is not None:
            module.bias.copy_(torch.tensor(bias))
    return module


FIRST = [[1.0, -2.0], [0.5, 0.0], [-3.0, 1.0]]
SECOND = [[2.0, -1.0, 0.5], [1.0, 1.0, -4.0]]


def test_synflow_of_two_linear_layers_is_the_sum_over_all_paths_once_for_each_layer() -> None:
    paths = sum(abs(SECOND[o][h] * FIRST[h][i]) for i, h, o in product(range(2), range(3), range(2)))
    assert paths == 3 * 3 + 2 * 0.5 + 4.5 * 4  # by hand: what leaves each hidden unit times what enters it
    assert synflow(nn.Sequential(linear(FIRST), linear(SECOND)), batch([[0.0, 0.0]])) == pytest.approx(math.log(2 * paths))


def test_synflow_counts_the_flow_that_a_bias_adds_in_the_layers_after_it_but_no_bias() -> None:
    network = nn.Sequential(linear(FIRST, bias=[1.0, -1.0, 0.0]), nn.ReLU(), linear(SECOND))
    first, second = np.abs(FIRST), np.abs(SECOND)
    through_first = (second @ first).sum()
    through_second = (second @ (first.sum(1) + np.array([1, 1, 0]))).sum()
    assert synflow(network, batch([[0.0, 0.0]])) == pytest.approx(math.log(through_first + through_second))


def test_synflow_looks_at_no_data() -> None:
    network = nn.Sequential(linear(FIRST), nn.ReLU(), linear(SECOND))
    assert synflow(network, batch([[5.0, -7.0]])) == synflow(network, batch([[0.0, 0.1], [3.0, 4.0]]))


def test_synflow_takes_what_batch_normalisation_has_gathered() -> None:
    norm = nn.BatchNorm1d(3)
    with torch.no_grad():
        norm.running_var.copy_(torch.tensor([4.0, 1.0, 9.0]))  # type: ignore[union-attr]
    flows = np.abs(FIRST).sum(1) / np.sqrt(np.array([4.0, 1.0, 9.0]) + norm.eps)
    assert synflow(nn.Sequential(linear(FIRST), norm), batch([[0.0, 0.0]])) == pytest.approx(math.log(flows.sum()))


def test_synflow_is_a_number_where_the_flow_itself_is_past_float32() -> None:
    deep = nn.Sequential(*(linear([[-10.0]]) for _ in range(100)))
    assert synflow(deep, batch([[1.0]])) == pytest.approx(100 * math.log(10) + math.log(100))


def test_synflow_is_not_defined_past_float64() -> None:
    deep = nn.Sequential(*(linear([[10.0]]) for _ in range(400)))
    assert synflow(deep, batch([[1.0]])) is None


def test_synflow_without_a_path_is_the_least() -> None:
    assert synflow(nn.Sequential(linear([[0.0, 0.0]]), linear([[1.0]])), batch([[1.0, 1.0]])) == -math.inf


CODES = [[1.0, -1.0, -1.0], [1.0, 2.0, -1.0], [-1.0, -1.0, 3.0]]
"""Through three units: active are the first, the first two, and the last."""


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ReLU(inplace=True), nn.GELU(), nn.SiLU(), nn.Tanh()])
def test_naswot_is_the_log_determinant_of_how_many_units_agree(activation: nn.Module) -> None:
    agree = np.array([[3, 2, 1], [2, 3, 0], [1, 0, 3]])
    assert round(np.linalg.det(agree)) == 27 - 12 - 3  # by hand, along the first row
    network = nn.Sequential(linear(np.eye(3).tolist()), activation)
    assert naswot(network, batch(CODES)) == pytest.approx(math.log(12))


def test_naswot_adds_up_the_units_of_all_activations() -> None:
    network = nn.Sequential(nn.ReLU(), linear([[-1.0, 0.0, 0.0]], bias=[0.5]), nn.ReLU())
    agree = np.array([[3, 2, 1], [2, 3, 0], [1, 0, 3]]) + np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    assert naswot(network, batch(CODES)) == pytest.approx(math.log(np.linalg.det(agree)))


def test_naswot_of_two_examples_with_one_code_is_the_least() -> None:
    assert naswot(nn.Sequential(nn.ReLU()), batch([[1.0, -1.0], [2.0, -2.0], [-1.0, 1.0]])) == -math.inf


def test_naswot_reads_no_gates() -> None:
    gated = nn.Sequential(nn.ReLU(), nn.Sigmoid())
    assert naswot(gated, batch(CODES)) == pytest.approx(math.log(12))


@pytest.mark.parametrize("network", [nn.Linear(3, 2), nn.Sequential(nn.Linear(3, 2), nn.Sigmoid())])
def test_naswot_is_not_defined_without_an_activation(network: nn.Module) -> None:
    assert naswot(network, batch(CODES)) is None


INPUTS = [[1.0, 2.0], [3.0, -1.0]]
TARGETS = [[0.0], [5.0]]
WEIGHTS = [[0.5, -2.0]]

GRADIENT = np.array([1 * (0.5 - 4 - 0 + 1) + 3 * (1.5 + 2 - 5 + 1), 2 * (0.5 - 4 - 0 + 1) - 1 * (1.5 + 2 - 5 + 1)])
"""Of the mean square of w·x + 1 − t by w: the mean of 2 (w·x + 1 − t) x over two examples."""


def test_snip_is_the_size_of_gradient_times_weight_without_biases() -> None:
    assert GRADIENT.tolist() == [-4.0, -4.5]
    network = linear(WEIGHTS, bias=[1.0])
    assert snip(network, batch(INPUTS, TARGETS)) == pytest.approx(4 * 0.5 + 4.5 * 2)


def test_grad_norm_is_the_length_of_the_gradient_without_biases() -> None:
    assert grad_norm(linear(WEIGHTS, bias=[1.0]), batch(INPUTS, TARGETS)) == pytest.approx(math.hypot(4.0, 4.5))


def test_grad_norm_adds_the_lengths_of_tensors() -> None:
    network = nn.Sequential(linear([[1.0, 0.0], [0.0, 1.0]]), linear(WEIGHTS, bias=[1.0]))
    first = np.abs(np.outer(WEIGHTS[0], GRADIENT))  # the same gradient, through the second layer
    assert grad_norm(network, batch(INPUTS, TARGETS)) == pytest.approx(math.hypot(4.0, 4.5) + np.linalg.norm(first))


def test_snip_sees_normalisation_by_the_batch() -> None:
    """Half of it scales a weight and the other half takes the scale away again, so that the score does not depend on it."""

    def network(scale: float) -> nn.Module:
        return nn.Sequential(linear([[scale, -2 * scale]]), nn.BatchNorm1d(1, eps=1e-12))

    given = batch([[1.0, 2.0], [3.0, -1.0], [0.0, 4.0]], [[0.0], [5.0], [1.0]])
    assert snip(network(1.0), given) == pytest.approx(snip(network(10.0), given), rel=1e-4)


class Half(nn.Module):
    """Half the square, whose gradient is what comes in."""

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.square() / 2


def of_eigenvalues(*sigma: float) -> float:
    return -sum(math.log(one + K) + 1 / (one + K) for one in sigma)


def test_jacob_cov_of_uncorrelated_gradients_is_the_highest() -> None:
    assert jacob_cov(Half(), batch([[1, -1, 1, -1], [1, 1, -1, -1]])) == pytest.approx(of_eigenvalues(1, 1))


def test_jacob_cov_falls_as_gradients_correlate() -> None:
    rows = [[1.0, 2.0, 3.0, 6.0], [2.0, 0.0, 1.0, 5.0]]
    rho = np.corrcoef(rows)[0, 1]
    assert jacob_cov(Half(), batch(rows)) == pytest.approx(of_eigenvalues(1 - rho, 1 + rho))


def test_jacob_cov_takes_at_most_half_as_many_examples_as_an_example_has_numbers() -> None:
    rows = [[1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0], [1.0, -1.0, -1.0, 1.0], [1.0, 2.0, 3.0, 4.0]]
    assert jacob_cov(Half(), batch(rows)) == jacob_cov(Half(), batch(rows[:2]))


def test_jacob_cov_of_tokens_is_by_what_the_embedding_gives() -> None:
    embedding = nn.Embedding(3, 4)
    with torch.no_grad():
        embedding.weight.copy_(torch.tensor([[0.0, 0, 0, 0], [1, -1, 1, -1], [1, 1, -1, -1]]))
    assert jacob_cov(nn.Sequential(embedding, Half()), batch(torch.tensor([[1], [2]]))) == pytest.approx(of_eigenvalues(1, 1))


class Looked(nn.Module):
    """A table without an embedding module."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.ones(3, 2))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table[tokens]


@pytest.mark.parametrize(
    ("network", "given"),
    [(linear([[1.0, 1.0, 1.0, 1.0]]), batch([[1.0] * 4, [2.0] * 4])), (Looked(), batch(torch.tensor([[1], [2]])))],
    ids=["equal everywhere", "no embedding"],
)
def test_jacob_cov_is_not_defined_where_nothing_varies(network: nn.Module, given: Batch) -> None:
    assert jacob_cov(network, given) is None


PICTURE = batch(torch.zeros(2, 1, 4, 4), seed=3)


def single(*more: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), *more, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 10))


def test_zen_of_one_filter_is_the_paper_s_formula() -> None:
    generator = torch.Generator().manual_seed(3)
    scores = []
    for _ in range(REPEATS):
        weight = torch.randn(1, 1, 1, 1, generator=generator).item()
        torch.randn(10, 1, generator=generator)  # of the classifier, which the score does not see
        x, noise = (torch.randn(PICTURES, 1, 4, 4, generator=generator).numpy().astype(float) for _ in range(2))

        def normalised(values: np.ndarray) -> np.ndarray:
            return (values - values.mean()) / math.sqrt(values.var() + 1e-5)

        change = normalised(weight * x) - normalised(weight * (x + ALPHA * noise))
        sigma = math.sqrt((weight * x).var())
        scores.append(math.log(np.mean(np.sqrt((change**2).sum((1, 2, 3))))) + math.log(sigma))
    assert zen(single(nn.BatchNorm2d(1)), PICTURE) == pytest.approx(np.mean(scores), rel=1e-4)


def test_zen_makes_good_for_what_normalisation_takes_away() -> None:
    """Up to the change of the statistics themselves."""
    without = zen(single(), PICTURE)
    assert without is not None
    assert zen(single(nn.BatchNorm2d(1)), PICTURE) == pytest.approx(without, abs=0.05)


def test_zen_does_not_depend_on_weights() -> None:
    network = single(nn.BatchNorm2d(1))
    before = zen(network, PICTURE)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(100)
    assert zen(network, PICTURE) == before
    assert zen(network, batch(PICTURE.inputs, seed=4)) != before


def test_zen_grows_with_every_filter_that_can_tell_more() -> None:
    def deep(layers: int) -> nn.Module:
        blocks = [nn.Sequential(nn.Conv2d(8 if n else 1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()) for n in range(layers)]
        return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))

    scores = [zen(deep(layers), PICTURE) for layers in (1, 2, 4)]
    assert None not in scores
    assert scores == sorted(scores, key=float)  # type: ignore[arg-type]


class Nothing(nn.Module):
    def forward(self, inputs: Tensor) -> Tensor:
        return torch.zeros_like(inputs)


def test_zen_is_the_least_where_nothing_reaches_the_last_map() -> None:
    assert zen(nn.Sequential(Nothing(), nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)), PICTURE) == -math.inf


@pytest.mark.parametrize(
    ("network", "given"),
    [
        (nn.Sequential(nn.Conv2d(1, 4, 2, 2), nn.Flatten(2), nn.LayerNorm(4), nn.Linear(4, 2)), PICTURE),
        (nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), PICTURE),
        (nn.Linear(2, 2), batch(INPUTS)),
    ],
    ids=["more than a classifier follows", "no map", "no picture"],
)
def test_zen_is_not_defined_without_a_last_map_that_a_classifier_follows(network: nn.Module, given: Batch) -> None:
    assert zen(network, given) is None
