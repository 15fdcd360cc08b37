"""Architectures as vectors of one length, for models that predict from numbers."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from nas.space.architecture import Architecture
from nas.space.domain import Categorical, Domain, Integer, Real, Value
from nas.space.space import Space

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_CHOICES = 10_000
"""The most choices that a space may have to be encoded."""


class Encoding:
    """A vector of F numbers for every architecture of a space, and a mask of what applies.

    A choice from a list has a column for each value, 1 where it is the answer; a choice from a range has one column, the answer
    scaled to [0, 1], in its logarithm where the range is one of magnitudes. Columns of a choice that does not apply are 0 and
    masked out. Choices stand in the order in which a walk through all there is meets them, the same in every process.

    Raises:
        SpaceError: some architecture or other has more than MAX_CHOICES different ones.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.domains: Mapping[str, Domain] = space.every_domain(MAX_CHOICES)
        """Every choice that some architecture has."""
        self.columns: tuple[str, ...] = tuple(
            column
            for name, domain in self.domains.items()
            for column in ([f"{name}={value}" for value in domain] if isinstance(domain, Categorical) else [name])
        )
        """What each column says: `name=value` of a list, `name` of a range."""
        self._at: dict[str, slice] = {}
        at = 0
        for name, domain in self.domains.items():
            self._at[name] = slice(at, at + _width(domain))
            at += _width(domain)
        self._places = {name: (n, self._columns(name)) for n, name in enumerate(self.domains)}
        """Name → where the choice stands among all, and each answer's column where it is one of a list."""

    def encode(self, architecture: Architecture) -> "tuple[NDArray[np.float64], NDArray[np.bool_]]":
        """The vector of `architecture` and its mask, (F,) each; the mask is true in the columns of choices that apply.

        Raises:
            SpaceError: `architecture` is not one of the space.
        """
        import numpy as np

        values_F = np.zeros(len(self.columns))
        mask_F = np.zeros(len(self.columns), dtype=np.bool_)
        for name, domain in self.space.domains(architecture).items():
            answer, at = architecture.choices[name], self._at[name]
            mask_F[at] = True
            if isinstance(domain, Categorical):
                values_F[at.start + domain.position(answer)] = 1.0
            else:
                values_F[at] = scaled(domain, cast(float, answer))
        return values_F, mask_F

    def encode_all(self, architectures: "Sequence[Architecture]") -> "tuple[NDArray[np.float64], NDArray[np.bool_]]":
        """The vectors of several architectures and their masks, (N, F) each, at a fraction of the time: none is checked."""
        import numpy as np

        values_NF = np.zeros((len(architectures), len(self.columns)))
        mask_NC = np.zeros((len(architectures), len(self.domains)), dtype=np.bool_)
        ones, marks = [], []  # places in the flat arrays: one assignment of all is a third of the time of one for each
        for row, architecture in enumerate(architectures):
            across, down = row * len(self.columns), row * len(self.domains)
            for name, answer in architecture.choices.items():
                place, columns = self._places[name]
                marks.append(down + place)
                if columns is not None:
                    ones.append(across + columns[answer.__class__, answer])
                else:
                    domain = cast(Integer | Real, self.domains[name])
                    values_NF[row, self._at[name]] = scaled(domain, cast(float, answer))
        values_NF.flat[ones] = 1.0
        mask_NC.flat[marks] = True
        return values_NF, np.repeat(mask_NC, [_width(domain) for domain in self.domains.values()], axis=1)

    def decode(self, values_F: "Sequence[float] | NDArray[np.float64]") -> Architecture:
        """The architecture nearest to a vector: the value of the largest column of a list, the clipped value of a range.

        An encoded architecture comes back equal, but for reals, and integers in ranges of more than 10^12, which come back within
        a share of 10^-12 of the range, or of themselves where it is one of magnitudes.
        """
        return self.space.walk(partial(self._answer, values_F))

    def _columns(self, name: str) -> dict[tuple[type, Value], int] | None:
        domain, start = self.domains[name], self._at[name].start
        return {(type(value), value): start + n for n, value in enumerate(domain)} if isinstance(domain, Categorical) else None

    def _answer(self, values_F: Any, name: str, domain: Domain) -> Value:
        at = self._at[name]
        if isinstance(domain, Categorical):
            return domain.at(max(range(domain.size), key=lambda n: float(values_F[at.start + n])))
        return unscaled(domain, min(max(float(values_F[at.start]), 0.0), 1.0))


def _width(domain: Domain) -> int:
    return domain.size if isinstance(domain, Categorical) else 1


def scaled(domain: Integer | Real, answer: float) -> float:
    """How far `answer` is on its way from low, 0, to high, 1: the inverse of `unscaled`."""
    if domain.low == domain.high:
        return 0.0
    if domain.log:
        return (math.log(answer) - math.log(domain.low)) / (math.log(domain.high) - math.log(domain.low))
    return (answer - domain.low) / (domain.high - domain.low)


def unscaled(domain: Integer | Real, scaled: float) -> float:
    """The answer of a range at `scaled` of its way from low, 0, to high, 1; in logarithms where it is one of magnitudes."""
    if scaled in (0.0, 1.0):
        return domain.high if scaled else domain.low  # exactly
    if domain.log:
        answer = math.exp(math.log(domain.low) + scaled * (math.log(domain.high) - math.log(domain.low)))
    else:
        answer = float(domain.low + scaled * (domain.high - domain.low))
    if isinstance(domain, Integer):
        return domain.at(min(max(round((answer - domain.low) / domain.step), 0), domain.size - 1))
    return min(max(answer, domain.low), domain.high)
