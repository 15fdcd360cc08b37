"""Numbers drawn by chance for each example of a batch, which are the same however many processes share the batch.

    generator → one number for each example of the batch → those of the examples at hand

A plain generator draws for the examples at hand, which are all. A `Shared` one draws for the whole batch, in every process alike,
and gives each the numbers of its part. So drawing costs each process what it costs one that has the batch for itself.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class Shared(torch.Generator):
    """A process's generator of its own, on the CPU, which also knows the one that all processes draw from alike.

    What draws from it as from any generator draws what no other process draws.
    """

    common: torch.Generator
    of: int
    """Examples of the whole batch."""
    begin: int
    """Where this process's part of it begins."""
    count: int
    """Examples of the part."""

    @classmethod
    def made(cls, common: torch.Generator, seed: int, of: int, begin: int, count: int) -> "Shared":
        """One whose own numbers follow from `seed`."""
        shared = cls()
        shared.manual_seed(seed)
        shared.common, shared.of, shared.begin, shared.count = common, of, begin, count
        return shared


def rand(size: Sequence[int], chance: torch.Generator, axis: int | None = 0) -> Tensor:
    """Evenly between 0 and 1; `axis` counts the examples at hand, None where a draw is one for the whole batch."""
    return _drawn(lambda whole, generator: torch.rand(whole, generator=generator), size, chance, axis)


def randn(size: Sequence[int], chance: torch.Generator, axis: int | None = 0) -> Tensor:
    """From the normal distribution; `axis` counts the examples at hand, None where a draw is one for the whole batch."""
    return _drawn(lambda whole, generator: torch.randn(whole, generator=generator), size, chance, axis)


def randint(low: int, high: int, size: Sequence[int], chance: torch.Generator, axis: int | None = 0) -> Tensor:
    """From `low` to below `high`; `axis` counts the examples at hand, None where a draw is one for the whole batch."""
    return _drawn(lambda whole, generator: torch.randint(low, high, whole, generator=generator), size, chance, axis)


def _drawn(
    draw: Callable[[Sequence[int], torch.Generator], Tensor], size: Sequence[int], chance: torch.Generator, axis: int | None
) -> Tensor:
    if not isinstance(chance, Shared):
        return draw(size, chance)
    if axis is None:
        return draw(size, chance.common)
    if size[axis] != chance.count:
        raise ValueError(f"Numbers are drawn for the {chance.count} examples at hand, got {size[axis]} along axis {axis}.")
    whole = [*size]
    whole[axis] = chance.of
    return draw(whole, chance.common).narrow(axis, chance.begin, chance.count)
