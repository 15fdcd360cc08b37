"""Weights on a grid of whole numbers, each row with a scale of its own, and as a file keeps them.

    weight ≈ scale · q, q in −127 … 127, scale = largest |weight| of the row / 127
    NAME → NAME.int8, NAME.scale

Symmetric, and each row by itself, as in Krishnamoorthi 2018 (arXiv:1806.08342, secs. 2.2, 2.3). A row is what makes one output: a
filter of a convolution, a row of a matrix, of a recurrent cell that of one gate of one unit; the vector of one token. Vectors
(biases, normalisation) stay as they are: they are few, and decide much.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

LARGEST = 127
"""Of the whole numbers, either way."""

INT8, SCALE = ".int8", ".scale"


def is_on_grid(value: Tensor) -> bool:
    """Whether a tensor of a network's state is one of those that are quantised."""
    return value.is_floating_point() and value.ndim > 1 and value.numel() > value.shape[0]


def to_grid(weight: Tensor) -> tuple[Tensor, Tensor]:
    """The whole numbers of `weight`, int8 of its shape, and the scale of each row, (rows,); a row of zeros has scale 1."""
    largest = weight.detach().flatten(1).abs().amax(dim=1)
    scale = torch.where(largest > 0, largest / LARGEST, torch.ones_like(largest))
    return torch.round(weight.detach() / _as_rows(scale, weight)).clamp(-LARGEST, LARGEST).to(torch.int8), scale


def from_grid(whole: Tensor, scale: Tensor) -> Tensor:
    """The weights that these numbers stand for."""
    return whole.to(scale.dtype) * _as_rows(scale, whole)


def _as_rows(scale: Tensor, weight: Tensor) -> Tensor:
    return scale.reshape(-1, *[1] * (weight.ndim - 1))


def packed(network: nn.Module) -> dict[str, Tensor]:
    """The state of `network` with its weights as whole numbers and scales."""
    parameters = {name for name, _ in network.named_parameters(remove_duplicate=False)}
    return dict(packed_of(network.state_dict(), parameters))


def packed_of(state: Mapping[str, Tensor], parameters: set[str]) -> Iterator[tuple[str, Tensor]]:
    """`state` with those that are called `parameters` as whole numbers and scales, where they are on the grid."""
    for name, value in state.items():
        if name in parameters and is_on_grid(value):
            whole, scale = to_grid(value)
            yield f"{name}{INT8}", whole
            yield f"{name}{SCALE}", scale
        else:
            yield name, value


def unpacked(kept: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state that `packed` packed, as far as the grid holds it."""
    state: dict[str, Tensor] = {}
    for name, value in kept.items():
        if name.endswith(INT8):
            weight = name.removesuffix(INT8)
            state[weight] = from_grid(value, kept[f"{weight}{SCALE}"])
        elif not (name.endswith(SCALE) and f"{name.removesuffix(SCALE)}{INT8}" in kept):
            state[name] = value
    return state
