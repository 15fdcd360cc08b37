"""The domain of one choice: a list of values, a range of integers, or a range of reals."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from numbers import Real as Number
from typing import Any

from nas.errors import SpaceError, quote

Value = str | int | float | bool | None
"""What an answer may be."""


@dataclass(frozen=True, init=False, eq=False)
class Categorical:
    """One of several values without an order."""

    values: tuple[Value, ...]

    def __init__(self, *values: Value) -> None:
        if not values:
            raise SpaceError("a choice needs at least one value, got an empty list.")
        values = tuple(_python(value) for value in values)
        seen: set[tuple[bool, Value]] = set()
        for value in values:
            if not (value is None or isinstance(value, str | int | float | bool)):
                raise SpaceError(f"a value must be text, a number, true, false or null, got {quote(value)}.")
            if isinstance(value, float) and not math.isfinite(value):
                raise SpaceError(f"a value must be finite, got {value}.")
            if _key(value) in seen:
                raise SpaceError(f"the value {quote(value)} stands twice; keep one of them.")
            seen.add(_key(value))
        object.__setattr__(self, "values", values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Categorical) and [*map(_key, self.values)] == [*map(_key, other.values)]

    def __hash__(self) -> int:
        return hash(self.values)

    @property
    def size(self) -> int:
        """How many answers there are."""
        return len(self.values)

    def __iter__(self) -> Iterator[Value]:
        return iter(self.values)

    @cached_property
    def _positions(self) -> dict[tuple[bool, Value], int]:
        return {_key(value): n for n, value in enumerate(self.values)}

    def position(self, answer: Any) -> int:
        """Where `answer`, a member, stands, from 0."""
        return self._positions[_key(answer)]

    def at(self, position: int) -> Value:
        """The member that stands there."""
        return self.values[position]

    def canonical(self, value: Any) -> Value:
        """The member equal to `value`: 3.0 and numpy's 3 become 3 where 3 is listed.

        Raises:
            SpaceError: `value` is not in the domain.
        """
        answer = _python(value)
        for member in self.values:
            if same_value(member, answer):
                return member
        raise _outside(self, value)

    def __str__(self) -> str:
        return "[" + ", ".join(_plain(value) for value in self.values) + "]"


@dataclass(frozen=True)
class Integer:
    """An integer from `low` to `high`, both included, in steps of `step`; `log` for ranges of magnitudes."""

    low: int
    high: int
    step: int = 1
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            bound = getattr(self, name)
            if not _is_integer(bound):
                raise SpaceError(f"an integer range's {name} must be an integer, got {quote(bound)}.")
            if abs(bound) > 2**53:
                raise SpaceError(f"an integer range's {name} must lie within ±2^53, got {quote(bound)}.")
        if self.low > self.high:
            raise SpaceError(f"a range must run from low to high, got [{self.low}, {self.high}].")
        if self.step < 1:
            raise SpaceError(f"a range's step must be at least 1, got {self.step}.")
        if (self.high - self.low) % self.step:
            nearest = self.high - (self.high - self.low) % self.step
            raise SpaceError(f"[{self.low}, {self.high}] cannot be cut in steps of {self.step}; end it at {nearest}.")
        if self.log and (self.low < 1 or self.step != 1):
            raise SpaceError(f"a log range must begin at 1 or above and have step 1, got low {self.low}, step {self.step}.")

    @property
    def size(self) -> int:
        """How many answers there are."""
        return (self.high - self.low) // self.step + 1

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.low, self.high + 1, self.step))

    def position(self, answer: Any) -> int:
        """Where `answer`, a member, stands, from 0."""
        return (int(answer) - self.low) // self.step

    def at(self, position: int) -> int:
        """The member that stands there."""
        return self.low + self.step * position

    def canonical(self, value: Any) -> int:
        """`value` as a plain int.

        Raises:
            SpaceError: `value` is not in the domain.
        """
        if _is_number(value) and value == int(value) and int(value) in range(self.low, self.high + 1, self.step):
            return int(value)
        raise _outside(self, value)

    def __str__(self) -> str:
        step = f" in steps of {self.step}" if self.step != 1 else ""
        return f"{self.low}..{self.high}{step}{' (log)' if self.log else ''}"


@dataclass(frozen=True)
class Real:
    """A real number from `low` to `high`, both included; `log` for ranges of magnitudes."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            bound = getattr(self, name)
            if not isinstance(bound, int | float) or not _is_number(bound):
                raise SpaceError(f"a real range's {name} must be a finite number, got {quote(bound)}.")
            object.__setattr__(self, name, _plus_zero(bound))
        if self.low >= self.high:
            raise SpaceError(f"a range must run from low to high, got [{self.low}, {self.high}].")
        if not math.isfinite(self.high - self.low):
            raise SpaceError(f"a real range's width must be finite, got [{self.low}, {self.high}].")
        if self.log and self.low <= 0:
            raise SpaceError(f"a log range must begin above 0, got {self.low}.")

    @property
    def size(self) -> float:
        """Infinite."""
        return math.inf

    def canonical(self, value: Any) -> float:
        """`value` as a plain float.

        Raises:
            SpaceError: `value` is not in the domain.
        """
        if _is_number(value) and self.low <= float(value) <= self.high:
            return _plus_zero(value)
        raise _outside(self, value)

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}{' (log)' if self.log else ''}"


Domain = Categorical | Integer | Real


def _key(value: Value) -> tuple[bool, Value]:
    """What tells values apart: True is not 1."""
    return isinstance(value, bool), value


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    """A number, Python's or numpy's, that a finite float can hold and that is not a boolean."""
    try:
        return isinstance(value, Number) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def _plus_zero(value: Any) -> float:
    """`value` as a plain float; -0.0 becomes 0.0, so that equal answers have one form."""
    return float(value) + 0.0


def _python(value: Any) -> Any:
    """A scalar of numpy's (or any array's single element without axes) as Python's own; anything else as it is."""
    try:
        return value.item() if getattr(value, "shape", None) == () else value
    except Exception:  # an answer may be any object
        return value


def same_value(a: object, b: object) -> bool:
    """Whether two answers are one: equal, but True is not 1."""
    try:
        return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)
    except Exception:  # an answer may be any object, and its comparison may raise anything
        return False


def _plain(value: Value) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return value if isinstance(value, str) and value.isprintable() else repr(value)


def _outside(domain: Domain, value: object) -> SpaceError:
    return SpaceError(f"must be in {domain}, got {quote(value)}.")
