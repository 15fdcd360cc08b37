"""What a network is fed while it is counted or measured: a shape of a benchmark, the size of one example, or tensors."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from nas.benchmark import Features, Image, Modalities, Query, Tokens, shape_from_data, shape_to_data
from nas.benchmark import Sequence as Positions
from nas.errors import ModelError, quote
from nas.models import example

Inputs = Image | Positions | Tokens | Query | Features | Modalities | Tensor | Sequence[int] | Sequence[Tensor]
"""A `nas.benchmark.Shape`; the axes of one example, such as (3, 224, 224); or what forward takes, the batch's axis first."""


def batch_of(inputs: Inputs, device: torch.device | str, batch_size: int = 1) -> tuple[Tensor, ...]:
    """What to call a network with: zeros of a shape or a size in a batch of `batch_size`, or the tensors, taken to `device`.

    Raises:
        ModelError: `inputs` are none of these.
    """
    if isinstance(inputs, Image | Positions | Tokens | Query | Features | Modalities):
        return (example(inputs, device, batch_size),)
    if isinstance(inputs, Tensor):
        return (inputs.to(device),)
    tensors = [part.to(device) for part in inputs if isinstance(part, Tensor)]
    if tensors and len(tensors) == len(inputs):
        return tuple(tensors)
    sizes = [part for part in inputs if isinstance(part, int) and not isinstance(part, bool) and part > 0]
    if sizes and len(sizes) == len(inputs):
        return (torch.zeros(batch_size, *sizes, device=device),)
    raise ModelError(f"Inputs are a shape, the size of one example such as (3, 224, 224), or tensors, got {quote(inputs)}.")


def inputs_to_data(inputs: Inputs) -> dict[str, Any] | list[int]:
    """A shape or a size as plain data, ready for JSON.

    Raises:
        ModelError: `inputs` are tensors, or none that a network could be fed.
    """
    (batch,) = batch_of(inputs, "meta")[:1]
    if isinstance(inputs, Image | Positions | Tokens | Query | Features | Modalities):
        return shape_to_data(inputs)
    if isinstance(inputs, Tensor) or any(isinstance(part, Tensor) for part in inputs):
        raise ModelError(f"Another process is told a shape or a size, got tensors; give {tuple(batch.shape[1:])}.")
    return list(inputs)  # type: ignore[arg-type]


def inputs_from_data(data: Mapping[str, Any] | Sequence[int]) -> Inputs:
    """The shape or size that `inputs_to_data` wrote."""
    return shape_from_data(data) if isinstance(data, Mapping) else tuple(data)
