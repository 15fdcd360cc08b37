"""What a space holds at a benchmark, before any training: figures, shares within limits, and names that make no difference."""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nas.benchmark import Signature
from nas.errors import ModelError
from nas.models.costing import CostFold, total
from nas.models.limiting import COUNTED, misses, why_none
from nas.models.planning import plan, steps
from nas.models.sameness import identify
from nas.models.shares import Quartiles, Share
from nas.space import (
    Architecture,
    Completions,
    Limit,
    Reach,
    Space,
    architectures,
    declared,
    differences,
    extremes,
    mutate,
    sample_uniformly,
    size,
)

ENUMERATED = 20_000
"""Spaces of up to so many architectures are looked at whole."""

SAMPLED = 10_000
"""Architectures that are looked at of a larger space."""

CHANGED = 200
"""Architectures of which single answers are changed, to see whether the network changes."""

CHANGES = 24
"""Changes that are tried of each."""

LAYERS = 2_000_000
"""Layers of sampled architectures after which no further one is looked at, some twenty seconds; a tenth of it for changes."""


@dataclass(frozen=True, kw_only=True)
class Idle:
    """A choice whose answer may make no difference."""

    choice: str
    """Its name, with * for the number of a repetition."""
    share: Share
    """Of the changes that were tried, those that gave the same network."""
    tried: int


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a space holds at a benchmark, under limits."""

    size: int | float
    looked_at: int
    """Architectures that figures and shares are of, all equally likely where they are not all that there are."""
    whole: bool
    """Whether they are all that there are."""
    figures: Mapping[str, Quartiles]
    """Of each of COUNTED."""
    reach: Mapping[str, Reach]
    """The smallest and the largest of each of COUNTED that any architecture has."""
    within: Share
    """Architectures within all limits on COUNTED."""
    by_limit: Mapping[str, Share]
    """Limit → architectures within it alone."""
    proposals_within: Share
    """Proposals within all of them, where every choice is drawn uniformly, as a random search does."""
    impossible: tuple[str, ...]
    """Why a limit is met by no architecture, or by none that was found, a sentence each."""
    unknown: tuple[str, ...]
    """Limits on what only measuring tells."""
    misfits: Share
    """Architectures of which a layer does not fit the shape it is given."""
    misfit: str
    """What the first of these says; empty without any."""
    networks: int | None
    """Different networks; None where not all architectures were looked at."""
    repeated: Share
    """Architectures that are the same network as another one: as any other of a space that was looked at whole, and otherwise as
    one of CHANGES that differ in one answer, so that there may be more."""
    idle: tuple[Idle, ...]
    """Choices of which a change gave the same network, the most idle first."""
    seconds: float
    """How long the survey took."""


def survey(
    space: Space,
    signature: Signature,
    limits: Sequence[Limit] = (),
    *,
    samples: int = SAMPLED,
    seed: int = 0,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Survey:
    """What `space` holds at a benchmark of that `signature`; equal seeds give equal surveys.

    Raises:
        ModelError: no architecture was found in which every layer fits.
    """
    begin = time.perf_counter()
    rng = random.Random(seed)  # noqa: S311 - no secret
    count = size(space)
    whole = count <= ENUMERATED
    completions = Completions(space, CostFold(signature))
    early = [limit for limit in limits if limit.figure in COUNTED]
    on_progress("the smallest and the largest")
    try:
        reach = {figure: extremes(completions, figure, rng) for figure in COUNTED}
    except ModelError as error:
        raise ModelError(f"{error} One of them: {_why(space, signature, rng)}") from error
    on_progress("parameters and FLOPs")
    seen = _Seen(space, signature, early, identified=whole)
    for architecture in architectures(space) if whole else (sample_uniformly(space, rng) for _ in range(samples)):
        seen.look(architecture)
        if seen.layers > LAYERS and not whole:
            break
    proposals = _Seen(space, signature, early)
    for _ in range(samples if early else 1):
        proposals.look(space.sample(rng))
        if proposals.layers > LAYERS:
            break
    on_progress("equal networks")
    changes = _Changes(space, signature)
    for _ in range(CHANGED):
        changes.look(sample_uniformly(space, rng), rng)
        if changes.layers > LAYERS / 10:
            break
    return Survey(
        size=count,
        looked_at=seen.number,
        whole=whole,
        figures=seen.quartiles(),
        reach=reach,
        within=seen.share(seen.hits, exact=whole),
        by_limit={limit: seen.share(hits, exact=whole) for limit, hits in seen.hits_by_limit.items()},
        proposals_within=proposals.share(proposals.hits),
        impossible=tuple(why_none(limit, reach[limit.figure]) for limit in early if misses(limit, reach[limit.figure])),
        unknown=tuple(str(limit) for limit in limits if limit.figure not in COUNTED),
        misfits=seen.share(seen.misfits, exact=whole),
        misfit=seen.misfit,
        networks=len(seen.networks) if whole else None,
        repeated=seen.repeated if whole else changes.share,
        idle=changes.idle(),
        seconds=time.perf_counter() - begin,
    )


class _Seen:
    """Gathers the figures of architectures, which limits they keep to, and where `identified` which networks they are."""

    def __init__(self, space: Space, signature: Signature, limits: Sequence[Limit], *, identified: bool = False) -> None:
        self.space, self.signature, self.limits, self.identified = space, signature, limits, identified
        self.number = 0
        self.hits = 0
        self.hits_by_limit = {str(limit): 0 for limit in limits}
        self.misfits = 0
        self.misfit = ""
        self.networks: Counter[str] = Counter()
        self.layers = 0
        """Of all architectures together."""
        self._figures: list[dict[str, int]] = []

    def look(self, architecture: Architecture) -> None:
        self.number += 1
        try:
            parts = plan(self.space, architecture, self.signature)
            self.layers += sum(1 for _ in steps(parts))
            cost = total(parts)
        except ModelError as error:
            self.misfits += 1
            self.misfit = self.misfit or str(error)
            return
        figures = {name: getattr(cost, name) for name in COUNTED}
        self._figures.append(figures)
        if self.identified:
            self.networks[identify(parts, self.signature)] += 1
        kept = [limit for limit in self.limits if limit.allows(figures[limit.figure])]
        self.hits += len(kept) == len(self.limits)
        for limit in kept:
            self.hits_by_limit[str(limit)] += 1

    def share(self, hits: int, *, exact: bool = False) -> Share:
        return Share.of(hits, self.number, exact=exact)

    def quartiles(self) -> dict[str, Quartiles]:
        return {name: Quartiles.of(figures[name] for figures in self._figures) for name in COUNTED if self._figures}

    @property
    def repeated(self) -> Share:
        """Those that are the same network as another of them."""
        return self.share(sum(names for names in self.networks.values() if names > 1), exact=True)


class _Changes:
    """Changes one answer at a time, and sees whether the network changes."""

    def __init__(self, space: Space, signature: Signature) -> None:
        self.space = space
        self.signature = signature
        self.layers = 0
        """Of all architectures together."""
        self._number = 0
        self._repeated = 0
        self._tried: defaultdict[str, int] = defaultdict(int)
        self._idle: defaultdict[str, int] = defaultdict(int)

    def look(self, architecture: Architecture, rng: random.Random) -> None:
        own = self._network(architecture)
        if own is None or not any(domain.size > 1 for domain in self.space.domains(architecture).values()):
            return
        self._number += 1
        alike = False
        for _ in range(CHANGES):
            other = mutate(self.space, architecture, rng)
            choice = declared(differences(architecture, other)[0])
            self._tried[choice] += 1
            if self._network(other) == own:
                self._idle[choice] += 1
                alike = True
        self._repeated += alike

    def _network(self, architecture: Architecture) -> str | None:
        """Its id; None where a layer does not fit."""
        try:
            parts = plan(self.space, architecture, self.signature)
        except ModelError:
            return None
        self.layers += sum(1 for _ in steps(parts))
        return identify(parts, self.signature)

    @property
    def share(self) -> Share:
        """Of the architectures that could be changed, those that were the same network as one of their changes."""
        return Share.of(self._repeated, max(1, self._number))

    def idle(self) -> tuple[Idle, ...]:
        found = [
            Idle(choice=name, share=Share.of(hits, self._tried[name]), tried=self._tried[name])
            for name, hits in self._idle.items()
        ]
        return tuple(sorted(found, key=lambda idle: (-idle.share.value, idle.choice)))


def _why(space: Space, signature: Signature, rng: random.Random) -> str:
    """What does not fit in an architecture of a space of which none fits."""
    try:
        total(plan(space, space.sample(rng), signature))
    except ModelError as error:
        return str(error)
    return "a shape that none of the sampled ones has."
