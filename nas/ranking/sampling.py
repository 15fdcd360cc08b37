"""Which architectures of a search an audit trains again, and how many others each stands for.

    ranks of the search   1 2 3 | 4 …        … | …            … | …            … N
    who is taken          all     some of each third, by chance

The best are taken with certainty, since it is about them that a search is believed. Of each third of the order some are drawn
without replacement. Each architecture is drawn by a number that its id alone decides, the lowest first (permanent random numbers,
Ohlsson 1995), so that a larger sample holds the smaller one, and nobody can draw until the result pleases.

Pairs of architectures are weighed by the inverse of the probability that both are in the sample (Horvitz & Thompson 1952,
doi:10.1080/01621459.1952.10483446), without which a sample that is full of the best would tell how the best agree, not all.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[Any, np.dtype[np.float64]]

THIRDS = 3
"""Strata that are drawn from, however few are drawn of each, since a larger sample holds the smaller one only in equal strata."""

SURE = 4
"""One of so many is among the search's best, taken with certainty."""


@dataclass(frozen=True)
class Stratum:
    """Some ranks of a search, of which some architectures are in the sample."""

    members: tuple[str, ...]
    """Ids of the architectures, the best first."""
    drawn: tuple[str, ...]
    """Those of the sample, in the order in which chance drew them."""


def draw(ranked: Sequence[str], sample: int, sure: Collection[str] = (), key: str = "") -> tuple[Stratum, ...]:
    """A sample of about `sample` architectures of `ranked`, whose ids stand the best first.

    The first stratum is of those that are taken with certainty: the best of all, and whoever is in `sure`, for reasons that the
    search gives, never for what came of training again. `key` changes the draw.
    """
    best = len(ranked) if sample >= len(ranked) else max(1, sample // SURE)
    certain = tuple(one for place, one in enumerate(ranked) if place < best or one in sure)
    left = sample - best
    bounds = [round(len(ranked) * third / THIRDS) for third in range(THIRDS + 1)]
    taken = set(certain)
    parts = [tuple(one for one in ranked[bounds[n] : bounds[n + 1]] if one not in taken) for n in range(THIRDS)]
    sizes = _shares(left, [len(part) for part in parts])
    drawn = [_first(part, size, key) for part, size in zip(parts, sizes, strict=True)]
    return (Stratum(certain, certain), *(Stratum(part, some) for part, some in zip(parts, drawn, strict=True)))


def lots(members: Sequence[str], key: str) -> list[str]:
    """`members` in the order in which chance draws them."""
    return sorted(members, key=lambda one: blake2b(f"{key}/{one}".encode(), digest_size=8).digest())


def _first(part: Sequence[str], size: int, key: str) -> tuple[str, ...]:
    return tuple(lots(part, key)[:size])


def _shares(count: int, rooms: Sequence[int]) -> list[int]:
    """`count` shared out evenly, the first before the others, as far as there is room."""
    found = [0] * len(rooms)
    for _ in range(min(count, sum(rooms))):
        least = min((n for n in range(len(rooms)) if found[n] < rooms[n]), key=lambda n: found[n])
        found[least] += 1
    return found


def observed(strata: Sequence[Stratum], known: Collection[str]) -> tuple[Stratum, ...]:
    """The strata as far as they are `known`: one of which fewer than two are is taken together with its neighbour.

    That some are not known yet, or failed, is taken to have nothing to do with how they rank.
    """
    certain, *others = strata
    kept = [Stratum(tuple(one for one in certain.members if one in known), tuple(one for one in certain.drawn if one in known))]
    found: list[Stratum] = []
    for stratum in others:
        drawn = tuple(one for one in stratum.drawn if one in known)
        if found and (len(found[-1].drawn) < 2 or (len(drawn) < 2 and stratum is others[-1])):
            before = found.pop()
            found.append(Stratum(before.members + stratum.members, before.drawn + drawn))
        else:
            found.append(Stratum(stratum.members, drawn))
    return tuple(stratum for stratum in [*kept, *found] if stratum.drawn)


def places(strata: Sequence[Stratum]) -> Mapping[str, int]:
    """Id → the stratum it was drawn from, of those that were drawn."""
    return {one: n for n, stratum in enumerate(strata) for one in stratum.drawn}


def pair_weights(strata: Sequence[Stratum], sampled: Sequence[str]) -> "Floats":
    """(n, n): how many pairs of all architectures each pair of those `sampled` stands for; 0 on the diagonal.

    Of two strata, which are drawn from independently, it is the product of N/n; within one N(N-1) / n(n-1).
    """
    import numpy as np

    place = places(strata)
    at = np.array([place[one] for one in sampled], dtype=int)
    whole = np.array([len(stratum.members) for stratum in strata], dtype=float)
    drawn = np.array([len(stratum.drawn) for stratum in strata], dtype=float)
    single = (whole / drawn)[at]
    within = (whole * (whole - 1) / np.maximum(drawn * (drawn - 1), 1))[at]
    found: Floats = np.where(at[:, None] == at[None, :], within[:, None], single[:, None] * single[None, :])
    np.fill_diagonal(found, 0.0)
    return found
