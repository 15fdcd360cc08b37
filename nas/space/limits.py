"""A limit: a figure, a comparison, a bound, as in "params <= 50e3"."""

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from nas.errors import SpaceError, quote

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
}
_FIGURE = re.compile(r"[a-z][a-z0-9_]*(?::[A-Za-z0-9_.-]+)?")
"""With the device that it was measured on, where it is named: latency_ms:raspi4."""

_PATTERN = re.compile(rf"\s*({_FIGURE.pattern})\s*(<=|>=|<|>)\s*([0-9.eE+_-]+)\s*")


@dataclass(frozen=True)
class Limit:
    """`figure comparison bound`; a candidate outside it is infeasible."""

    figure: str
    comparison: str
    bound: float

    def __post_init__(self) -> None:
        number = isinstance(self.bound, int | float) and not isinstance(self.bound, bool) and math.isfinite(self.bound)
        if not (isinstance(self.figure, str) and _FIGURE.fullmatch(self.figure) and self.comparison in _COMPARISONS and number):
            words = quote(f"{self.figure} {self.comparison} {self.bound}")
            raise SpaceError(f"a limit is a figure, one of {', '.join(_COMPARISONS)}, and a finite bound, got {words}.")
        object.__setattr__(self, "bound", float(self.bound))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The limit written in `text`.

        Raises:
            SpaceError: `text` is not of the form FIGURE COMPARISON BOUND.
        """
        match = _PATTERN.fullmatch(text) if isinstance(text, str) else None
        try:
            if match:
                return cls(match[1], match[2], float(match[3]))
        except ValueError:
            pass
        raise SpaceError(f"a limit reads like 'params <= 50e3', got {quote(text)}.")

    @property
    def from_above(self) -> bool:
        """Whether it keeps the figure small, not large."""
        return self.comparison in {"<=", "<"}

    def allows(self, value: float) -> bool:
        """Whether `value` lies within the limit."""
        return _COMPARISONS[self.comparison](value, self.bound)

    def excess(self, value: float) -> float:
        """How far `value` lies outside, as a share of the bound: at most 0 within the limit, above 0 outside."""
        if self.allows(value):
            return min(0.0, self._signed(value))
        return max(1e-12, self._signed(value))  # in this order NaN, which no limit allows, counts as outside too

    def _signed(self, value: float) -> float:
        distance = (value - self.bound) / (abs(self.bound) or 1.0)
        return distance if self.from_above else -distance

    def __str__(self) -> str:
        return f"{self.figure} {self.comparison} {str(self.bound).removesuffix('.0')}"


def broken_limits(figures: Mapping[str, float], limits: Iterable[Limit]) -> tuple[str, ...]:
    """The limits that `figures` lie outside of, each with the figure; a figure that is not known breaks none."""
    return tuple(
        f"{limit}, got {figures[limit.figure]:,.10g}"
        for limit in limits
        if limit.figure in figures and not limit.allows(figures[limit.figure])
    )
