"""How examples reach the device: small data lie there as tensors and are indexed, larger ones stream through a DataLoader.

Which of the two is chosen by size and stands in the record. The order of examples is the loop's in both, so that equal seeds give
equal batches either way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

from nas.device import free_bytes, send
from nas.errors import BenchmarkError
from nas.records import usable_cores
from nas.training.task import Examples

Loading = Literal["auto", "memory", "stream"]

MOST_OF_MEMORY = 0.25
"""The largest share of the device's free memory that data may fill; the rest is for the network and its activations."""

LOAD_AT_ONCE = 256
"""Examples of a data set that are read together as it is taken into memory."""


MOST_READERS = 4


class Feed(Protocol):
    """Training or validation examples, however they reach the device."""

    @property
    def kind(self) -> Literal["memory", "stream"]:
        """How they reach it."""

    def __len__(self) -> int:
        """How many examples."""

    def first(self, fraction: float) -> Self:
        """The first `fraction` of the examples, at least one."""

    def batches(self, picked: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets of the examples of each of `picked` (numbers, on the CPU), on the device."""


def feed(source: Examples | Dataset[Any], device: torch.device, loading: Loading = "auto") -> Feed:
    """`source` for training on `device`; where it streams to a GPU, other processes read ahead.

    A data set gives an input and a target, tensors of one example, by its number.

    Raises:
        BenchmarkError: `source` is neither Examples nor a data set of known length that is read by number.
    """
    if not isinstance(source, Examples) and not (hasattr(source, "__len__") and hasattr(source, "__getitem__")):
        raise BenchmarkError(
            f"A task gives Examples or a data set with a length that is read by number, got {type(source).__name__}."
        )
    if loading == "memory" or (loading == "auto" and _fits(source, device)):
        return InMemory(_all_of(source).to(device), device)
    if isinstance(source, Examples):
        source = cast("Dataset[Any]", TensorDataset(source.inputs, source.targets))
    return Streamed(source, device, read_ahead(device))


def read_ahead(device: torch.device) -> int:
    """Processes that read examples ahead; none for a CPU, which they would take from the training itself."""
    return 0 if device.type == "cpu" else min(MOST_READERS, max(0, usable_cores() - 1))


def as_feed(source: Feed | Examples, device: torch.device) -> Feed:
    """`source`, or examples that lie on `device` already as a feed of them."""
    return InMemory(source, device) if isinstance(source, Examples) else source


@dataclass(frozen=True)
class InMemory:
    """Examples that lie on the device."""

    examples: Examples
    device: torch.device
    kind: Literal["memory", "stream"] = "memory"

    def __len__(self) -> int:
        return len(self.examples)

    def first(self, fraction: float) -> Self:
        """The first `fraction` of the examples, at least one."""
        return type(self)(self.examples.first(fraction), self.device)

    def batches(self, picked: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets of the examples of each of `picked`."""
        for numbers in picked:
            there = send(numbers, self.device)
            yield self.examples.inputs[there], self.examples.targets[there]


@dataclass(frozen=True)
class Streamed:
    """Examples that are read as they are needed."""

    dataset: Dataset[Any]
    device: torch.device
    workers: int
    kind: Literal["memory", "stream"] = "stream"

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]  # torch's protocol leaves the length out

    def first(self, fraction: float) -> Self:
        """The first `fraction` of the examples, at least one."""
        count = max(1, round(fraction * len(self)))
        return type(self)(Subset(self.dataset, range(count)), self.device, self.workers)

    def batches(self, picked: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets of the examples of each of `picked`, read ahead into pinned memory where they go to CUDA."""
        loader = DataLoader(
            self.dataset,
            batch_sampler=[numbers.tolist() or [0] for numbers in picked],  # of no example no batch can be made
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # else it draws a number from the state that dropout draws from
        )
        for numbers, (inputs, targets) in zip(picked, loader, strict=True):
            yield send(inputs[: len(numbers)], self.device), send(targets[: len(numbers)], self.device)


def _fits(source: Examples | Dataset[Any], device: torch.device) -> bool:
    if isinstance(source, Examples):
        if device.type == "cpu":
            return True  # it is there already
        size = source.inputs.nbytes + source.targets.nbytes
    else:
        size = sum(torch.as_tensor(part).nbytes for part in source[0]) * len(source)  # type: ignore[arg-type]
    free = free_bytes(device)
    return free is not None and size <= MOST_OF_MEMORY * free


def _all_of(source: Examples | Dataset[Any]) -> Examples:
    if isinstance(source, Examples):
        return source
    parts = list(DataLoader(source, batch_size=LOAD_AT_ONCE))
    return Examples(torch.cat([inputs for inputs, _ in parts]), torch.cat([targets for _, targets in parts]))
