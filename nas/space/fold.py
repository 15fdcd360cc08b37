"""Figures that add up along a walk, layer by layer; what layers are and cost is the fold's to know."""

from collections.abc import Hashable, Mapping
from typing import Any, Protocol

from nas.errors import ModelError
from nas.space.domain import Value
from nas.space.moments import BranchEnded, Event, Forked, Joined, Passed

Costs = tuple[float, ...]
"""One for each of a fold's figures."""


class Fold(Protocol):
    """What layers make of a state, such as a shape, and what they cost.

    A state is hashable, and equal states have the same ahead. Where a layer does not fit, ModelError is raised: architectures
    that have it there are left out.
    """

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the figures that are added up."""

    def begin(self) -> Hashable:
        """The state before the first layer."""

    def layer(self, state: Hashable, kind: str, options: Mapping[str, Value]) -> tuple[Hashable, Costs]:
        """The state after a layer, and what it costs."""

    def join(self, given: Hashable, ends: tuple[Hashable, ...], merge: str | None) -> Hashable:
        """The state after branches that were all given `given` and have come to `ends`; `merge` is None for a cell's edges."""

    def end(self, state: Hashable) -> None:
        """Check the state after the last layer; raises ModelError where an architecture cannot end in it."""

    def inert(self, kind: str, option: str) -> bool:
        """Whether an option of a kind of layer changes neither state nor costs: its values are not told apart then."""


Standing = tuple[int, "tuple[int, tuple[int, ...], object] | None"]
"""Where a fold stands: the number of its state, and for the innermost fork that is open what its branches are given, the ends of
those that are done, and the fork around it."""


class Folding:
    """Runs a fold along a walk; what a layer makes of a state is worked out once."""

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self.nothing: Costs = (0,) * len(fold.figures)
        self.states: dict[int, Hashable] = {}
        self._numbers: dict[Hashable, int] = {}
        self._layers: dict[tuple[Passed, int], tuple[int, Costs] | None] = {}
        self._joins: dict[tuple[int, tuple[int, ...], str | None], int | None] = {}
        self.begin: Standing = self._number(fold.begin()), None

    @property
    def memos(self) -> tuple[dict[Any, Any], ...]:
        """All that is remembered, each in the order in which it was found; what was found since some time may be taken out."""
        return self.states, self._numbers, self._layers, self._joins

    def past(self, events: tuple[Event, ...], standing: Standing) -> tuple[Standing, Costs] | None:
        """Where the fold stands after `events`, and what they cost; None where one does not fit."""
        costs = self.nothing
        for event in events:
            state, fork = standing
            if isinstance(event, Passed):
                made = self._layer(event, state)
                if made is None:
                    return None
                standing = made[0], fork
                costs = add(costs, made[1])
            elif isinstance(event, Forked):
                standing = state, (state, (), fork)
            else:
                assert fork is not None  # noqa: S101 - what ends has begun
                given, ends, outer = fork
                if isinstance(event, BranchEnded):
                    standing = given, (given, (*ends, state), outer)
                else:
                    joined = self._join(given, ends, event)
                    if joined is None:
                        return None
                    standing = joined, outer  # type: ignore[assignment]  # a fork; mypy knows no recursive tuples
        return standing, costs

    def ends(self, standing: Standing) -> bool:
        """Whether an architecture can end there."""
        try:
            self.fold.end(self.states[standing[0]])
        except ModelError:
            return False
        return True

    def _layer(self, layer: Passed, state: int) -> tuple[int, Costs] | None:
        key = layer, state
        if key not in self._layers:
            try:
                after, costs = self.fold.layer(self.states[state], layer.kind, layer.options)
                self._layers[key] = self._number(after), costs
            except ModelError:
                self._layers[key] = None
        return self._layers[key]

    def _join(self, given: int, ends: tuple[int, ...], joined: Joined) -> int | None:
        key = given, ends, joined.merge
        if key not in self._joins:
            try:
                after = self.fold.join(self.states[given], tuple(self.states[end] for end in ends), joined.merge)
                self._joins[key] = self._number(after)
            except ModelError:
                self._joins[key] = None
        return self._joins[key]

    def _number(self, state: Hashable) -> int:
        if state not in self._numbers:
            self._numbers[state] = len(self.states)
            self.states[len(self.states)] = state
        return self._numbers[state]


def add(one: Costs, other: Costs) -> Costs:
    """Figure by figure."""
    return tuple(map(sum, zip(one, other, strict=True)))
