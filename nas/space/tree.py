"""The tree that declares a space: layers with options, repeats, alternatives, and references to shared choices.

    Option value  a constant · a domain (a choice) · a Ref (the answer to a shared choice)
    Layer         one layer: its kind, and its options
    Repeat        a sequence of layers, `times` over; its own shared choices are made anew each time
    OneOf         one of several layers or sequences

Every node has a name, unique among its siblings; a choice is called by the names on the way to it:
`stage.0.block.1.kind.residual.kernel`.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nas.documents import dotted
from nas.errors import SpaceError, quote
from nas.space.domain import Categorical, Domain, Integer, Real, Value

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
RESERVED = ("repeat", "one_of", "name")
"""Keys of a declaration that are no kinds of layer."""

MAX_TIMES = 1_000
"""The most often that one repeat may repeat."""


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


Node = Layer | Repeat | OneOf


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
        if isinstance(node, Repeat):
            names |= _declared(node.choices, node.layers)
        elif isinstance(node, OneOf):
            for option in node.options.values():
                names |= _declared({}, (option,) if isinstance(option, Layer) else option)
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
            if not isinstance(node, Layer | Repeat | OneOf):
                raise Broken(place, f"a layer, a repeat or a one_of must stand here, got {quote(node)}.")
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
        for name in node.options:
            self.name(name, (*path, "options", name))
        read: set[str] = set()
        if node.by is not None:
            place = (*path, "by")
            if not isinstance(node.by, Ref):
                raise Broken(place, f"`by` must be a reference such as $kind, got {quote(node.by)}.")
            domain = self.domain(node.by, place, scope)
            answers = domain.values if isinstance(domain, Categorical) else (domain,)
            for answer in answers:
                if answer not in node.options:
                    known = ", ".join(node.options)
                    raise Broken(
                        place,
                        f"{node.by} can answer {quote(_shown(answer))}, which is no option here. Options: {known}.",
                    )
            read.add(node.by.name)
        for name, option in node.options.items():
            place = (*path, "options", name)
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


_NAME_RULE = "lower-case letters, digits and _, beginning with a letter, at most 40"


def _shown(value: object) -> object:
    return str(value) if isinstance(value, Integer | Real | Categorical) else value
