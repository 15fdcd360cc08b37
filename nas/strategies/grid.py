"""Every architecture of a finite space once, in steps that spread them evenly."""

import math
import random

from nas.errors import SpaceError, StrategyError
from nas.space import Architecture, Space, architecture_at, size, size_text
from nas.strategies.choosing import ChoosingSampler, Seen

GOLDEN = 618_033_988_749_894_848
"""The golden section of 10^18; in integers, since a space may hold more than a float can."""


class Grid(ChoosingSampler):
    """Goes through the architectures in the order of their numbers, by steps of about 0.618 of all there are.

    A step has no divisor in common with their number, so that each comes once before any comes twice; and since steps of the
    golden section of a circle leave its widest gaps for last (Knuth 1998, vol. 3, sec. 6.4, theorem S), a search that ends early
    has seen all parts of the space, not the corner where the first answers are as in the first architecture. The seed says
    where to begin.
    """

    def __init__(self, space: Space, *, seed: int | None = None) -> None:
        """Go through `space`.

        Raises:
            StrategyError: it has ranges of reals, or holds more than can be counted.
        """
        super().__init__(space, seed=seed)
        try:
            count = size(space)
        except SpaceError as error:
            raise StrategyError(f"The strategy 'grid' needs a space that can be counted: {error}") from None
        if count == math.inf:
            raise StrategyError(
                f"The strategy 'grid' needs a finite space, {space.name!r} holds {size_text(count)}; name another."
            )
        self.count = int(count)
        self.step = _coprime(self.count)
        self._first_seed = seed
        self._turn = 0

    def forget(self) -> None:
        """Begin anew."""
        super().forget()
        self._turn = 0

    def seed(self, seed: int) -> None:
        """Draw from `seed` what is drawn; the order keeps to the first seed it was given."""
        super().seed(seed)
        if self._first_seed is None:
            self._first_seed = seed

    def choose(self, seen: Seen) -> Architecture:
        """The next that is neither known nor running; by chance once all are."""
        if self._first_seed is None:
            self._first_seed = random.randrange(2**31)  # noqa: S311 - no secret
        begin = random.Random(self._first_seed).randrange(self.count)  # noqa: S311
        while self._turn < self.count:
            architecture = architecture_at(self.space, (begin + self._turn * self.step) % self.count)
            if architecture not in seen:
                return architecture  # it comes again where something else was tried in its place
            self._turn += 1
        return self.unseen(seen)


def _coprime(count: int) -> int:
    """The step nearest to the golden section of `count` that has no divisor in common with it."""
    middle = max(1, count * GOLDEN // 10**18)
    return next(step for away in range(count + 1) for step in (middle + away, middle - away) if math.gcd(step, count) == 1)
