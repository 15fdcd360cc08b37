"""Which examples belong together beside their class: those of one speaker, of one source."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from nas.errors import BenchmarkError


@dataclass(frozen=True)
class Groups:
    """The group of each example of a split, in the order of its examples."""

    names: Sequence[str]
    numbers_N: Tensor
    """(N,) places in `names`, on the CPU."""

    def shares(self, right_N: Tensor) -> dict[str, float]:
        """Of each group that has examples, the share that is right; the worst first.

        Raises:
            BenchmarkError: there are more examples, or fewer.
        """
        if len(right_N) != len(self.numbers_N):
            raise BenchmarkError(f"Each example has a group, got {len(self.numbers_N):,} for {len(right_N):,} examples.")
        found = {}
        for number, name in enumerate(self.names):
            mask_N = self.numbers_N == number
            if mask_N.any():
                found[name] = right_N[mask_N].double().mean().item()
        return dict(sorted(found.items(), key=lambda item: item[1]))
