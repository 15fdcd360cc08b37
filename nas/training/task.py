"""What a benchmark's `task.py` gives: examples by split, a loss, and a meter of figures.

Axes: N examples, L positions of a sequence, K classes, F numbers.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, Self, cast, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas import registry
from nas.benchmark import Benchmark
from nas.errors import BenchmarkError
from nas.training.meters import Meter

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Examples:
    """Inputs and what is wanted for each, as tensors in memory; the first axis of both counts examples."""

    inputs: Tensor
    """(N, …), the axes of the signature's input after N."""
    targets: Tensor
    """(N,) classes, (N, L) classes or tokens, of which IGNORED ones do not count, (N, F) numbers."""

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


@runtime_checkable
class Counting(Protocol):
    """A task whose loss is a mean over other things than examples, such as the positions that count."""

    def counted(self, targets: Tensor) -> Tensor:
        """Over how many the loss of these targets is the mean, a scalar on their device."""


class Task(Protocol):
    """A benchmark's data and what is measured on them.

    It may have, besides, `scale` (a `nas.robustness.Scale`: what its inputs' numbers stand for), `spelling` (a `Spelling`: the
    texts of its tokens) and `groups` (a split → `Groups`: the speaker or source of each example), by which measures of robustness
    are told in raw units, typos made, and the worst group found.
    """

    def examples(self, split: Split) -> Examples:
        """The examples of `split`; those of "train" in an order of which every beginning is stratified.

        In place of Examples a data set that is read by number may come. Its attribute `sha256`, a text that changes whenever an
        example does, if it has one, goes into Records, so that a training can be told from one on other data.

        "test" is asked for when a finalist is evaluated, and never before.
        """

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        """Mean loss of a batch, a scalar. Where examples are mixed, targets of one class are shares of all, (N, K)."""

    def meter(self, device: torch.device) -> Meter:
        """What takes outputs and targets on `device` a batch at a time, and tells a split's figures by name ("accuracy")."""


def load_task(benchmark: Benchmark, data: Path | None) -> Task:
    """The task of `benchmark`, its data read from the folder `data` or from where the benchmark knows to look.

    Raises:
        BenchmarkError: the task cannot be imported.
        DataMissing: its data are nowhere; says how to get them.
    """
    module, _, function = benchmark.task.partition(":")
    try:
        registry.reach(module)
        load = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise BenchmarkError(f"The task {benchmark.task!r} of {benchmark.name} cannot be loaded: {error}.") from error
    return cast(Task, load(*benchmark.given(data)))


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
