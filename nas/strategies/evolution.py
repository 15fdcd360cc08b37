"""Regularized evolution: of some of the youngest, the best has a child (Real et al. 2019, arXiv:1802.01548, alg. 1)."""

from nas.space import Architecture, Space, mutate
from nas.strategies.choosing import ChoosingSampler, Seen

CHILDREN = 20
"""Mutations of one parent that are tried for a child that is not known yet."""


class RegularizedEvolution(ChoosingSampler):
    """The oldest of the population dies whatever it is worth, so that luck does not last.

    Otherwise than in the paper a child that is known already is drawn anew, since its training would bring nothing.
    """

    def __init__(self, space: Space, *, population: int = 20, sample: int = 5, seed: int | None = None) -> None:
        """`sample` of a `population` compete for each child; the first are drawn by chance."""
        super().__init__(space, seed=seed)
        self.population = population
        self.sample = sample

    def choose(self, seen: Seen) -> Architecture:
        """A mutation of the best of some of the youngest; by chance while the population is not full."""
        alive = seen.distinct[-self.population :]
        if len(alive) < self.population:
            return self.unseen(seen)
        parent = min((self.rng.choice(alive) for _ in range(self.sample)), key=lambda one: one.order).architecture
        for _ in range(CHILDREN):
            child = mutate(self.space, parent, self.rng)
            if child not in seen:
                return child
        return self.unseen(seen)
