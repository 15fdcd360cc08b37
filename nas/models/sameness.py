"""Equal networks under different names: a digest of what a plan computes, up to its weights.

Layers that pass on what they are given are left out, options that make no difference stand at their defaults, silent branches are
left out of sums, sums of sums are one sum, and branches that are summed or multiplied have no order. What is equal by this is the
same network, in the weights that it shares too; networks may be the same for deeper reasons, and are then told apart.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from nas.benchmark import Signature
from nas.models.planning import Fork, Graph, Part, Step, plan
from nas.space import Architecture, Space

_Instances = frozenset[tuple[str, str]]
"""Layers with weights: the digest of what each gives, and its path."""


def network_id(space: Space, architecture: Architecture, signature: Signature) -> str:
    """Sixteen hexadecimal digits, equal for architectures, of one space or of several, that are the same network.

    Raises:
        ModelError: a layer does not fit the shape it is given.
        SpaceError: `architecture` is not one of `space`.
    """
    return identify(plan(space, architecture, signature), signature)


def identify(parts: Iterable[Part], signature: Signature) -> str:
    """The id of the network of a plan.

    It is made of what comes out and of the layers with weights that it is made of: a layer whose output goes two ways is one,
    two equal layers are two. Weights that nothing of what comes out is made of do not count.
    """
    begin = _Signal(_digest("input", str(signature.input), str(signature.output)), frozenset())
    end = _Network().sequence(parts, begin)
    return _digest(end.digest, *sorted(digest for digest, _ in end.made_of))


@dataclass(frozen=True)
class _Signal:
    """What stands between two layers."""

    digest: str
    """Equal for equal functions of the input, up to weights."""
    made_of: _Instances


_SILENCE = _Signal("zero", frozenset())


class _Network:
    """Works out what parts make of what they are given."""

    def __init__(self) -> None:
        self.terms: dict[str, tuple[str, ...]] = {}
        """What a digest is the sum of."""

    def sequence(self, parts: Iterable[Part], given: _Signal) -> _Signal:
        for part in parts:
            given = self.part(part, given)
        return given

    def part(self, part: Part, given: _Signal) -> _Signal:
        if isinstance(part, Fork):
            return self.fork(part, [self.sequence(branch, given) for branch in part.branches.values()])
        return self.step(part, given) if isinstance(part, Step) else self.graph(part, given)

    def step(self, step: Step, given: _Signal) -> _Signal:
        plain = step.placed.plain
        if plain is None:
            return given
        if plain.silent or (given is _SILENCE and plain.silent_of_silence):
            return _SILENCE
        kind = type(plain)
        # Defaults are left out, so that an option that a layer gains later changes no id.
        options = plain.model_dump_json(exclude_defaults=True)
        digest = _digest(kind.__module__, kind.__qualname__, options, str(step.placed.given), given.digest)
        return _Signal(digest, given.made_of | {(digest, step.path)} if step.placed.cost.params else given.made_of)

    def fork(self, fork: Fork, ends: list[_Signal]) -> _Signal:
        if fork.merge == "add":
            return self.sum(ends)
        if fork.merge == "multiply" and _SILENCE in ends:
            return _SILENCE
        digests = [end.digest for end in ends]
        return _Signal(_digest(fork.merge, *(sorted(digests) if fork.merge == "multiply" else digests)), _joined(ends))

    def graph(self, graph: Graph, given: _Signal) -> _Signal:
        nodes = [given]
        for end in range(1, graph.nodes):
            nodes.append(self.sum([self.sequence(graph.edges[start, end], nodes[start]) for start in range(end)]))
        return nodes[-1]

    def sum(self, ends: list[_Signal]) -> _Signal:
        heard = [end for end in ends if end is not _SILENCE]
        terms = sorted(term for end in heard for term in self.terms.get(end.digest, (end.digest,)))
        if not heard:
            return _SILENCE
        if len(terms) == 1:
            return heard[0]
        total = _digest("add", *terms)
        self.terms[total] = tuple(terms)
        return _Signal(total, _joined(heard))


def _joined(signals: Iterable[_Signal]) -> _Instances:
    return frozenset().union(*(signal.made_of for signal in signals))


def _digest(*words: str) -> str:
    return hashlib.blake2b("\0".join(words).encode(), digest_size=8).hexdigest()
