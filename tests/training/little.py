"""A small network and small data that it can learn from."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas.benchmark import Budget, Recipe
from nas.training import Classification, Examples, Method, Split, Training, train

TASK = Classification(lambda _: pytest.fail("train is given its examples"))
RECIPE = Recipe(batch_size=16, learning_rate=0.01)
AUGMENTED = Recipe(batch_size=16, learning_rate=0.01, shift=1, flip=True)


def examples(count: int = 40, side: int = 4, seed: int = 0) -> Examples:
    """Pictures of noise, bright or dark; which of the two is the class."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % 2
    noise_NCHW = torch.rand(count, 1, side, side, generator=generator)
    return Examples(noise_NCHW + targets[:, None, None, None], targets)


def network(seed: int = 0, side: int = 4) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(0.3), nn.Linear(4 * side * side, 2)
        )


def linear() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 2))


def trained(
    model: nn.Module,
    *,
    recipe: Recipe = RECIPE,
    budget: Budget | None = None,
    seed: int = 0,
    on: Examples | None = None,
    **given: Any,
) -> Training:
    budget = budget or Budget(epochs=3)
    method = Method(TASK, recipe, given.pop("classes", 0))
    return train(model, method, on or examples(), examples(20, seed=1), budget=budget, seed=seed, **given)


def equal(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(*pair) for pair in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


class Offset(nn.Module):
    """One number, whose every value in training is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(1))
        self.seen: list[float] = []

    def forward(self, images_NCHW: Tensor) -> Tensor:
        if self.training:
            self.seen.append(self.offset.item())
        return self.offset.expand(len(images_NCHW))


@dataclass
class First:
    """A meter of the first output alone."""

    name: str = "offset"
    value: float = 0.0

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        self.value = outputs[0].item()

    def compute(self) -> dict[str, float]:
        return {self.name: self.value}


class Downhill:
    """A loss whose slope is always 1, so that AdamW moves by exactly the learning rate."""

    def examples(self, split: Split) -> Examples:
        raise NotImplementedError(split)

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        return outputs.mean()

    def meter(self, device: torch.device) -> First:
        return First()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Within it the system refuses to write more than `size` bytes to a file, as it refuses any on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
