"""A space: named choices in the order they are made, and the one walk that makes them."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from sys import intern
from typing import Any

from nas.benchmark import KINDS
from nas.documents import Document
from nas.errors import NasError, SpaceError, did_you_mean, quote
from nas.space.architecture import Architecture
from nas.space.domain import Categorical, Domain, Integer, Real, Value
from nas.space.limits import Limit
from nas.space.tree import (
    NAME,
    Broken,
    Cell,
    Layer,
    Node,
    OneOf,
    Option,
    Parallel,
    Ref,
    Repeat,
    as_option,
    check,
    inner,
    times_range,
)

MAX_LAYERS = 10_000
"""The most layers that one architecture of a space may have."""

Choose = Callable[[str, Domain], Any]
"""Asked for every choice that applies, by name and domain; returns a value of the domain."""


Place = tuple[str | int, ...]
"""Where something is declared, as keys and positions from the root of the declaration."""


@dataclass(frozen=True)
class LayerSpec:
    """One layer of one architecture: what to build, and where it stands."""

    path: str
    """The names on the way to it: `stage.0.block.1.kind.residual`."""
    kind: str
    options: Mapping[str, Value]
    place: Place = field(default=(), compare=False)


@dataclass(frozen=True)
class ParallelSpec:
    """Branches of one architecture side by side, and how their ends become one."""

    path: str
    merge: str
    branches: "Mapping[str, tuple[Spec, ...]]"
    place: Place = field(default=(), compare=False)


@dataclass(frozen=True)
class CellSpec:
    """One cell of one architecture: a graph of `nodes` nodes with a sequence on every edge."""

    path: str
    nodes: int
    edges: "Mapping[tuple[int, int], tuple[Spec, ...]]"
    """(from, to) → what that edge does."""
    place: Place = field(default=(), compare=False)


Spec = LayerSpec | ParallelSpec | CellSpec


@dataclass(frozen=True, kw_only=True)
class Space:
    """What may be built: pure data, versioned; no torch, no randomness.

    A shared choice (`choices`) is made when the first layer that reads it is reached, and is absent from architectures
    in which no layer reads it. Choices of a layer are made in the order they are written.
    """

    name: str
    version: int
    accepts: tuple[str, ...]
    """The kinds of input that it is for, of those in `nas.benchmark.KINDS`; one may be given as plain text."""
    layers: tuple[Node, ...]
    choices: Mapping[str, Domain | Value] = field(default_factory=dict)
    """Shared choices, by name."""
    limits: tuple[Limit, ...] = ()
    """What every architecture worth training keeps to; a search may add more."""
    summary: str = ""
    origin: Document | None = field(default=None, compare=False, repr=False)
    """The document it was read from, so that a complaint can name the line."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "choices", {key: as_option(value) for key, value in self.choices.items()})
        limits = tuple(Limit.parse(limit) if isinstance(limit, str) else limit for limit in self.limits)
        object.__setattr__(self, "limits", limits)
        if not isinstance(self.name, str) or not NAME.fullmatch(self.name):
            raise Broken(("name",), f"a space's name is lower-case letters, digits and _, got {quote(self.name)}.")
        if isinstance(self.version, bool) or not isinstance(self.version, int) or self.version < 1:
            raise Broken(("version",), f"a version is an integer of at least 1, got {quote(self.version)}.")
        if isinstance(self.accepts, str):
            object.__setattr__(self, "accepts", (self.accepts,))
        if not isinstance(self.accepts, list | tuple) or not self.accepts:
            raise Broken(("accepts",), f"must be one or several of {', '.join(KINDS)}, got {quote(self.accepts)}.")
        object.__setattr__(self, "accepts", tuple(self.accepts))
        for n, kind in enumerate(self.accepts):
            if kind not in KINDS or kind in self.accepts[:n]:
                why = f"the kind {quote(kind)} stands twice; keep one." if kind in KINDS else did_you_mean(str(kind), KINDS)
                raise Broken(("accepts",), why if kind in KINDS else f"no input is called {quote(kind)}. {why}")
        if not self.layers:
            raise Broken(("layers",), "a space needs at least one layer.")
        check(self.choices, self.layers)
        most = _most_layers(self.layers, self.choices)
        if most > MAX_LAYERS:
            raise Broken(("layers",), f"an architecture may have at most {MAX_LAYERS:,} layers, this space allows {most:,}.")

    def walk(self, choose: Choose) -> Architecture:
        """Ask `choose` for every choice that applies, in order; returns the answers.

        Raises:
            SpaceError: an answer is outside its domain.
        """
        walker = _Walker(choose)
        walker.walk(self)
        return Architecture(self.name, self.version, walker.answers)

    def blueprint(self, architecture: Architecture) -> tuple[Spec, ...]:
        """The layers of `architecture`, in order, and what else it is made of.

        Raises:
            SpaceError: `architecture` is not one of this space.
        """
        self._check_owner(architecture)
        walker = _Walker(_Replay(architecture.choices))
        specs = walker.walk(self)
        if len(walker.answers) < len(architecture.choices):
            self.architecture(architecture.choices)  # says which answer does not apply
        return specs

    def domains(self, architecture: Architecture) -> dict[str, Domain]:
        """The domain of every choice of `architecture`, in the order they are made."""
        self._check_owner(architecture)
        walker = _Walker(_Replay(architecture.choices))
        walker.walk(self)
        return walker.domains

    def architecture(self, choices: Mapping[str, Value]) -> Architecture:
        """The architecture whose answers are `choices`.

        Raises:
            SpaceError: an answer is missing, outside its domain, or to a choice that does not apply.
        """
        architecture = self.walk(_Replay(choices))
        for name in choices:
            if name not in architecture.choices:
                raise SpaceError(f"{quote(name)} does not apply in this architecture of {self.name!r}; leave it out.")
        return architecture

    def every_domain(self, most: int) -> dict[str, Domain]:
        """The domain of every choice that some architecture has, in the order in which a walk through all there is meets them.

        Raises:
            SpaceError: there are more than `most`.
        """
        walker = _Everywhere(self.name, most)
        walker.walk(self)
        return walker.domains

    def sample(self, rng: random.Random) -> Architecture:
        """An architecture whose every choice is drawn uniformly from its domain, by `rng`."""
        return self.walk(lambda _, domain: draw_uniformly(domain, rng))

    def error(self, place: tuple[str | int, ...], message: str) -> NasError:
        """`message` about what is declared at `place`, with file and line where they are known."""
        return self.origin.error(place, message) if self.origin else Broken(place, message)

    def _check_owner(self, architecture: Architecture) -> None:
        if (architecture.space, architecture.version) != (self.name, self.version):
            raise SpaceError(
                f"The architecture {architecture.id} is of {architecture.space!r} version {architecture.version}, "
                f"not of {self.name!r} version {self.version}."
            )


class _Replay:
    """Answers from a mapping."""

    def __init__(self, choices: Mapping[str, Value]) -> None:
        self.choices = choices

    def __call__(self, name: str, domain: Domain) -> Value:
        if name not in self.choices:
            raise SpaceError(f"{name} is not answered; it must be in {domain}.")
        return self.choices[name]


def draw_uniformly(domain: Domain, rng: random.Random) -> Value:
    """An answer drawn by `rng`, each as likely as any other."""
    if isinstance(domain, Categorical):
        return rng.choice(domain.values)
    if isinstance(domain, Integer):
        return domain.low + domain.step * rng.randrange(domain.size)
    return rng.uniform(domain.low, domain.high)


class _Scope:
    """Shared choices in sight of a layer, made when first read."""

    def __init__(self, prefix: str, choices: Mapping[str, Domain | Value], outer: "_Scope | None") -> None:
        self.prefix = prefix
        self.choices = choices
        self.outer = outer
        self.made: dict[str, Value] = {}

    def owner(self, name: str) -> "_Scope":
        scope = self
        while name not in scope.choices:
            assert scope.outer is not None, name  # noqa: S101 - the tree was checked when the space was made
            scope = scope.outer
        return scope


class _Walker:
    """One walk: asks, remembers answers and domains, and gathers what it reaches."""

    def __init__(self, choose: Choose) -> None:
        self.choose = choose
        self.answers: dict[str, Value] = {}
        self.domains: dict[str, Domain] = {}

    def walk(self, space: Space) -> tuple[Spec, ...]:
        return tuple(self.sequence(space.layers, "", ("layers",), _Scope("", space.choices, None)))

    def sequence(self, layers: Sequence[Node], prefix: str, place: Place, scope: _Scope) -> list[Spec]:
        specs: list[Spec] = []
        for n, node in enumerate(layers):
            here = (*place, n)
            if isinstance(node, Layer):
                specs.append(self.layer(node, f"{prefix}{node.name}", (*here, node.kind), scope))
            elif isinstance(node, Repeat):
                times = self.value(node.times, f"{prefix}{node.name}.times", scope)
                for turn in range(int(times)):  # type: ignore[arg-type]  # checked to be integers when the space was made
                    within = f"{prefix}{node.name}.{turn}."
                    specs += self.sequence(node.layers, within, (*here, "layers"), _Scope(within, node.choices, scope))
            elif isinstance(node, OneOf):
                specs += self.one_of(node, prefix, (*here, "options"), scope)
            elif isinstance(node, Parallel):
                specs.append(self.parallel(node, f"{prefix}{node.name}", here, scope))
            else:
                specs.append(self.cell(node, f"{prefix}{node.name}", here, scope))
        return specs

    def one_of(self, node: OneOf, prefix: str, place: Place, scope: _Scope) -> list[Spec]:
        name = f"{prefix}{node.name}"
        return self.alternative(node, str(self.value(node.decides, name, scope)), name, place, scope)

    def alternative(self, node: OneOf, picked: str, name: str, place: Place, scope: _Scope) -> list[Spec]:
        option = node.options[picked]
        if isinstance(option, Layer):
            return [self.layer(option, f"{name}.{picked}", (*place, picked), scope)]
        return self.sequence(option, f"{name}.{picked}.", (*place, picked), scope)

    def parallel(self, node: Parallel, path: str, place: Place, scope: _Scope) -> ParallelSpec:
        merge = str(self.value(node.merge, f"{path}.merge", scope))
        branches = {
            name: tuple(self.sequence(branch, f"{path}.{name}.", (*place, "branches", name), scope))
            for name, branch in node.branches.items()
        }
        return ParallelSpec(path, merge, branches, place)

    def cell(self, node: Cell, path: str, place: Place, scope: _Scope) -> CellSpec:
        edges = {ends: tuple(self.one_of(edge, f"{path}.", (*place, "operations"), scope)) for ends, edge in node.edges.items()}
        return CellSpec(path, node.nodes, edges, place)

    def layer(self, node: Layer, path: str, place: Place, scope: _Scope) -> LayerSpec:
        options = {key: self.value(option, f"{path}.{key}", scope) for key, option in node.options.items()}
        return LayerSpec(path, node.kind, options, place)

    def value(self, option: Option, name: str, scope: _Scope) -> Value:
        if isinstance(option, Ref):
            owner = scope.owner(option.name)
            if option.name not in owner.made:
                owner.made[option.name] = self.value(owner.choices[option.name], f"{owner.prefix}{option.name}", owner)
            return owner.made[option.name]
        if isinstance(option, Categorical | Integer | Real):
            return self.ask(name, option)
        return option

    def ask(self, name: str, domain: Domain) -> Value:
        given = self.choose(name, domain)
        try:
            answer = domain.canonical(given)
        except SpaceError as error:
            raise SpaceError(f"{name} {error}") from None
        name = intern(name)  # thousands of architectures have the same few
        self.answers[name] = answer
        self.domains[name] = domain
        return answer


class _Everywhere(_Walker):
    """A walk down all alternatives, one after the other, with each repeat as often as it can repeat."""

    def __init__(self, space: str, most: int) -> None:
        super().__init__(_largest)
        self.space = space
        self.most = most
        self.decided: dict[tuple[_Scope, str], object] = {}
        """The shared choices that have decided about where the walk is."""

    def one_of(self, node: OneOf, prefix: str, place: Place, scope: _Scope) -> list[Spec]:
        name = f"{prefix}{node.name}"
        if node.by is None:
            self.value(Categorical(*node.options), name, scope)
            for picked in node.options:
                self.alternative(node, picked, name, place, scope)
            return []
        decides = scope.owner(node.by.name)
        this, domain = (decides, node.by.name), decides.choices[node.by.name]
        self.value(node.by, name, scope)
        if this in self.decided:  # by an alternative that this one lies in
            self.alternative(node, str(self.decided[this]), name, place, scope)
            return []
        for value in domain if isinstance(domain, Categorical) else (domain,):
            self.decided[this] = value
            self.alternative(node, str(value), name, place, scope)
        del self.decided[this]
        return []

    def ask(self, name: str, domain: Domain) -> Value:
        if len(self.answers) == self.most:
            raise SpaceError(
                f"{self.space!r} has more than {self.most:,} choices that can apply; let fewer layers repeat, or share choices."
            )
        return super().ask(name, domain)


def _largest(_name: str, domain: Domain) -> Value:
    """The largest number of `domain`, so that what it may say the times of comes as often as it can."""
    if not isinstance(domain, Categorical):
        return domain.high
    return max((value for value in domain if isinstance(value, int) and not isinstance(value, bool)), default=domain.values[0])


def _most_layers(layers: Sequence[Node], scope: Mapping[str, Domain | Value]) -> int:
    """The most layers of one architecture; what holds others counts as one where these are none, for the step that it costs."""
    total = 0
    for node in layers:
        inside = [
            _most_layers(nodes, {**scope, **node.choices} if isinstance(node, Repeat) else scope) for _, nodes in inner(node)
        ]
        if isinstance(node, Layer):
            total += 1
        elif isinstance(node, Repeat):
            times = scope[node.times.name] if isinstance(node.times, Ref) else node.times
            total += max(1, max(times_range(times)) * inside[0])
        elif isinstance(node, Parallel):
            total += max(1, sum(inside))
        else:
            total += max(1, *inside) * (len(node.edges) if isinstance(node, Cell) else 1)
    return total
