"""Hill climbing: neighbours of the best so far, one after another, and elsewhere once none of them is better.

White et al. 2021, arXiv:2005.02960.
"""

from nas.space import Architecture, neighbours
from nas.strategies.choosing import ChoosingSampler, Known, Seen


class LocalSearch(ChoosingSampler):
    """Moves to the first neighbour that is better, and starts anew by chance at a local optimum.

    Where it stands follows from what is known, so that it goes on where another run of it stopped.
    """

    def choose(self, seen: Seen) -> Architecture:
        """A neighbour of where it stands that is not known, or a new start."""
        here = self.stands(seen)
        if here is not None:
            around = [other for other in neighbours(self.space, here.architecture, self.rng) if other not in seen]
            if around:
                return self.rng.choice(around)
        return self.unseen(seen)

    def stands(self, seen: Seen) -> Known | None:
        """Where the climb has come to: from each start on, the last that was better than all before it."""
        here: Known | None = None
        for one in seen.distinct:
            if here is None or one.order < here.order or not self._beside(here, one):
                here = one
        return here

    @staticmethod
    def _beside(one: Known, other: Known) -> bool:
        """Whether the two answer all but one of the choices that both have in the same way."""
        mine, theirs = one.architecture.choices, other.architecture.choices
        return sum(theirs[name] != answer for name, answer in mine.items() if name in theirs) <= 1
