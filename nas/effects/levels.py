"""Choices → levels: the values of a choice that were tried, or where these are many, stretches of its range."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.space import Architecture, Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_VALUES = 8
"""Numbers of a choice that are each a level; more are cut into stretches."""

STRETCHES = 5
"""That many numbers are cut into, of about as many trials each."""

MOST_WORDS = 100
"""Values that are no numbers; a choice of more is left out."""

MOST_LEVELS = 500
"""Of all choices together; those that are made in the fewest trials are left out."""

LARGEST = 1e300
"""Numbers beyond are words, as are those that are none."""

ABSENT = -1


@dataclass(frozen=True)
class Level:
    """A value of a choice, or a stretch of its range."""

    value: Value
    upto: float | None = None
    """The last of a stretch of numbers that begins with `value`; None for a value."""


@dataclass(frozen=True, kw_only=True)
class Factor:
    """A choice and the level that each of N trials has of it."""

    choice: str
    levels: tuple[Level, ...]
    codes_N: "NDArray[np.intp]"
    """Place among `levels`; ABSENT where the choice does not apply."""


def factors_of(architectures: Sequence[Architecture]) -> tuple[Factor, ...]:
    """Every choice of which several values were tried, in the order in which they are met."""
    names = dict.fromkeys(name for architecture in architectures for name in architecture.choices)
    found = [factor for factor in (_factor(name, architectures) for name in names) if 1 < len(factor.levels) <= MOST_WORDS]
    if sum(len(factor.levels) for factor in found) <= MOST_LEVELS:
        return tuple(found)
    kept, levels = set(), 0
    for factor in sorted(found, key=lambda factor: -int((factor.codes_N != ABSENT).sum())):
        levels += len(factor.levels)
        if levels > MOST_LEVELS:
            break
        kept.add(factor.choice)
    return tuple(factor for factor in found if factor.choice in kept)


def _factor(name: str, architectures: Sequence[Architecture]) -> Factor:
    import numpy as np

    places: dict[tuple[type, Value], int] = {}  # True is not 1
    codes: list[int] = []
    for architecture in architectures:
        if name in architecture.choices:
            value = architecture.choices[name]
            codes.append(places.setdefault((type(value), value), len(places)))
        else:
            codes.append(ABSENT)
    values = [value for _, value in places]
    codes_N = np.array(codes, dtype=np.intp)
    numbers = [value for value in values if _is_number(value)]
    if len(numbers) == len(values) > MOST_VALUES:
        return _stretched(name, np.array(numbers, dtype=np.float64), codes_N, whole=all(isinstance(n, int) for n in numbers))
    order = sorted(range(len(values)), key=lambda n: values[n] if len(numbers) == len(values) else str(values[n]))  # type: ignore[arg-type,return-value]
    rank = np.empty(len(values) + 1, dtype=np.intp)
    rank[order], rank[ABSENT] = np.arange(len(values)), ABSENT
    return Factor(choice=name, levels=tuple(Level(values[n]) for n in order), codes_N=rank[codes_N])


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def _stretched(name: str, numbers: "NDArray[np.float64]", codes_N: "NDArray[np.intp]", *, whole: bool) -> Factor:
    """Numbers in stretches of about as many trials each."""
    import numpy as np

    applies_N = codes_N != ABSENT
    values = numbers[codes_N[applies_N]]
    cuts = np.unique(np.quantile(values, np.linspace(0, 1, STRETCHES + 1)[1:-1]))
    found = np.searchsorted(cuts, values, side="right")
    used, found = np.unique(found, return_inverse=True)
    ends = [(values[found == n].min(), values[found == n].max()) for n in range(len(used))]
    levels = tuple(Level(int(low) if whole else float(low), float(high)) for low, high in ends)
    stretches_N = np.full(len(codes_N), ABSENT, dtype=np.intp)
    stretches_N[applies_N] = found
    return Factor(choice=name, levels=levels, codes_N=stretches_N)
