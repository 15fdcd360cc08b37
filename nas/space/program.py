"""A space's tree as a program: what is asked, what is passed and what is decided, step after step.

    Ask         a choice is made, unless it is a shared one that is made already
    Emit        a layer is complete
    Pick        the steps of one of several blocks come next
    Loop        a block's steps come next, several times over
    Mark        parallel branches, or the edges of a cell, begin; one of them ends; all have ended

`compile_space` writes it once for each space; `nas.space.moments` runs it. Each place of a block knows the choices that are still
read from there on, and each choice which of its answers lead to different steps, so that a run can forget the rest.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nas.space.domain import Categorical, Domain, Integer, Real, Value
from nas.space.space import Space
from nas.space.tree import Cell, Layer, Node, OneOf, Option, Parallel, Ref, Repeat

Token = int | float
"""An answer: its position in its domain, or itself where the domain is real."""

Inert = Callable[[str, str], bool]
"""Says of a kind of layer and an option's name that the option's value does not matter."""


@dataclass(eq=False)
class Choice:
    """A choice of the tree; in a repeat, one for all turns."""

    domain: Domain
    own: bool
    """Belongs to one node, and is asked for whenever that is reached; otherwise it is shared, and made when first read."""
    read_by_layers: bool = False
    """Every answer makes a difference to some layer."""
    readers: list[tuple[object, ...]] = field(default_factory=list)
    """For each node that it decides: what each answer leads to."""

    @cached_property
    def decides(self) -> bool:
        """Whether two answers can make a difference to what is still to come."""
        return self.read_by_layers or len(set(self._first)) > 1

    @cached_property
    def groups(self) -> list[tuple[int, int]]:
        """The answers that lead to different steps: the position of the first such answer, and how many there are of its like.

        Of a domain whose every answer differs, or none, no position is listed twice; of a real one, 1 stands for infinitely many.
        """
        if not self.decides:
            return [(0, 1 if isinstance(self.domain, Real) else self.domain.size)]
        if self.read_by_layers:
            return [(n, 1) for n in range(int(self.domain.size))]
        return [(n, self._first.count(n)) for n in sorted(set(self._first))]

    @cached_property
    def _first(self) -> tuple[int, ...]:
        """For each position the first one that leads to the same everywhere."""
        rows = [*zip(*self.readers, strict=True)]
        seen: dict[tuple[object, ...], int] = {}
        return tuple(seen.setdefault(row, n) for n, row in enumerate(rows))

    def token(self, answer: Any) -> Token:
        """What is remembered of `answer`: equal for answers between which nothing tells apart."""
        return self.kin(self.position(answer))

    def kin(self, position: Token) -> Token:
        """The first position whose answer leads to the same steps as that at `position`."""
        if not self.decides:
            return 0
        return position if self.read_by_layers else self._first[int(position)]

    def position(self, answer: Any) -> Token:
        """Where `answer`, one of the domain's, stands in it; itself in a real one."""
        token: Token = answer if isinstance(self.domain, Real) else self.domain.position(answer)
        return token

    def answer(self, token: Token) -> Value:
        """The answer at a position."""
        return token if isinstance(self.domain, Real) else self.domain.at(int(token))


@dataclass(frozen=True)
class Ask:
    """`choice` is made here, unless it is shared and has been."""

    choice: Choice


@dataclass(frozen=True)
class Emit:
    """A layer is complete. Each option is a choice, or a value and its type, since True and 1 are equal but not the same."""

    kind: str
    options: tuple[tuple[str, Choice | tuple[type, Value]], ...]


@dataclass(frozen=True)
class Pick:
    """The answer to `by` picks one of `blocks`, in the order of its domain."""

    by: Choice
    blocks: "tuple[Block, ...]"


@dataclass(frozen=True)
class Loop:
    """`body` comes `times` over."""

    times: Choice | int
    body: "Block"


@dataclass(frozen=True)
class Mark:
    """A fork begins; one of its branches ends; all have ended and are merged."""

    what: str
    """"fork", "branch" or "join"."""
    merge: Choice | str | None = None
    """How a join makes one of the branches' ends; None where a cell ends."""


Step = Ask | Emit | Pick | Loop | Mark


class Block:
    """Steps in a row."""

    def __init__(self, steps: tuple[Step, ...], own: frozenset[Choice]) -> None:
        self.steps = steps
        self.own = own
        """Shared choices that are made anew whenever the block begins."""
        live: list[frozenset[Choice]] = [frozenset()]
        for step in reversed(steps):
            live.append(_live_before(step, live[-1]))
        self.live = live[::-1]
        """For each place, its end included: the choices that are read from there on."""

    @property
    def free(self) -> frozenset[Choice]:
        """The choices of enclosing blocks that it reads."""
        return self.live[0] - self.own


def _live_before(step: Step, after: frozenset[Choice]) -> frozenset[Choice]:
    if isinstance(step, Ask):
        return after - {step.choice} if step.choice.own else after | {step.choice}
    if isinstance(step, Emit):
        return after.union(value for _, value in step.options if isinstance(value, Choice))
    if isinstance(step, Pick):
        return after.union({step.by}, *(block.free for block in step.blocks))
    if isinstance(step, Loop):
        return after | step.body.free | ({step.times} if isinstance(step.times, Choice) else set())
    return after | {step.merge} if isinstance(step.merge, Choice) else after


Scope = Mapping[str, Choice | Value]


def compile_space(space: Space, inert: Inert | None = None) -> Block:
    """The program of `space`; without `inert` it passes no layers and no branches, and only asks."""
    compiler = _Compiler(inert)
    return compiler.block(compiler.sequence(space.layers, compiler.scope(space.choices)))


class _Compiler:
    """Equal blocks are one object, so that answers that lead to equal steps are known by it."""

    def __init__(self, inert: Inert | None) -> None:
        self.inert = inert
        self.blocks: dict[tuple[tuple[Step, ...], frozenset[Choice]], Block] = {}
        self.choices: dict[tuple[object, ...], Choice] = {}

    def scope(self, choices: Mapping[str, Domain | Value]) -> dict[str, Choice | Value]:
        return {name: Choice(domain, own=False) if _is_domain(domain) else domain for name, domain in choices.items()}  # type: ignore[arg-type,misc]

    def block(self, steps: Iterable[Step], own: Iterable[Choice] = ()) -> Block:
        key = tuple(steps), frozenset(own)
        if key not in self.blocks:
            self.blocks[key] = Block(*key)
        return self.blocks[key]

    def own(self, domain: Domain, *what: object) -> Choice:
        """A node's own choice; one for all nodes where `what` it is for is equal, which is safe as it is used up at once."""
        return self.choices.setdefault((repr(domain), *what), Choice(domain, own=True))

    def sequence(self, layers: Iterable[Node], scope: Scope) -> list[Step]:
        return [step for node in layers for step in self.node(node, scope)]

    def node(self, node: Node, scope: Scope) -> Iterator[Step]:
        if isinstance(node, Layer):
            return self.layer(node, scope)
        if isinstance(node, Repeat):
            return self.repeat(node, scope)
        if isinstance(node, OneOf):
            return self.one_of(node, scope)
        return self.parallel(node, scope) if isinstance(node, Parallel) else self.cell(node, scope)

    def layer(self, node: Layer, scope: Scope) -> Iterator[Step]:
        options: list[tuple[str, Choice | tuple[type, Value]]] = []
        for key, option in node.options.items():
            matters = self.inert is not None and not self.inert(node.kind, key)
            value = _resolve(option, scope)
            if _is_domain(value):
                value = self.own(value, key, matters) if self.inert else self.own(value)  # type: ignore[arg-type]
            if isinstance(value, Choice):
                yield Ask(value)
                value.read_by_layers |= matters
                options.append((key, value if matters else _tagged(first(value.domain))))
            else:
                options.append((key, _tagged(value)))  # type: ignore[arg-type]
        if self.inert:
            yield Emit(node.kind, tuple(options))

    def repeat(self, node: Repeat, scope: Scope) -> Iterator[Step]:
        made = self.scope(node.choices)
        steps = self.sequence(node.layers, {**scope, **made})
        body = self.block(steps, [choice for choice in made.values() if isinstance(choice, Choice)])
        times = _resolve(node.times, scope)
        if _is_domain(times):
            times = self.own(times, "times", body)  # type: ignore[arg-type]
        if isinstance(times, Choice):
            yield Ask(times)
            if steps:
                times.readers.append(tuple(times.domain))  # type: ignore[arg-type]  # integers: checked when the space was made
        if steps:
            yield Loop(times, body)  # type: ignore[arg-type]  # as above

    def one_of(self, node: OneOf, scope: Scope) -> Iterator[Step]:
        by = _resolve(node.by, scope) if node.by is not None else Categorical(*node.options)
        if not isinstance(by, Choice | Categorical):
            yield from self.sequence(_nodes(node.options[str(by)]), scope)
            return
        names = by.domain if isinstance(by, Choice) else by
        blocks = tuple(self.block(self.sequence(_nodes(node.options[str(name)]), scope)) for name in names)  # type: ignore[union-attr]
        if not isinstance(by, Choice):
            by = self.own(by, "pick", blocks)
        yield Ask(by)
        if len(set(blocks)) == 1:
            yield from blocks[0].steps
        else:
            by.readers.append(blocks)
            yield Pick(by, blocks)

    def parallel(self, node: Parallel, scope: Scope) -> Iterator[Step]:
        merge = _resolve(node.merge, scope)
        if _is_domain(merge):
            merge = Choice(merge, own=True)  # type: ignore[arg-type]  # of its own, as it is read after others like it were made
        if isinstance(merge, Choice):
            yield Ask(merge)
            merge.read_by_layers |= self.inert is not None
        yield from self.fork((self.sequence(branch, scope) for branch in node.branches.values()), merge)  # type: ignore[arg-type]

    def cell(self, node: Cell, scope: Scope) -> Iterator[Step]:
        yield from self.fork(([*self.one_of(edge, scope)] for edge in node.edges.values()), None)

    def fork(self, branches: Iterable[Sequence[Step]], merge: Choice | str | None) -> Iterator[Step]:
        marks = self.inert is not None
        if marks:
            yield Mark("fork")
        for branch in branches:
            yield from branch
            if marks:
                yield Mark("branch")
        if marks:
            yield Mark("join", merge)


def _resolve(option: Option, scope: Scope) -> Choice | Domain | Value:
    return scope[option.name] if isinstance(option, Ref) else option


def _is_domain(value: object) -> bool:
    return isinstance(value, Categorical | Integer | Real)


def _nodes(option: Layer | tuple[Node, ...]) -> tuple[Node, ...]:
    return (option,) if isinstance(option, Layer) else option


def first(domain: Domain) -> Value:
    """The answer that stands for all of `domain` where none makes a difference."""
    return domain.values[0] if isinstance(domain, Categorical) else domain.low


def _tagged(value: Value) -> tuple[type, Value]:
    return type(value), value
