"""How well one modality finds another in a space that both share.

Axes: N examples, M modalities, D numbers of a vector, K candidates.
"""

from collections.abc import Sequence
from itertools import permutations

import torch
from torch import Tensor
from torch.nn import functional

from nas.errors import BenchmarkError
from nas.training.meters import NOTHING

RANKS = (1, 5, 10)
"""Of recall."""


class Recall:
    """Recall at each of RANKS: the mean over directions, and in every direction.

    Every example's vector of one modality asks, all examples' vectors of another answer, the nearest by cosine first. Recall at
    k is the share of those that ask which find what belongs to them among the first k. Of equal cosines that of what does not
    belong comes first, so that a space in which all is one point finds nothing.
    """

    def __init__(self, names: Sequence[str], *, by_class: bool, by_direction: bool) -> None:
        """Of modalities called `names`; what belongs to an example is itself or, `by_class`, all of its class.

        Each direction is told beside the means only `by_direction`.
        """
        self._names = names
        self._by_class = by_class
        self._by_direction = by_direction
        self._vectors: list[Tensor] = []
        self._targets: list[Tensor] = []

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in vectors (N, M, D) and classes (N,)."""
        self._vectors.append(functional.normalize(outputs.detach().float(), dim=-1).cpu())
        self._targets.append(targets.cpu())

    def compute(self) -> dict[str, float]:
        """Figures such as "recall_at_5_image_to_sound" and, of all directions, "recall_at_5"."""
        if not self._vectors:
            raise BenchmarkError(NOTHING)
        vectors_NMD = torch.cat(self._vectors)
        alike_NN = belonging(torch.cat(self._targets), by_class=self._by_class)
        found: dict[str, float] = {}
        directions = list(permutations(range(len(self._names)), 2))
        for asks, answers in directions:
            cosines_NN = vectors_NMD[:, asks] @ vectors_NMD[:, answers].T
            best_N1 = cosines_NN.masked_fill(~alike_NN, -2.0).amax(dim=1, keepdim=True)
            before_N = ((cosines_NN >= best_N1) & ~alike_NN).sum(dim=1)
            for k in RANKS:
                share = (before_N < k).float().mean().item()
                found[f"recall_at_{k}_{self._names[asks]}_to_{self._names[answers]}"] = share
        means = {f"recall_at_{k}": _mean([v for name, v in found.items() if name.startswith(f"recall_at_{k}_")]) for k in RANKS}
        return {**means, **(found if self._by_direction else {})}


def belonging(targets_N: Tensor, *, by_class: bool) -> Tensor:
    """Which examples belong together, (N, N): those of one class, or each to itself alone."""
    if by_class:
        return targets_N[:, None] == targets_N
    return torch.eye(len(targets_N), dtype=torch.bool, device=targets_N.device)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
