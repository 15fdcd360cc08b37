"""How many architectures a space holds, exactly."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from nas.space.domain import Categorical, Domain, Integer, Real, Value
from nas.space.space import Space
from nas.space.tree import Cell, Layer, Node, OneOf, Option, Parallel, Ref, Repeat, inner

_MADE = object()
"""Stands for the answer to a shared choice whose value decides nothing about the tree."""

_State = frozenset[tuple[str, object]]
"""Shared choices made so far, with their answers where those decide about the tree."""

_Scope = Mapping[str, Domain | Value]
"""Shared choices in sight."""

_Counts = dict[_State, int]
"""State → in how many ways the layers so far lead to it."""


def size(space: Space) -> int | float:
    """The number of architectures of `space`: different sets of answers, of which some may be equal networks.

    Infinite where an architecture can have a choice from a range of reals.
    """
    counter = _Counter(set(_deciding(space.layers)))
    total = sum(counter.sequence(space.layers, {frozenset(): 1}, space.choices).values())
    return math.inf if counter.continuous else total


def size_text(count: int | float) -> str:
    """A size for people: exact up to twelve digits, then its magnitude."""
    if count == math.inf:
        return "infinitely many"
    return f"{count:,}" if count < 10**12 else f"{Decimal(count):.1e}".replace("e+", "e")


def _deciding(layers: Iterable[Node]) -> Iterable[str]:
    """Names of the shared choices from outside `layers` that decide how often they repeat or which of several stands."""
    for node in layers:
        if isinstance(node, Repeat):
            if isinstance(node.times, Ref):
                yield node.times.name
            yield from (name for name in _deciding(node.layers) if name not in node.choices)
        elif isinstance(node, Cell):
            yield from _deciding(node.edges.values())
        else:
            if isinstance(node, OneOf) and node.by is not None:
                yield node.by.name
            for _, nodes in inner(node):
                yield from _deciding(nodes)


def _nodes(option: Layer | tuple[Node, ...]) -> tuple[Node, ...]:
    return (option,) if isinstance(option, Layer) else option


class _Counter:
    def __init__(self, deciding: set[str]) -> None:
        self.deciding = deciding
        self.continuous = False

    def sequence(self, layers: Sequence[Node], counts: _Counts, scope: _Scope) -> _Counts:
        for node in layers:
            if isinstance(node, Layer):
                for option in node.options.values():
                    counts = self.option(option, counts, scope)
            elif isinstance(node, Repeat):
                counts = self.repeat(node, counts, scope)
            elif isinstance(node, OneOf):
                counts = self.one_of(node, counts, scope)
            elif isinstance(node, Parallel):
                counts = self.option(node.merge, counts, scope)
                for branch in node.branches.values():
                    counts = self.sequence(branch, counts, scope)
            else:
                counts = self.sequence((*node.edges.values(),), counts, scope)
        return counts

    def option(self, option: Option, counts: _Counts, scope: _Scope) -> _Counts:
        if isinstance(option, Ref):
            return self.make(option.name, counts, scope)
        ways = self.ways(option)
        return {state: count * ways for state, count in counts.items()}

    def make(self, name: str, counts: _Counts, scope: _Scope) -> _Counts:
        """Make the shared choice `name` in every state in which it is not made yet."""
        made: defaultdict[_State, int] = defaultdict(int)
        for state, count in counts.items():
            if any(known == name for known, _ in state):
                made[state] += count
            elif name in self.deciding:
                for answer in _answers(scope[name]):
                    made[state | {(name, answer)}] += count
            else:
                made[state | {(name, _MADE)}] += count * self.ways(scope[name])
        return dict(made)

    def repeat(self, node: Repeat, counts: _Counts, scope: _Scope) -> _Counts:
        """Counts down the turns: what repeats n times joins in when n are left, so that each turn is counted once."""
        parts = self.split(node.times, counts, scope)
        counts = {}
        for left in range(max(parts), -1, -1):  # type: ignore[type-var,arg-type]  # integers: checked when the space was made
            counts = _sum([counts, parts.get(left, {})])
            if left:
                counts = self.turn(node, counts, scope)
        return counts

    def turn(self, node: Repeat, counts: _Counts, scope: _Scope) -> _Counts:
        outer, self.deciding = self.deciding, self.deciding | set(_deciding(node.layers))
        ended: defaultdict[_State, int] = defaultdict(int)
        for state, count in self.sequence(node.layers, counts, {**scope, **node.choices}).items():
            ended[frozenset(pair for pair in state if pair[0] not in node.choices)] += count
        self.deciding = outer
        return dict(ended)

    def one_of(self, node: OneOf, counts: _Counts, scope: _Scope) -> _Counts:
        decides: Option = node.by if node.by is not None else Categorical(*node.options)
        parts = self.split(decides, counts, scope)
        return _sum(self.sequence(_nodes(node.options[str(answer)]), part, scope) for answer, part in parts.items())

    def split(self, option: Option, counts: _Counts, scope: _Scope) -> dict[Value, _Counts]:
        """`counts` by the answer of `option`."""
        if not isinstance(option, Ref):
            return dict.fromkeys(_answers(option), counts)
        parts: defaultdict[Value, _Counts] = defaultdict(dict)
        for state, count in self.make(option.name, counts, scope).items():
            parts[_made(state, option.name, scope)][state] = count
        return parts

    def ways(self, option: Domain | Value) -> int:
        if isinstance(option, Real):
            self.continuous = True
            return 1
        return option.size if isinstance(option, Categorical | Integer) else 1


def _sum(parts: Iterable[_Counts]) -> _Counts:
    total: defaultdict[_State, int] = defaultdict(int)
    for part in parts:
        for state, count in part.items():
            total[state] += count
    return dict(total)


def _made(state: _State, name: str, scope: _Scope) -> Value:
    """The answer to the deciding choice `name` in `state`."""
    return next((answer for known, answer in state if known == name), scope[name])  # type: ignore[return-value]


def _answers(option: Domain | Value) -> Iterable[Value]:
    return option if isinstance(option, Categorical | Integer) else (option,)  # type: ignore[return-value]
