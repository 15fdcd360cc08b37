"""Weights as a file keeps them in fewer bytes: whole numbers with a scale a row, or those alone that are not zero.

    weight ≈ scale · q, q in −127 … 127, scale = largest |weight| of the row / 127
    NAME → NAME.int8, NAME.scale
    NAME → NAME.mask (a bit a weight), NAME.values (those that are not zero)

The grid is symmetric, and each row has its own, as in Krishnamoorthi 2018 (arXiv:1806.08342, secs. 2.2, 2.3). A row makes one
output: a filter of a convolution, a row of a matrix, of a recurrent cell that of one gate of one unit; a token's vector. What
has one axis (biases, normalisation) stays as it is: it is little, and decides much.
"""

from collections.abc import Collection, Iterator, Mapping

import torch
from torch import Tensor, nn

LARGEST = 127
"""Of the whole numbers, either way."""

INT8, SCALE = ".int8", ".scale"
MASK, VALUES = ".mask", ".values"

_BITS = 2 ** torch.arange(8, dtype=torch.uint8)


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


def parameters_of(network: nn.Module) -> set[str]:
    """The names of its parameters, all that each has."""
    return {name for name, _ in network.named_parameters(remove_duplicate=False)}


def rounded(state: Mapping[str, Tensor], parameters: Collection[str]) -> Iterator[tuple[str, Tensor]]:
    """`state` with those that are called `parameters` as whole numbers and scales, where they are of a kind that is quantised."""
    for name, value in state.items():
        if name in parameters and is_on_grid(value):
            whole, scale = to_grid(value)
            yield f"{name}{INT8}", whole
            yield f"{name}{SCALE}", scale
        else:
            yield name, value


def without_zeros(state: Mapping[str, Tensor], parameters: Collection[str]) -> Iterator[tuple[str, Tensor]]:
    """`state` with those that are called `parameters` as a bit a weight, and the weights that are not zero."""
    for name, value in state.items():
        if name not in parameters:
            yield name, value
            continue
        flat = value.detach().cpu().flatten()
        there = nn.functional.pad((flat != 0).to(torch.uint8), (0, -len(flat) % 8)).view(-1, 8)
        yield f"{name}{MASK}", (there * _BITS).sum(dim=1).to(torch.uint8)
        yield f"{name}{VALUES}", flat[flat != 0]


def lossless(network: nn.Module) -> dict[str, Tensor]:
    """The state of `network`, on the CPU, in as few bytes as give it back to the bit; as it is where nothing can be saved."""
    state = network.state_dict()
    names = {name for name in parameters_of(network) if is_on_grid(state[name])}
    packed: dict[str, Tensor] = {}
    for name, value in state.items():
        packed |= _smallest(name, value.detach().cpu()) if name in names else {name: value}
    return packed


def _smallest(name: str, weight: Tensor) -> dict[str, Tensor]:
    """One weight, in the form of those that hold it exactly that takes the fewest bytes."""
    ways = [{name: weight}, dict(without_zeros({name: weight}, {name}))]
    if (found := _found_on_grid(weight)) is not None:
        ways.append({f"{name}{INT8}": found[0], f"{name}{SCALE}": found[1]})
    return min(
        (way for way in ways if torch.equal(_bytes(unpacked(way, {name: weight})[name]), _bytes(weight))),  # −0 is not 0
        key=lambda way: sum(value.nbytes for value in way.values()),
    )


def _bytes(weight: Tensor) -> Tensor:
    return weight.contiguous().view(torch.uint8)


def _found_on_grid(weight: Tensor) -> tuple[Tensor, Tensor] | None:
    """The whole numbers and scales that `weight` was made of; None where it was not.

    A scale times 127, divided by 127 again, may be its neighbour among floating-point numbers, so that these are tried too.
    """
    whole, scale = to_grid(weight)
    near = (scale, torch.nextafter(scale, torch.zeros_like(scale)), torch.nextafter(scale, torch.full_like(scale, torch.inf)))
    fits = torch.stack([(from_grid(whole, one) == weight).flatten(1).all(dim=1) for one in near])
    if not fits.any(dim=0).all():
        return None
    first = fits.to(torch.uint8).argmax(dim=0, keepdim=True)
    return whole, torch.stack(near).gather(0, first)[0]


def unpacked(kept: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state that a file keeps, in whatever form, of a network whose own is `like`; what is no weight of it stays as it is."""
    state = dict(kept)
    for name, own in like.items():
        if f"{name}{INT8}" in kept and f"{name}{SCALE}" in kept:
            state[name] = from_grid(state.pop(f"{name}{INT8}"), state.pop(f"{name}{SCALE}"))
        elif f"{name}{MASK}" in kept and f"{name}{VALUES}" in kept:
            bits, values = state.pop(f"{name}{MASK}"), state.pop(f"{name}{VALUES}")
            there = (bits.unsqueeze(1) & _BITS).bool().flatten()[: own.numel()]
            state[name] = torch.zeros(own.numel(), dtype=values.dtype).masked_scatter(there, values).reshape(own.shape)
    return state
