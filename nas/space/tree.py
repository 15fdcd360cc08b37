"""The tree that declares a space: layers with options, repeats, alternatives, and references to shared choices.

    Option value  a constant · a domain (a choice) · a Ref (the answer to a shared choice)
    Layer         one layer: its kind, and its options
    Repeat        a sequence of layers, `times` over; its own shared choices are made anew each time
    OneOf         one of several layers or sequences
    Parallel      several sequences side by side, all given the same, whose ends are merged
    Cell          a small graph whose every edge is one of several sequences

Every node has a name, unique among its siblings; a choice is called by the names on the way to it:
`stage.0.block.1.kind.residual.kernel`.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nas.documents import dotted
from nas.errors import SpaceError, quote
from nas.space.domain import Categorical, Domain, Integer, Real, Value

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
RESERVED = ("repeat", "one_of", "parallel", "cell", "name")
"""Keys of a declaration that are no kinds of layer."""

MAX_TIMES = 1_000
"""The most often that one repeat may repeat."""

MERGES = ("add", "concatenate", "join", "multiply")
"""How the ends of parallel branches become one."""

MAX_CELL_NODES = 12
"""The most nodes of one cell, its input and its output among them."""


@dataclass(frozen=True)
class Ref:
    """The answer to a shared choice, by its name."""

    name: str

    def __str__(self) -> str:
        return f"${self.name}"


Option = Value | Domain | Ref


class Broken(SpaceError):
    """A broken rule and the path of the node that breaks it; a declaration adds the file and line."""

    def __init__(self, path: tuple[str | int, ...], rule: str) -> None:
        self.path = path
        self.rule = rule
        super().__init__(f"{dotted(path)}: {rule}" if path else rule)


@dataclass(frozen=True)
class Layer:
    """One layer: `kind` names it in the vocabulary, `options` say what it is like."""

    kind: str
    options: Mapping[str, Option] = field(default_factory=dict)
    name: str = ""
    """How choices call it; the kind unless given."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.kind)
        object.__setattr__(self, "options", {key: as_option(value) for key, value in self.options.items()})


@dataclass(frozen=True)
class Repeat:
    """`layers`, `times` over."""

    name: str
    times: Option
    layers: "tuple[Node, ...]"
    choices: Mapping[str, Domain | Value] = field(default_factory=dict)
    """Shared choices of one repetition."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", as_option(self.times))
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "choices", {key: as_option(value) for key, value in self.choices.items()})


@dataclass(frozen=True)
class OneOf:
    """One of `options`: a layer under the name of its kind, or a sequence under a name of its own."""

    name: str
    options: "Mapping[str, Layer | tuple[Node, ...]]"
    by: Ref | None = None
    """The shared choice that decides; None for a choice of its own."""

    def __post_init__(self) -> None:
        options = {key: value if isinstance(value, Layer) else tuple(value) for key, value in self.options.items()}
        object.__setattr__(self, "options", options)
        object.__setattr__(self, "by", as_option(self.by))

    @cached_property
    def decides(self) -> "Ref | Categorical":
        """What decides between the options; made once, as it is asked for in every walk."""
        return self.by if self.by is not None else Categorical(*self.options)


@dataclass(frozen=True)
class Parallel:
    """`branches` side by side, all given the same; an empty branch is the input itself.

    With an empty branch, `add` makes a residual connection (He et al. 2016, arXiv:1512.03385, eq. 1) and `concatenate`, over
    channels, a dense one (Huang et al. 2017, arXiv:1608.06993, eq. 2); `multiply` makes a gate; `join` puts sequences, or
    vectors as sequences of one position, end to end.
    """

    name: str
    branches: "Mapping[str, tuple[Node, ...]]"
    merge: Option = "add"
    """One of MERGES, or a choice of them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "branches", {key: tuple(nodes) for key, nodes in self.branches.items()})
        object.__setattr__(self, "merge", as_option(self.merge))


@dataclass(frozen=True)
class Cell:
    """A graph of `nodes` nodes: the first is the input, each later one the sum of what its edges make of all earlier ones.

    The last is the output. Each edge is one of `operations` (Dong & Yang 2020, arXiv:2001.00326, sec. 2.1), which keep the shape.
    """

    name: str
    nodes: int
    operations: "Mapping[str, Layer | tuple[Node, ...]]"
    by: Ref | None = None
    """`Ref("edge")`: the edge from node 0 to node 1 is decided by the shared choice `edge_0_1`, and so on, so that cells share
    their edges; None for a choice of each edge's own."""

    def __post_init__(self) -> None:
        operations = {key: value if isinstance(value, Layer) else tuple(value) for key, value in self.operations.items()}
        object.__setattr__(self, "operations", operations)
        object.__setattr__(self, "by", as_option(self.by))

    @cached_property
    def edges(self) -> "Mapping[tuple[int, int], OneOf]":
        """(from, to) → the alternatives of that edge, in the order in which they are decided."""
        found = {}
        for end in range(1, self.nodes):
            for start in range(end):
                by = Ref(f"{self.by.name}_{start}_{end}") if self.by is not None else None
                found[start, end] = OneOf(f"edge_{start}_{end}", self.operations, by)
        return found


Node = Layer | Repeat | OneOf | Parallel | Cell


def inner(node: Node) -> "Iterator[tuple[tuple[str | int, ...], tuple[Node, ...]]]":
    """The sequences inside of `node`, each with the way from the node to it in a declaration."""
    if isinstance(node, Repeat):
        yield ("layers",), node.layers
    elif isinstance(node, Parallel):
        yield from ((("branches", name), branch) for name, branch in node.branches.items())
    elif isinstance(node, OneOf | Cell):
        options, key = (node.options, "options") if isinstance(node, OneOf) else (node.operations, "operations")
        yield from (((key, name), (option,) if isinstance(option, Layer) else option) for name, option in options.items())


def declared(name: str) -> str:
    """The name of a choice with * for the turns of repeats: one for what is declared once."""
    return re.sub(r"(?<=\.)\d+(?=\.)", "*", name)


def as_option(value: Any) -> Any:
    """A list as a choice, "$name" as a reference, anything else as it is."""
    if isinstance(value, list | tuple):
        for item in value:
            if isinstance(item, str) and item.startswith("$") and NAME.fullmatch(item[1:]):
                raise SpaceError(f"a list holds plain values, got the reference {quote(item)}; write its values.")
        return Categorical(*value)
    if isinstance(value, str) and value.startswith("$"):
        return Ref(value[1:])
    return value


def times_range(domain: Domain | Value) -> Sequence[int]:
    """Every number of repetitions that `domain` can answer.

    Raises:
        SpaceError: one of them is no integer from 0 to MAX_TIMES.
    """
    values: Iterable[Any]
    if isinstance(domain, Integer):
        values = (domain.low, domain.high)
    elif isinstance(domain, Categorical):
        values = domain.values
    else:
        values = (domain,)
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_TIMES:
            raise SpaceError(f"times must be integers from 0 to {MAX_TIMES}, got {quote(_shown(value))}.")
    return list(domain) if isinstance(domain, Integer) else [*values]


def check(choices: Mapping[str, Domain | Value], layers: Sequence[Node]) -> None:
    """Check names and references of a whole tree.

    Raises:
        Broken: with the path of the first node that breaks a rule.
    """
    checker = _Checker(declared=_declared(choices, layers))
    checker.scope(choices, layers, (), outer={})


def _declared(choices: Mapping[str, Any], layers: Iterable[Node]) -> set[str]:
    """Names of all shared choices, wherever they stand."""
    names = set(choices)
    for node in layers:
        for _, nodes in inner(node):
            names |= _declared(node.choices if isinstance(node, Repeat) else {}, nodes)
    return names


Scope = Mapping[str, Domain | Value]
_Path = tuple[str | int, ...]


class _Checker:
    def __init__(self, declared: set[str]) -> None:
        self.declared = declared

    def scope(self, choices: Scope, layers: Sequence[Node], path: _Path, outer: Scope) -> set[str]:
        """Check one scope; returns the names of outer shared choices that it reads."""
        for name, domain in choices.items():
            place = (*path, "choices", name)
            self.name(name, place)
            if name in outer:
                raise Broken(place, f"the choice {name!r} is declared twice; give one of them another name.")
            if isinstance(domain, Ref):
                raise Broken(place, "a shared choice cannot be a reference; write its values.")
            self.value(domain, place)
        read = self.sequence(layers, (*path, "layers"), {**outer, **choices}, taken=set(choices))
        for name in choices:
            if name not in read:
                raise Broken((*path, "choices", name), f"nothing reads the choice {name!r}; use ${name} in a layer or delete it.")
        return read - set(choices)

    def sequence(self, layers: Sequence[Node], path: _Path, scope: Scope, taken: set[str]) -> set[str]:
        taken, read = set(taken), set()
        for n, node in enumerate(layers):
            place = (*path, n)
            if not isinstance(node, Node):
                raise Broken(place, f"a layer, a repeat, a one_of, a parallel or a cell must stand here, got {quote(node)}.")
            self.name(node.name, place)
            if node.name in taken:
                raise Broken(place, f"the name {node.name!r} stands twice here; give one of them a `name:` of its own.")
            taken.add(node.name)
            read |= self.node(node, place, scope)
        return read

    def node(self, node: Node, path: _Path, scope: Scope) -> set[str]:
        if isinstance(node, Layer):
            return self.layer(node, (*path, node.kind), scope)
        if isinstance(node, Repeat):
            return self.repeat(node, path, scope)
        if isinstance(node, Parallel):
            return self.parallel(node, path, scope)
        if isinstance(node, Cell):
            return self.cell(node, path, scope)
        return self.one_of(node, path, scope)

    def layer(self, node: Layer, path: _Path, scope: Scope) -> set[str]:
        if node.kind in RESERVED:
            raise Broken(path, f"no kind of layer can be called {node.kind!r}, which means something else in a declaration.")
        read = set()
        for key, option in node.options.items():
            place = (*path, key)
            if not isinstance(key, str) or not NAME.fullmatch(key):
                raise Broken(path, f"an option's name must be {_NAME_RULE}, got {quote(key)}.")
            if isinstance(option, Ref):
                self.domain(option, place, scope)
                read.add(option.name)
            else:
                self.value(option, place)
        return read

    def repeat(self, node: Repeat, path: _Path, scope: Scope) -> set[str]:
        place = (*path, "times")
        domain = self.domain(node.times, place, scope) if isinstance(node.times, Ref) else node.times
        if isinstance(domain, Real):
            raise Broken(place, f"times must be integers, got the real range {domain}.")
        try:
            times_range(domain)
        except SpaceError as error:
            raise Broken(place, str(error)) from None
        if not node.layers:
            raise Broken(path, f"the repeat {node.name!r} has no layers; give it some or delete it.")
        read = {node.times.name} if isinstance(node.times, Ref) else set()
        return read | self.scope(node.choices, node.layers, path, scope)

    def one_of(self, node: OneOf, path: _Path, scope: Scope) -> set[str]:
        if not node.options:
            raise Broken((*path, "options"), "a one_of needs at least one option.")
        read = self.decider(node.by, node.options, (*path, "by"), scope) if node.by is not None else set()
        return read | self.options(node.options, (*path, "options"), scope)

    def parallel(self, node: Parallel, path: _Path, scope: Scope) -> set[str]:
        place = (*path, "merge")
        domain = self.domain(node.merge, place, scope) if isinstance(node.merge, Ref) else node.merge
        for answer in _values(domain):
            if answer not in MERGES:
                raise Broken(place, f"branches are merged by {', '.join(MERGES)}, got {quote(_shown(answer))}.")
        if len(node.branches) < 2:
            raise Broken(
                (*path, "branches"),
                f"a parallel needs at least two branches, got {len(node.branches)}; an empty one (`skip: []`) is the input.",
            )
        read = {node.merge.name} if isinstance(node.merge, Ref) else set()
        for name, branch in node.branches.items():
            self.name(name, (*path, "branches", name))
            read |= self.sequence(branch, (*path, "branches", name), scope, taken=set())
        return read

    def cell(self, node: Cell, path: _Path, scope: Scope) -> set[str]:
        count = node.nodes
        if isinstance(count, bool) or not isinstance(count, int) or not 2 <= count <= MAX_CELL_NODES:
            raise Broken((*path, "nodes"), f"a cell has 2 to {MAX_CELL_NODES} nodes, got {quote(_shown(count))}.")
        if not node.operations:
            raise Broken((*path, "operations"), "a cell needs at least one operation.")
        read: set[str] = set()
        if node.by is not None:
            if not isinstance(node.by, Ref):
                raise Broken((*path, "by"), f"`by` must be a reference such as $edge, got {quote(node.by)}.")
            for edge in node.edges.values():
                assert edge.by is not None  # noqa: S101 - as the cell has one
                read |= self.decider(edge.by, node.operations, (*path, "by"), scope)
        return read | self.options(node.operations, (*path, "operations"), scope)

    def decider(self, by: Ref, options: Mapping[str, Any], path: _Path, scope: Scope) -> set[str]:
        """Check the shared choice that decides between `options`."""
        if not isinstance(by, Ref):
            raise Broken(path, f"`by` must be a reference such as $kind, got {quote(by)}.")
        for answer in _values(self.domain(by, path, scope)):
            if answer not in options:
                known = ", ".join(options)
                raise Broken(path, f"{by} can answer {quote(_shown(answer))}, which is no option here. Options: {known}.")
        return {by.name}

    def options(self, options: Mapping[str, Layer | tuple[Node, ...]], path: _Path, scope: Scope) -> set[str]:
        """Check alternatives; returns the shared choices that they read."""
        for name in options:
            self.name(name, (*path, name))
        read: set[str] = set()
        for name, option in options.items():
            place = (*path, name)
            if isinstance(option, Layer):
                if option.kind != name or option.name != name:
                    raise Broken(
                        place,
                        f"a single layer stands under its kind {option.kind!r}; put it in a list to call it {name!r}.",
                    )
                read |= self.layer(option, place, scope)
            else:
                read |= self.sequence(option, place, scope, taken=set())
        return read

    def domain(self, ref: Ref, path: _Path, scope: Scope) -> Domain | Value:
        if ref.name in scope:
            return scope[ref.name]
        if ref.name in self.declared:
            raise Broken(
                path,
                f"the choice {ref.name!r} is made inside another repeat; declare it in `choices` above this layer.",
            )
        known = ", ".join(f"${name}" for name in scope) or "none"
        raise Broken(path, f"no choice is called {ref.name!r} here. Shared choices: {known}.")

    def value(self, option: object, path: _Path) -> None:
        if not (option is None or isinstance(option, str | int | float | Categorical | Integer | Real)):
            raise Broken(path, f"must be a plain value, a list of choices, a range or $name, got {quote(option)}.")
        if isinstance(option, float) and not math.isfinite(option):
            raise Broken(path, f"must be finite, got {option}.")

    def name(self, name: object, path: _Path) -> None:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise Broken(path, f"a name must be {_NAME_RULE}, got {quote(name)}.")


def _values(domain: Domain | Value) -> Iterable[object]:
    """Every answer of a choice that decides; a range stands for itself, since none of its answers is a name."""
    return domain.values if isinstance(domain, Categorical) else (domain,)


_NAME_RULE = "lower-case letters, digits and _, beginning with a letter, at most 40"


def _shown(value: object) -> object:
    return str(value) if isinstance(value, Integer | Real | Categorical) else value
