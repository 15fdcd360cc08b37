"""How high the right answer stands among all: figures of ranks, gathered batch by batch.

Axes: N queries, E entities.
"""

import math

import torch
from torch import Tensor

from nas.errors import BenchmarkError
from nas.training import HITS


class Ranks:
    """Mean reciprocal rank and hits of scores (N, E) and right answers (N,); what does not compete scores −inf.

    Of equal scores the rank is the mean of the best and the worst that it could be, so that a network that gives all entities one
    score is no better than chance (Berrendorf et al. 2020, arXiv:2002.06914, sec. 3.1: the realistic rank).
    """

    gives = ("mrr", *(f"hits_at_{most}" for most in HITS))

    def __init__(self) -> None:
        self._ranks: list[Tensor] = []

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch."""
        scores_NE = outputs.float()
        right_N1 = scores_NE.gather(1, targets[:, None])
        above_N, equal_N = (scores_NE > right_N1).sum(1), (scores_NE == right_N1).sum(1)
        broken_N = scores_NE.isnan().any(1) | right_N1.squeeze(1).isinf()
        self._ranks.append((above_N + (equal_N + 1) / 2).double().masked_fill(broken_N, math.nan))

    def compute(self) -> dict[str, float]:
        """All that it gives; not a number where a score is none."""
        if not self._ranks:
            raise BenchmarkError("There is nothing to rank; give at least one query.")
        ranks_N = torch.cat(self._ranks)
        hits = {f"hits_at_{most}": ranks_N.le(most).double().where(ranks_N.isfinite(), ranks_N) for most in HITS}
        return {name: values.mean().item() for name, values in {"mrr": 1 / ranks_N, **hits}.items()}
