"""Attacks: they stay in their ball and in the valid range, do what their formulas say, and agree with torchattacks."""

import math

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from nas.measures import Attack, Norm, read_measure
from nas.robustness import Scale, perturb, start_of

UNIT = Scale(low=0.0, high=1.0)
STANDARD = Scale(mean=0.3, deviation=0.4, low=0.0, high=1.0)


def attack(name: str) -> Attack:
    found = read_measure(name).attack
    assert found is not None
    return found


def slope_of(network: nn.Module, targets: Tensor):
    def slope(inputs: Tensor) -> Tensor:
        inputs = inputs.detach().requires_grad_()
        return torch.autograd.grad(functional.cross_entropy(network(inputs), targets, reduction="sum"), inputs)[0]

    return slope


def uphill(inputs: Tensor) -> Tensor:
    """The gradient of a loss that rises with each number, the second half twice as steeply."""
    return torch.ones_like(inputs) + (torch.arange(inputs[0].numel()).view(inputs.shape[1:]) >= inputs[0].numel() // 2)


def test_a_step_of_fgsm_moves_each_number_by_epsilon_of_the_raw_unit() -> None:
    inputs = torch.full((2, 1, 2, 2), 0.5)
    assert torch.allclose(perturb(inputs, uphill, attack("fgsm-linf-0.1"), UNIT), torch.full((2, 1, 2, 2), 0.6))
    standard = (inputs - 0.3) / 0.4
    assert torch.allclose(
        STANDARD.raw(perturb(standard, uphill, attack("fgsm-linf-0.1"), STANDARD)), torch.full((2, 1, 2, 2), 0.6)
    )


def test_a_step_of_fgsm_in_l2_goes_along_the_gradient_by_epsilon() -> None:
    inputs = torch.full((1, 1, 2, 2), 0.5)
    moved = perturb(inputs, uphill, attack("fgsm-l2-0.1"), UNIT) - inputs
    assert moved.norm().item() == pytest.approx(0.1)
    assert moved.flatten().tolist() == pytest.approx([0.1 / math.sqrt(10)] * 2 + [0.2 / math.sqrt(10)] * 2)


def test_gradients_by_raw_numbers_decide_where_channels_are_standardised_differently() -> None:
    scale = Scale(mean=(0.0, 0.0), deviation=(1.0, 0.5))
    moved = scale.raw(perturb(torch.zeros(1, 2, 1, 1), torch.ones_like, attack("fgsm-l2-1"), scale)).flatten()
    assert moved.tolist() == pytest.approx([1 / math.sqrt(5), 2 / math.sqrt(5)])  # a raw unit of the second is two of its inputs


@pytest.mark.parametrize("name", ["pgd-linf-0.2-5", "pgd-l2-0.7-5", "fgsm-linf-0.2", "fgsm-l2-0.7"])
def test_an_attack_stays_in_its_ball_and_in_the_valid_range(name: str) -> None:
    chance = torch.Generator().manual_seed(0)
    raw = torch.rand((8, 3, 5, 5), generator=chance)
    inputs = (raw - 0.3) / 0.4
    network = nn.Sequential(nn.Flatten(), nn.Linear(75, 4))
    found = attack(name)
    moved = perturb(inputs, slope_of(network, torch.arange(8) % 4), found, STANDARD, start_of(found, inputs, chance))
    there = STANDARD.raw(moved)
    assert there.min() >= -1e-6
    assert there.max() <= 1 + 1e-6
    far = (there - raw).flatten(1)
    lengths = far.abs().amax(1) if found.norm == "linf" else far.norm(dim=1)
    assert lengths.max() <= found.eps + 1e-5
    assert lengths.max() > 0.5 * found.eps


def test_without_a_range_nothing_is_clipped() -> None:
    assert perturb(torch.ones(1, 1, 1, 1), torch.ones_like, attack("fgsm-linf-3"), Scale()).item() == pytest.approx(4.0)


@pytest.mark.parametrize("name", ["pgd-linf-0", "pgd-l2-0", "fgsm-linf-0"])
def test_an_attack_of_no_size_changes_not_a_bit(name: str) -> None:
    inputs = torch.tensor([[-0.0, 3.7, -1.0]])
    moved = perturb(inputs, uphill, attack(name), Scale(mean=0.1, deviation=0.3, low=0.0, high=1.0), torch.ones(1, 3))
    assert moved.numpy().tobytes() == inputs.numpy().tobytes()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_starts_fill_the_ball_and_follow_from_their_generator(norm: Norm) -> None:
    found = Attack.of("pgd", norm, "0.5")
    inputs = torch.zeros(4_000, 2)
    start = start_of(found, inputs, torch.Generator().manual_seed(3))
    assert torch.equal(start, start_of(found, inputs, torch.Generator().manual_seed(3)))
    assert (start.abs().amax(1) if norm == "linf" else start.norm(dim=1)).max() <= 0.5 + 1e-6
    # Of a square the inner one of half the side is a quarter; of lengths that are drawn evenly half are below the half.
    inner = start.abs().amax(1) < 0.25 if norm == "linf" else start.norm(dim=1) < 0.25
    assert inner.double().mean().item() == pytest.approx(0.25 if norm == "linf" else 0.5, abs=0.03)
    assert start.mean(0).abs().max() < 0.02  # in all directions alike


def digits() -> tuple[Tensor, Tensor]:
    """Pictures from 0 to 1, and their classes."""
    found = load_digits()
    return torch.from_numpy(found.images).float().unsqueeze(1) / 16, torch.from_numpy(found.target).long()


NETWORKS = {
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)),
    "perceptron": lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)),
    "convolution": lambda: nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(128, 10)
    ),
}


@pytest.fixture(scope="module", params=NETWORKS)
def trained(request: pytest.FixtureRequest) -> nn.Module:
    """A network that tells digits apart, on inputs that are standardised."""
    images, classes = digits()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = NETWORKS[request.param]()
        optimizer = torch.optim.Adam(network.parameters(), 1e-2)
        for start in range(0, 1_200, 100):
            some = slice(start, start + 100)
            optimizer.zero_grad()
            functional.cross_entropy(network((images[some] - 0.3) / 0.4), classes[some]).backward()
            optimizer.step()
    return network.eval()


@pytest.mark.parametrize(
    ("name", "peer", "options"),
    [
        ("fgsm-linf-0.05", "FGSM", {"eps": 0.05}),
        ("pgd-linf-0.05-10", "PGD", {"eps": 0.05, "alpha": 0.0125, "steps": 10, "random_start": False}),
        ("pgd-l2-0.5-10", "PGDL2", {"eps": 0.5, "alpha": 0.125, "steps": 10, "random_start": False}),
    ],
)
def test_torchattacks_finds_as_much(trained: nn.Module, name: str, peer: str, options: dict[str, object]) -> None:
    torchattacks = pytest.importorskip("torchattacks")
    images, classes = (part[-400:] for part in digits())
    standard = (images - 0.3) / 0.4

    class Standardising(nn.Module):
        """From 0 to 1, as torchattacks has them."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = trained

        def forward(self, inputs: Tensor) -> Tensor:
            return self.inner((inputs - 0.3) / 0.4)

    theirs = getattr(torchattacks, peer)(Standardising().eval(), **options)(images, classes)
    ours = perturb(standard, slope_of(trained, classes), attack(name), STANDARD)

    def accuracy(inputs: Tensor) -> float:
        return (trained(inputs).argmax(1) == classes).double().mean().item()

    assert accuracy((theirs - 0.3) / 0.4) == pytest.approx(accuracy(ours), abs=0.005)
    assert accuracy(ours) < accuracy(standard) - 0.05
    assert (STANDARD.raw(ours) - theirs).abs().max() < (1e-3 if "l2" in name else 0.1001)
