"""How many architectures a space holds, exactly."""

import math
from decimal import Decimal

from nas.errors import SpaceError
from nas.space.counting import census
from nas.space.space import Space


def size(space: Space) -> int | float:
    """The number of architectures of `space`: different sets of answers, of which some may be equal networks.

    Infinite where an architecture can have a choice from a range of reals.

    Raises:
        SpaceError: so many shared choices decide about its layers that counting would not end in bounded time.
    """
    counted = census(space)
    return math.inf if counted.infinite else counted.total


def size_if_counted(space: Space) -> int | float | None:
    """The same, and None where it cannot be counted in bounded time; such a space can be searched all the same."""
    try:
        return size(space)
    except SpaceError:
        return None


def size_text(count: int | float | None) -> str:
    """A size for people: exact up to twelve digits, then its magnitude; None for one that cannot be counted."""
    if count is None:
        return "more than can be counted"
    if count == math.inf:
        return "infinitely many"
    return f"{count:,}" if count < 10**12 else f"{Decimal(count):.1e}".replace("e+", "e")
