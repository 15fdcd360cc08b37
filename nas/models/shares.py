"""What a sample says of a whole: a share with its interval, and the quartiles of a figure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share with its 95 % interval; both ends are the share itself where nothing was left out."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, hits: int, number: int, *, exact: bool = False) -> "Share":
        """`hits` of `number`, with the score interval (Wilson 1927, J. Am. Stat. Assoc. 22, p. 210), sound near 0 and 1 too."""
        value = hits / number
        if exact:
            return cls(value=value, low=value, high=value)
        z2 = 1.959964**2
        middle = (hits + z2 / 2) / (number + z2)
        spread = math.sqrt(z2) / (number + z2) * math.sqrt(hits * (number - hits) / number + z2 / 4)
        return cls(value=value, low=max(0.0, middle - spread), high=min(1.0, middle + spread))

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{100 * self.value:.3g} %"
        return f"{100 * self.value:.3g} % ({100 * self.low:.3g} to {100 * self.high:.3g})"


@dataclass(frozen=True, kw_only=True)
class Quartiles:
    """Of one figure over the architectures that were looked at; each is the figure of one of them."""

    smallest: float
    lower: float
    median: float
    upper: float
    largest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Quartiles":
        """Of `values`: the smallest that at least that share of them does not exceed."""
        ordered = sorted(values)
        lower, median, upper = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.25, 0.5, 0.75))
        return cls(smallest=ordered[0], lower=lower, median=median, upper=upper, largest=ordered[-1])
