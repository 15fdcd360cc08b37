"""What the numbers of an input stand for: networks are fed standardised numbers, attacks and noise are told in raw ones.

Axes: N examples, C channels, H height, W width, L positions, F features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Scale:
    """raw = input × deviation + mean, and where raw numbers lie.

    One number for all channels, or one for each.
    """

    mean: float | Sequence[float] = 0.0
    deviation: float | Sequence[float] = 1.0
    low: float | None = None
    """The least that a raw number can be; None where there is no such."""
    high: float | None = None
    unit: str = "the input's own unit"
    """Of raw numbers, as it stands after "in": "brightness from 0 to 1"."""

    @property
    def span(self) -> float:
        """From the least to the largest raw number; 1 where that is not known."""
        return self.high - self.low if self.low is not None and self.high is not None else 1.0

    def deviations(self, like: Tensor) -> Tensor:
        """The deviation, against a batch: (1, C, 1, 1) for pictures, (C,) at the end for all else."""
        return _against(self.deviation, like)

    def raw(self, inputs: Tensor) -> Tensor:
        """What a batch of inputs stands for."""
        return inputs * _against(self.deviation, inputs) + _against(self.mean, inputs)

    def clip(self, inputs: Tensor) -> Tensor:
        """A batch of inputs with raw numbers outside of their range set to its ends."""
        if self.low is None and self.high is None:
            return inputs
        ends = [
            (end - _against(self.mean, inputs)) / _against(self.deviation, inputs) if end is not None else None
            for end in (self.low, self.high)
        ]
        low, high = ends
        inputs = torch.maximum(inputs, low) if low is not None else inputs
        return torch.minimum(inputs, high) if high is not None else inputs

    def __str__(self) -> str:
        """What ε and noise are told in, and what is clipped, in a clause."""
        if self.low is None or self.high is None:
            return f"{self.unit}, of which no range is known, so that nothing is clipped"
        return f"{self.unit}, clipped to {self.low:g} and {self.high:g}"


def _against(values: float | Sequence[float], like: Tensor) -> Tensor:
    found = torch.as_tensor(values, dtype=like.dtype, device=like.device)
    return found[:, None, None] if found.ndim and like.ndim == 4 else found
