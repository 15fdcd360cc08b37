"""Hill climbing: neighbours of the best so far, one after another, and elsewhere once none of them is better.

White et al. 2021, arXiv:2005.02960.
"""

from nas.space import Architecture, neighbours
from nas.strategies.choosing import ChoosingSampler, Known, Seen


class LocalSearch(ChoosingSampler):
    """Moves to the first neighbour that is better, and starts anew by chance at a local optimum.

    Where it stands follows from what is known, so that it goes on where another run of it stopped. What is proposed while others
    run is noted to be a step, to which it moves only if that is better, whatever it was a step from; or a start, of which the
    best of several in a row is kept. While all neighbours that are left are still running it steps ahead, beside these.
    """

    def choose(self, seen: Seen) -> Architecture:
        """A neighbour of where it stands that is neither known nor running, or a new start."""
        here = self.stands(seen)
        found = None if here is None else self._step(here.architecture, seen)
        if seen.running:
            self.note(climb="start" if found is None else "step")
        return found or self.unseen(seen)

    def _step(self, here: Architecture, seen: Seen) -> Architecture | None:
        around = neighbours(self.space, here, self.rng)
        if fresh := [other for other in around if other not in seen]:
            return self.rng.choice(fresh)
        running = {one.id for one in seen.running}
        awaited = [other for other in around if other.id in running]
        for one in self.rng.sample(awaited, len(awaited)):
            if fresh := [other for other in neighbours(self.space, one, self.rng) if other not in seen]:
                return self.rng.choice(fresh)
        return None

    def stands(self, seen: Seen) -> Known | None:
        """Where the climb has come to: from each start on, the last that was better than all before it."""
        here: Known | None = None
        started = False
        """Whether it has made no step since the last start."""
        for one in seen.distinct:
            kind = one.notes.get("climb") or ("step" if here is not None and self._beside(here, one) else "start")
            alone = kind == "start" and not (started and "climb" in one.notes)
            if here is None or one.order < here.order or alone:
                here = one
            started = kind == "start"
        return here

    @staticmethod
    def _beside(one: Known, other: Known) -> bool:
        """Whether the two answer all but one of the choices that both have in the same way."""
        mine, theirs = one.architecture.choices, other.architecture.choices
        return sum(theirs[name] != answer for name, answer in mine.items() if name in theirs) <= 1
