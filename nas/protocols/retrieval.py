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

AT_ONCE = 1_024
"""Examples that ask together, so that ten thousand that answer take megabytes."""


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
        targets_N = torch.cat(self._targets)
        if not self._by_class:  # each belongs to itself alone
            targets_N = torch.arange(len(targets_N))
        found: dict[str, float] = {}
        directions = list(permutations(range(len(self._names)), 2))
        for asks, answers in directions:
            before_N = torch.cat(
                [
                    _before(asking_KD, vectors_NMD[:, answers], targets_K, targets_N)
                    for asking_KD, targets_K in zip(
                        torch.split(vectors_NMD[:, asks], AT_ONCE), torch.split(targets_N, AT_ONCE), strict=True
                    )
                ]
            )
            for k in RANKS:
                share = (before_N < k).float().mean().item()
                found[f"recall_at_{k}_{self._names[asks]}_to_{self._names[answers]}"] = share
        means = {f"recall_at_{k}": _mean([v for name, v in found.items() if name.startswith(f"recall_at_{k}_")]) for k in RANKS}
        return {**means, **(found if self._by_direction else {})}


def _before(asking_KD: Tensor, answering_ND: Tensor, targets_K: Tensor, targets_N: Tensor) -> Tensor:
    """How many that do not belong to it are as near to each of K as the nearest that does, (K,)."""
    cosines_KN = asking_KD @ answering_ND.T
    alike_KN = targets_K[:, None] == targets_N
    best_K1 = cosines_KN.masked_fill(~alike_KN, -2.0).amax(dim=1, keepdim=True)
    return ((cosines_KN >= best_K1) & ~alike_KN).sum(dim=1)


def belonging(targets_N: Tensor, *, by_class: bool) -> Tensor:
    """Which examples belong together, (N, N): those of one class, or each to itself alone."""
    if by_class:
        return targets_N[:, None] == targets_N
    return torch.eye(len(targets_N), dtype=torch.bool, device=targets_N.device)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
