"""Pairs of texts made of others: what stood in one place on both sides may stand where something like it stood.

    red heart → rotes Herz    blue heart → blaues Herz    red square → rotes Quadrat    gives    blue square → blaues Quadrat

So Andreas 2020 makes examples (*Good-Enough Compositional Data Augmentation*, arXiv:1904.09545, sec. 3): two fragments
that share an environment may share the others'. Most of what comes of it is of no use to people, and right in its parts.
"""

from collections.abc import Iterator, Sequence

import numpy as np

Pair = tuple[str, str]
"""A text and another: of a whole, of a fragment, or of what is around one."""

HOLE = "\0"
"""Where a fragment stood."""

SOURCE_WORDS, TARGET_WORDS = 2, 3
"""Of a fragment, at most."""

SHORTEST = 3
"""Letters of a part of a word, at least: targets may be compounds, of which one part is a fragment."""


MANY, SAME = 10, 0.3
"""Names are coined where so many fragments at least, and such a share of all, are the same on both sides."""


def recombined(pairs: Sequence[Pair], count: int, seed: int = 0) -> list[Pair]:
    """At most `count` pairs made of others and none of them, drawn without putting back, each by how much speaks for it."""
    made = weighed(pairs)
    if not made:
        return []
    found = sorted(made)
    shares = np.array([made[pair] for pair in found])
    random = np.random.RandomState(seed)
    return [found[n] for n in random.choice(len(found), min(count, len(found)), replace=False, p=shares / shares.sum())]


def weighed(pairs: Sequence[Pair]) -> dict[Pair, float]:
    """What can be made of `pairs`, and how much speaks for it.

    For a fragment in an environment speaks each environment that it shares with a fragment which stood there, the more the fewer
    stand in that one.
    """
    stood = _gathered(pairs)
    stood = {around: found for around, found in stood.items() if all(len(set(side)) > 1 for side in zip(*found, strict=True))}
    places: dict[Pair, list[Pair]] = {}
    for around, found in stood.items():
        for fragment in found:
            places.setdefault(fragment, []).append(around)
    whole = (HOLE, HOLE)
    known = set(pairs)
    made: dict[Pair, float] = {}
    for around, found in stood.items():
        if around == whole:
            continue
        speaks: dict[Pair, float] = {}
        for fragment in found:
            for other in places[fragment]:
                if other != around:
                    for new in stood[other]:
                        if new not in found:
                            speaks[new] = speaks.get(new, 0.0) + 1 / len(stood[other])
        for (source, target), weight in speaks.items():
            pair = around[0].replace(HOLE, source), around[1].replace(HOLE, target)
            if pair not in known:
                made[pair] = made.get(pair, 0.0) + weight * len(found) / (1 + len(found))
    return made


def coined(pairs: Sequence[Pair], count: int, seed: int = 0) -> list[Pair]:
    """At most `count` pairs with made-up names: where many names are the same on both sides, so is the beginning of one with the
    end of another; copying is learned of them (Currey et al. 2017, WMT, *Copied Monolingual Data*, by copies of whole texts).
    """
    names = []
    for around, found in _gathered(pairs).items():
        same = [source for source, target in found if source == target and len(source) > 1]
        if around != (HOLE, HOLE) and len(same) >= MANY and len(same) >= SAME * len(found):
            names += [(around, sorted(same))] * len(same)
    random, made = np.random.RandomState(seed), dict[Pair, None]()
    for _ in range(count if names else 0):
        around, same = names[random.randint(len(names))]
        begin, end = (same[random.randint(len(same))] for _ in range(2))
        name = begin[: random.randint(1, len(begin))] + end[random.randint(1, len(end)) :]
        made[around[0].replace(HOLE, name), around[1].replace(HOLE, name)] = None
    known = set(pairs)
    return [pair for pair in made if pair not in known]


def _gathered(pairs: Sequence[Pair]) -> dict[Pair, dict[Pair, None]]:
    """What stood in each environment, both in their order."""
    stood: dict[Pair, dict[Pair, None]] = {}
    for pair in pairs:
        for around, fragment in _cut(pair):
            stood.setdefault(around, {})[fragment] = None
    return stood


def _cut(pair: Pair) -> Iterator[tuple[Pair, Pair]]:
    """Each environment and the fragment that is cut out of it; a whole text is one of a whole text alone."""
    source, target = (text.split(" ") for text in pair)
    from_target = [*_cut_words(target, TARGET_WORDS), *_cut_compounds(target)]
    for source_around, source_fragment in _cut_words(source, SOURCE_WORDS):
        for target_around, target_fragment in from_target:
            if (source_around == HOLE) == (target_around == HOLE):
                yield (source_around, target_around), (source_fragment, target_fragment)


def _cut_words(words: Sequence[str], most: int) -> Iterator[Pair]:
    for begin in range(len(words)):
        for end in range(begin + 1, min(len(words), begin + most) + 1):
            yield " ".join([*words[:begin], HOLE, *words[end:]]), " ".join(words[begin:end])


def _cut_compounds(words: Sequence[str]) -> Iterator[Pair]:
    for place, word in enumerate(words):
        for cut in range(SHORTEST, len(word) - SHORTEST + 1):
            for hole, fragment in ((HOLE + word[cut:], word[:cut]), (word[:cut] + HOLE, word[cut:])):
                yield " ".join([*words[:place], hole, *words[place + 1 :]]), fragment
