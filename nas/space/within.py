"""Architectures drawn within limits, in bounded time, or the proof that there are none."""

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress

from nas.errors import SpaceError
from nas.space.architecture import Architecture
from nas.space.completions import Completions, DeadEnd, Key, Rest, TooMany, listed, points
from nas.space.counting import draw
from nas.space.domain import Domain, Value
from nas.space.fold import add
from nas.space.limits import Limit
from nas.space.reach import improve

MAX_RESTARTS = 100
"""So often a draw within limits begins before it gives up drawing."""

PROBES = 8
"""So many answers are drawn of a range that is too long to be listed."""


class NoneWithin(SpaceError):
    """No architecture within the limits was found."""

    def __init__(self, message: str, *, proven: bool) -> None:
        super().__init__(message)
        self.proven = proven
        """Whether it is certain that there is none."""


def sample_within(completions: Completions, limits: Sequence[Limit | str], rng: random.Random) -> Architecture:
    """An architecture within `limits`, on figures of `completions`, drawn by `rng` in bounded time.

    A walk goes only where, for each limit by itself, the cheapest (or dearest) completion keeps to it, and takes all such answers
    with the same probability: an answer that leaves little room is as likely as one that leaves much, whatever the number of
    architectures within the limits that have it. So architectures near a limit come up more often than if those that
    `Space.sample` draws outside were drawn again; without a limit that matters, the two are the same.

    Where several limits together leave no way on, or completions are too many to be known, a walk may end outside. It begins
    again, MAX_RESTARTS times; then a draw's excess over the limits is brought down answer by answer (`improve`), with no claim to
    evenness. What is drawn hangs on the space, the fold, the limits and `rng` alone, not on what was drawn before.

    Raises:
        NoneWithin: none was found; `proven` says whether there is certainly none.
        SpaceError: a limit is on none of the figures.
    """
    places = [(completions.index(limit.figure), limit) for limit in map(_limit, limits)]
    with suppress(TooMany):
        _check_possible(completions, completions.total(), places)
    with completions.aside():
        for _ in range(MAX_RESTARTS):
            draft = _Draft(completions, places, rng)
            try:
                architecture = completions.space.walk(draft.choose)
            except DeadEnd:
                continue
            if draft.within():
                return architecture

    def excess(costs: tuple[float, ...]) -> float:
        return sum(max(0.0, limit.excess(costs[at])) for at, limit in places)

    found = improve(completions, excess, rng, enough=0.0)
    if found is None or excess(completions.cost(found)) > 0:
        words = " and ".join(str(limit) for _, limit in places) or "layers that all fit"
        raise NoneWithin(f"no architecture of {completions.space.name!r} with {words} was found; widen the limits.", proven=False)
    return found


def _limit(limit: Limit | str) -> Limit:
    return Limit.parse(limit) if isinstance(limit, str) else limit


def _check_possible(completions: Completions, total: Rest | None, places: Sequence[tuple[int, Limit]]) -> None:
    """Raise NoneWithin where no architecture can keep to one of the limits."""
    if not completions.whole:
        return
    name = completions.space.name
    if total is None:
        raise NoneWithin(f"no architecture of {name!r} has layers that all fit; mend the space.", proven=True)
    for at, limit in places:
        if not _reaches(limit, total.low[at], total.high[at]):
            end = f"least is {total.low[at]:,.10g}" if limit.from_above else f"most is {total.high[at]:,.10g}"
            raise NoneWithin(f"no architecture of {name!r} has {limit}: the {end}; move the limit or the space.", proven=True)


def _reaches(limit: Limit, low: float, high: float) -> bool:
    """Whether a figure between `low` and `high` can be within `limit`."""
    return limit.allows(low) if limit.from_above else limit.allows(high)


class _Draft:
    """A walk on its way: where it stands, and what it has cost."""

    def __init__(self, completions: Completions, places: Sequence[tuple[int, Limit]], rng: random.Random) -> None:
        self.completions, self.places, self.rng = completions, places, rng
        if completions.begin is None:
            raise NoneWithin(
                f"no architecture of {completions.space.name!r} has layers that all fit; mend the space.", proven=True
            )
        self.key, self.spent = completions.begin.to, completions.begin.costs

    def within(self) -> bool:
        """Whether the walk, at its end, is one that the limits allow."""
        return self.completions.ends(self.key) and all(limit.allows(self.spent[at]) for at, limit in self.places)

    def choose(self, _name: str, domain: Domain) -> Value:
        """The first answer, in an order that is drawn, after which every limit can still be kept."""
        choice = self.key[0].choice
        assert choice is not None  # noqa: S101 - moments and the walk ask the same
        if not choice.decides:
            way = self.completions.way(self.key, 0)
            if way is None:
                raise DeadEnd
            self.key, self.spent = way.to, add(self.spent, way.costs)
            return draw(domain, self.rng)
        for answer in self.candidates(domain):
            way = self.completions.way(self.key, choice.token(answer))
            if way is not None and self.can_keep(spent := add(self.spent, way.costs), way.to):
                self.key, self.spent = way.to, spent
                return answer
        raise DeadEnd

    def can_keep(self, spent: tuple[float, ...], key: Key) -> bool:
        """Whether each limit can be kept from `key` on; true where that is not known."""
        try:
            rest = self.completions.rest(key)
        except TooMany:
            return True
        return rest is not None and all(
            _reaches(limit, spent[at] + rest.low[at], spent[at] + rest.high[at]) for at, limit in self.places
        )

    def candidates(self, domain: Domain) -> Iterator[Value]:
        """All answers; of a range too long to be listed, a few that are drawn, then its points."""
        if not listed(domain):
            yield from (draw(domain, self.rng) for _ in range(PROBES))
        followed = [*domain] if listed(domain) else points(domain)  # type: ignore[misc]  # what is listed is finite
        yield from self.rng.sample(followed, len(followed))
