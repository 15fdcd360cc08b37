"""Repeats taken together: what the widths of all stages explain, where each stage chooses its own."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nas.effects.importance import Effect, interval


@dataclass(frozen=True, kw_only=True)
class Sum:
    """What the choices of one name in all repeats explain together."""

    pattern: str
    """With * for the numbers of repeats: `stage.*.width`."""
    figure: str
    importance: float
    """The share of the differences in rank between all trials, from 0 to 1."""
    low: float
    """Lower end of its 95 % interval, by the bootstrap."""
    high: float
    seen: bool
    """Whether one of the choices is seen to have an effect."""
    choices: tuple[str, ...]


def sums_of(effects: Iterable[Effect]) -> tuple[Sum, ...]:
    """The sums of the effects whose choices differ in the numbers of repeats alone, each of at least two; the greatest first."""
    groups: defaultdict[tuple[str, str], list[Effect]] = defaultdict(list)
    for effect in effects:
        groups[effect.figure, effect.pattern].append(effect)
    places = {figure: n for n, figure in enumerate(dict.fromkeys(figure for figure, _ in groups))}
    found = [_sum(pattern, own) for (_, pattern), own in groups.items() if len(own) > 1]
    return tuple(sorted(found, key=lambda one: (places[one.figure], not one.seen, -one.importance, -one.high, one.pattern)))


def total_of(effects: Sequence[Effect]) -> Sum:
    """The sum of all effects on one figure: what is left of 1 is noise, and what choices do in combination alone."""
    return _sum("*", effects)


def _sum(pattern: str, effects: Sequence[Effect]) -> Sum:
    import numpy as np

    return Sum(
        pattern=pattern,
        figure=effects[0].figure,
        **interval(np.sum([effect.draws for effect in effects], axis=0)),
        seen=any(effect.seen for effect in effects),
        choices=tuple(sorted(effect.choice for effect in effects)),
    )
