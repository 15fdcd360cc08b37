"""`nas.training.train_replicates` against `train` called for one seed after another.

Digits with its own recipe, 200 steps of each network on one thread, finding out which way is faster included. What decides is
left to decide: so a ratio may be above 1 where networks are small enough to be tried and too large to gain.
"""

import time
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from turns import SideBySide

from nas.benchmark import Benchmark, Budget
from nas.device import place
from nas.searching import resolve_benchmark
from nas.training import Examples, Method, Task, load_task, train, train_replicates

pytestmark = [pytest.mark.benchmark(group="replicates", timer=time.process_time), pytest.mark.timeout(900)]

BUDGET = Budget(epochs=100, steps=200)
CPU = torch.device("cpu")


def convolutions(width: int) -> nn.Module:
    """Two convolutions of 3×3 with batch normalisation."""
    return nn.Sequential(
        *(nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(width, 2 * width, 3, padding=1, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU()),
        *(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(2 * width, 10)),
    )


def perceptron(width: int) -> nn.Module:
    """Two hidden layers."""
    hidden = (nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(width, 10))


class Block(nn.Module):
    """Attention with two heads and a layer that feeds forward, each added to what it is given, normalised."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feed = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, inputs_NLC: Tensor) -> Tensor:
        """(N, L, C) → (N, L, C)."""
        query, key, value = (part.unflatten(-1, (2, -1)).transpose(1, 2) for part in self.qkv(self.norm(inputs_NLC)).chunk(3, -1))
        attended_NALD = functional.scaled_dot_product_attention(query, key, value)
        hidden_NLC = inputs_NLC + self.out(attended_NALD.transpose(1, 2).flatten(2))
        outputs: Tensor = hidden_NLC + self.feed(hidden_NLC)
        return outputs


class Transformer(nn.Module):
    """Two blocks over the rows of a picture."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Linear(8, width)
        self.blocks = nn.Sequential(Block(width), Block(width))
        self.head = nn.Linear(width, 10)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """(N, 1, 8, 8) → (N, 10)."""
        outputs: Tensor = self.head(self.blocks(self.embed(images_NCHW.squeeze(1))).mean(1))
        return outputs


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "convolutions of 1k": lambda: convolutions(7),
    "convolutions of 5k": lambda: convolutions(16),
    "convolutions of 20k": lambda: convolutions(33),
    "convolutions of 90k": lambda: convolutions(70),
    "convolutions of 300k": lambda: convolutions(128),
    "perceptron of 1k": lambda: perceptron(12),
    "perceptron of 5k": lambda: perceptron(43),
    "perceptron of 20k": lambda: perceptron(109),
    "perceptron of 90k": lambda: perceptron(265),
    "perceptron of 300k": lambda: perceptron(512),
    "transformer of 1k": lambda: Transformer(8),
    "transformer of 5k": lambda: Transformer(16),
    "transformer of 20k": lambda: Transformer(34),
    "transformer of 90k": lambda: Transformer(74),
    "transformer of 300k": lambda: Transformer(136),
}


class Digits:
    """The benchmark with its data in memory."""

    def __init__(self) -> None:
        self.benchmark: Benchmark = resolve_benchmark("digits")
        self.task: Task = load_task(self.benchmark, None)
        self.training: Examples = self.task.examples("train")
        self.validation: Examples = self.task.examples("validation")


@pytest.fixture(scope="module")
def digits() -> Digits:
    return Digits()


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As a search runs: on small networks a second thread costs more than it brings."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def train_with_nas(models: list[nn.Module], digits: Digits) -> None:
    method = Method(digits.task, digits.benchmark.recipe)
    trained = train_replicates(models, method, digits.training, digits.validation, budget=BUDGET, seeds=range(len(models)))
    assert all(one.steps == 200 for one in trained)


def train_in_turn(models: list[nn.Module], digits: Digits) -> None:
    method = Method(digits.task, digits.benchmark.recipe)
    for seed, model in enumerate(models):
        train(model, method, digits.training, digits.validation, budget=BUDGET, seed=seed)


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("name", NETWORKS)
def test_replicates_cost_no_more_than_one_after_another(side_by_side: SideBySide, digits: Digits, name: str, seeds: int) -> None:
    def prepare() -> tuple[list[nn.Module], Digits]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return [place(NETWORKS[name](), CPU) for _ in range(seeds)], digits

    side_by_side(
        f"nas.training.train_replicates / one after another, {seeds} seeds of {name}",
        train_with_nas,
        train_in_turn,
        goal=1 / 0.97,
        rounds=3,
        prepare=prepare,
    )
