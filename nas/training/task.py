"""What a benchmark's `task.py` gives: examples by split, a loss, and figures.

Axes: N examples, L positions of a sequence, K classes, V tokens of a vocabulary, F features.
"""

import importlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nas.benchmark import Benchmark
from nas.errors import BenchmarkError

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Examples:
    """Inputs and what is wanted for each, as tensors in memory; the first axis of both counts examples."""

    inputs: Tensor
    """(N, …), the axes of the signature's input after N."""
    targets: Tensor
    """(N,) classes, (N, L) classes or tokens, (N, F) numbers."""

    def __len__(self) -> int:
        return len(self.targets)

    def to(self, device: torch.device) -> Self:
        """The same examples on `device`."""
        return type(self)(self.inputs.to(device), self.targets.to(device))

    def first(self, fraction: float) -> Self:
        """The first `fraction` of the examples, at least one."""
        count = max(1, round(fraction * len(self)))
        return type(self)(self.inputs[:count], self.targets[:count])

    def batches(self, size: int) -> Iterator["Examples"]:
        """All examples in their order, `size` at a time."""
        for start in range(0, len(self), size):
            yield Examples(self.inputs[start : start + size], self.targets[start : start + size])


class Task(Protocol):
    """A benchmark's data and what is measured on them."""

    def examples(self, split: Split) -> Examples:
        """The examples of `split`; those of "train" in an order of which every beginning is stratified.

        "test" is asked for when a finalist is evaluated, and never before.
        """

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        """Mean loss of a batch, a scalar."""

    def figures(self, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """Figures of a whole split by name ("accuracy", "loss"), without a prefix for the split."""


def load_task(benchmark: Benchmark, data: Path | None) -> Task:
    """The task of `benchmark`, its data read from the folder `data` or from where the benchmark knows to look.

    Raises:
        BenchmarkError: the task cannot be imported.
        DataMissing: its data are nowhere; says how to get them.
    """
    module, _, function = benchmark.task.partition(":")
    try:
        load = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise BenchmarkError(f"The task {benchmark.task!r} of {benchmark.name} cannot be loaded: {error}.") from error
    return cast(Task, load(data))


@dataclass(frozen=True)
class _Loaded:
    """Examples that are loaded when first asked for."""

    load: Callable[[Split], Examples]
    _loaded: dict[Split, Examples] = field(default_factory=dict)

    def examples(self, split: Split) -> Examples:
        """The examples of `split`."""
        if split not in self._loaded:
            self._loaded[split] = self.load(split)
        return self._loaded[split]


@dataclass(frozen=True)
class Classification(_Loaded):
    """One class of K for each example: cross-entropy and accuracy."""

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        """Cross-entropy of logits (N, K) and classes (N,), with label smoothing (Szegedy et al. 2016, arXiv:1512.00567)."""
        return functional.cross_entropy(outputs, targets, label_smoothing=smoothing)

    def figures(self, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """`accuracy`: share of examples whose largest logit is the right one; `loss`: mean cross-entropy in nats."""
        right = (outputs.argmax(dim=1) == targets).sum().item()
        return {"accuracy": right / len(targets), "loss": functional.cross_entropy(outputs, targets).item()}


@dataclass(frozen=True)
class NextToken(_Loaded):
    """The token after each position of a text: cross-entropy, and bits a token."""

    unit: str = "token"
    """What a token is, for the name of the figure; "character" or "byte" where the field says bits per character or byte."""

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        """Mean cross-entropy over all positions of logits (N, L, V) and tokens (N, L), with label smoothing."""
        return functional.cross_entropy(outputs.flatten(0, 1), targets.flatten(), label_smoothing=smoothing)

    def figures(self, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """`bits_per_token` (or whatever `unit` says): mean cross-entropy in bits; `accuracy`: share of positions whose
        likeliest token is the right one.
        """
        nats = functional.cross_entropy(outputs.flatten(0, 1), targets.flatten()).item()
        right = (outputs.argmax(dim=-1) == targets).float().mean().item()
        return {f"bits_per_{self.unit}": nats / math.log(2), "accuracy": right}


def stratified_order(labels: NDArray[np.integer], seed: int = 0) -> NDArray[np.intp]:
    """An order of all examples in which every beginning holds the classes in nearly their overall shares.

    Shuffled within each class by numpy's frozen RandomState, so that the order is equal on every machine and version.
    """
    random = np.random.RandomState(seed)
    keys = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        keys[random.permutation(members)] = (np.arange(len(members)) + 0.5) / len(members)
    return np.lexsort((labels, keys))
