"""Architecture + Signature → a plan: every layer with the shapes that it is given and gives, before any is built.

From a plan the network is built (`builder`) and its cost is added up (`costing`). What a layer makes of a shape is worked out
once for all architectures that have that layer at that shape.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeVar

from pydantic import ValidationError

from nas.benchmark import Features, Image, Joined, Modalities, Query, Sequence, Shape, Signature, Tokens
from nas.errors import ModelError, NasError, quote
from nas.models.counting import count
from nas.models.layers.kind import Cost, LayerKind, TrainingKind, channels
from nas.models.vocabulary import describe, layer_kind
from nas.space import Architecture, CellSpec, LayerSpec, ParallelSpec, Space, Spec, Value

_T = TypeVar("_T")

_NOUNS: Mapping[type, str] = {
    Image: "an image",
    Sequence: "a sequence",
    Tokens: "tokens",
    Query: "a query",
    Features: "a vector of features",
    Modalities: "several modalities",
    Joined: "sequences end to end",
}


@dataclass(frozen=True)
class Placed:
    """A layer at a shape."""

    kind: LayerKind
    given: Shape
    gives: Shape
    wanted: Shape
    """What the whole network must end in."""

    @cached_property
    def cost(self) -> Cost:
        """By the layer's formula; where it has none, of the module, built on the meta device and counted."""
        return _asked(self.kind, self._cost)

    def _cost(self) -> Cost:
        reckoned = self.kind.cost(self.given, self.wanted)
        if reckoned is None:
            return count(lambda: self.kind.build(self.given, self.wanted), self.given)
        whole = isinstance(reckoned, Cost) and all(type(number) is int and number >= 0 for number in astuple(reckoned))
        if not whole:
            raise ModelError(f"{_owner(self.kind)} must give whole numbers of at least 0 as its `cost`, got {quote(reckoned)}.")
        return reckoned

    @cached_property
    def plain(self) -> LayerKind | None:
        """What it is without the options that make no difference; None where it passes on what it is given."""
        return _asked(self.kind, lambda: self.kind.plain(self.given, self.wanted))


@dataclass(frozen=True)
class Step:
    """One layer of a plan."""

    path: str
    placed: Placed

    @property
    def gives(self) -> Shape:
        """The shape after it."""
        return self.placed.gives


@dataclass(frozen=True)
class Fork:
    """Branches side by side, and what merges their ends."""

    path: str
    merge: str
    branches: "Mapping[str, tuple[Part, ...]]"
    gives: Shape


@dataclass(frozen=True)
class Graph:
    """A cell: node 0 is what it is given, each later node the sum of its edges, the last what it gives."""

    path: str
    nodes: int
    edges: "Mapping[tuple[int, int], tuple[Part, ...]]"
    gives: Shape


Part = Step | Fork | Graph


def plan(space: Space, architecture: Architecture, signature: Signature) -> tuple[Part, ...]:
    """The layers of `architecture` at the shapes that `signature` leads to.

    Raises:
        ModelError: a layer does not fit the shape it is given, or the last one does not give what is wanted.
        SpaceError: `architecture` is not one of `space`.
    """
    planner = _Planner(signature.output)
    parts, shape, path = planner.sequence(space.blueprint(architecture), signature.input, "the input")
    if not is_wanted(shape, signature.output):
        raise ModelError(f"{space.name} ends in {shape} from {path}, {signature.output} is wanted; end it in a `head`.")
    return parts


def is_wanted(shape: Shape, wanted: Shape) -> bool:
    """Whether a network that ends in `shape` gives what is `wanted`; sequences end to end are one sequence too."""
    return shape == wanted or (isinstance(shape, Joined) and _plain(shape) == wanted)


def is_of_training(part: Part) -> bool:
    """Whether it says how the network is trained, and is no part of it."""
    return isinstance(part, Step) and isinstance(part.placed.kind, TrainingKind)


def steps(parts: Iterable[Part]) -> Iterator[Step]:
    """Every layer of a plan, those of branches and edges too."""
    for part in parts:
        if isinstance(part, Step):
            yield part
        else:
            for inside in (part.branches if isinstance(part, Fork) else part.edges).values():
                yield from steps(inside)


class _Planner:
    def __init__(self, wanted: Shape) -> None:
        self.wanted = wanted
        self.kinds: dict[str, type[LayerKind]] = {}
        """What the vocabulary was asked for already."""

    def sequence(self, specs: tuple[Spec, ...], shape: Shape, path: str) -> tuple[tuple[Part, ...], Shape, str]:
        """The parts, the shape after them, and the path of what gives it."""
        parts: list[Part] = []
        for spec in specs:
            part = self.part(spec, shape, path)
            parts.append(part)
            shape, path = part.gives, part.path
        return tuple(parts), shape, path

    def part(self, spec: Spec, shape: Shape, path: str) -> Part:
        if isinstance(spec, LayerSpec):
            return Step(spec.path, self.placed(spec, shape, path))
        if isinstance(spec, ParallelSpec):
            branches = {name: self.sequence(branch, shape, path) for name, branch in spec.branches.items()}
            ends = {name: end for name, (_, end, _) in branches.items()}
            try:
                gives = merged(spec.merge, ends)
            except ModelError as error:
                raise ModelError(f"{spec.path}: {error}") from None
            return Fork(spec.path, spec.merge, {name: parts for name, (parts, _, _) in branches.items()}, gives)
        return self.cell(spec, shape, path)

    def placed(self, spec: LayerSpec, shape: Shape, path: str) -> Placed:
        try:
            if spec.kind not in self.kinds:
                self.kinds[spec.kind] = layer_kind(spec.kind)
            return _place(self.kinds[spec.kind], spec.kind, spec.options, shape, self.wanted, path)
        except ModelError as error:
            raise ModelError(f"{spec.path}: {error}") from error.__cause__

    def cell(self, spec: CellSpec, shape: Shape, path: str) -> Graph:
        edges = {}
        for ends, inside in spec.edges.items():
            parts, end, last = self.sequence(inside, shape, path)
            try:
                kept(shape, [end])
            except ModelError as error:
                raise ModelError(f"{last}: {error}") from None
            edges[ends] = parts
        return Graph(spec.path, spec.nodes, edges, _plain(shape))


def place(kind: str, options: Mapping[str, Value], given: Shape, wanted: Shape) -> Placed:
    """A layer of that kind at the shape `given`; worked out once.

    Raises:
        ModelError: an option is wrong, or the layer does not fit.
    """
    return _place(layer_kind(kind), kind, options, given, wanted, "what comes before")


def _place(owner: type[LayerKind], kind: str, options: Mapping[str, Value], given: Shape, wanted: Shape, path: str) -> Placed:
    key = tuple((name, type(value), value) for name, value in options.items())
    try:
        return _placed(owner, kind, key, given, wanted)
    except _Misfit as error:
        raise ModelError(f"{kind} takes {error}, got {given} from {path}; move or replace it.") from None


def kept(given: Shape, ends: Iterable[Shape]) -> Shape:
    """The shape of a cell that is given `given`, and whose edges end in `ends`.

    Raises:
        ModelError: one of them is another.
    """
    for end in ends:
        if _plain(end) != _plain(given):
            raise ModelError(f"an operation of a cell keeps the shape {given}, got {end}; give it stride 1 and as many channels.")
    return _plain(given)


class _Misfit(Exception):
    """A layer is given a shape of a kind that it does not take; the message says which it takes."""


@lru_cache(maxsize=65_536)
def _placed(
    owner: type[LayerKind], name: str, options: tuple[tuple[str, type, Value], ...], given: Shape, wanted: Shape
) -> Placed:
    """`options` hold the type beside the value, since True and 1 are equal but not the same option."""
    try:
        kind = owner(**{key: value for key, _, value in options})
    except ValidationError as error:
        raise ModelError(describe(error, name)) from None
    if not isinstance(given, kind.accepts):
        raise _Misfit(" or ".join(_noun(accepted) for accepted in kind.accepts))
    gives = _asked(kind, lambda: kind.output(given, wanted))
    if not isinstance(gives, Shape):
        raise ModelError(f"{_owner(kind)} must give a shape as its `output`, got {quote(gives)}.")
    return Placed(kind, given, gives, wanted)


def _asked(kind: LayerKind, question: Callable[[], _T]) -> _T:
    """What a layer answers; it may be of another team's, and raise anything.

    Raises:
        ModelError: it raised; names the layer and what it said.
    """
    try:
        return question()
    except NasError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{_owner(kind)} raised {type(error).__name__}: {reason}") from error


def _owner(kind: LayerKind) -> str:
    """Whose it is: the place that it is imported from."""
    return f"{type(kind).__module__}:{type(kind).__qualname__}"


def _noun(shape: type) -> str:
    return _NOUNS.get(shape, f"a {shape.__name__.lower()}")


def _plain(shape: Shape) -> Shape:
    """A waveform as the sequence that it is: what comes out of a sum is no recording."""
    return Sequence(shape.length, shape.channels) if isinstance(shape, Sequence) else shape


def merged(merge: str, ends: Mapping[str, Shape]) -> Shape:
    """What becomes of the ends of branches, by their names.

    Raises:
        ModelError: they do not fit.
    """
    shapes = [_plain(shape) for shape in ends.values()]
    seen = ", ".join(f"{shape} from {name!r}" for name, shape in ends.items())
    first = shapes[0]
    if isinstance(first, Tokens):
        raise ModelError("tokens cannot be merged; put an `embedding` before it.")
    if isinstance(first, Modalities):
        raise ModelError("modalities cannot be merged as they come; begin each branch with a `modality`.")
    if isinstance(first, Query):
        raise ModelError("queries cannot be merged; end each branch in a layer that scores.")
    if merge == "join":
        return _joined(shapes, seen)
    kinds = {(type(shape), *_but_channels(shape)) for shape in shapes}
    if merge != "concatenate":
        if any(shape != first for shape in shapes):
            mend = "give each the same strides" if len(kinds) > 1 else "end each in as many channels"
            raise ModelError(f"branches that are merged by {merge} end in one shape, got {seen}; {mend}.")
        return first
    if len(kinds) > 1:
        raise ModelError(f"branches that are concatenated differ in channels alone, got {seen}; give each the same strides.")
    return _with_channels(first, sum(map(channels, shapes)))


def _joined(shapes: list[Shape], seen: str) -> Joined:
    """Sequences end to end, vectors as sequences of one position."""
    lengths = tuple(shape.length if isinstance(shape, Sequence) else 1 for shape in shapes)
    fit = all(isinstance(shape, Sequence | Features) for shape in shapes)
    if not fit or len({channels(shape) for shape in shapes}) > 1:
        raise ModelError(f"branches that are joined end in sequences or vectors of as many channels each, got {seen}.")
    return Joined(sum(lengths), channels(shapes[0]), lengths)


def _but_channels(shape: Shape) -> tuple[Any, ...]:
    if isinstance(shape, Image):
        return (shape.height, shape.width)
    return (shape.length,) if isinstance(shape, Sequence) else ()


def _with_channels(shape: Shape, number: int) -> Shape:
    if isinstance(shape, Image):
        return Image(number, shape.height, shape.width)
    return Sequence(shape.length, number) if isinstance(shape, Sequence) else Features(number)
