"""Equal networks under different names: a digest of what a plan computes, up to its weights.

Layers that pass on what they are given are left out, options that make no difference stand at their defaults, silent branches are
left out of sums, sums of sums are one sum, and branches that are summed or multiplied have no order. What is equal by this is the
same network; networks may be the same for deeper reasons and are then told apart.
"""

import hashlib
from collections.abc import Iterable

from nas.benchmark import Signature
from nas.models.planning import Fork, Graph, Part, Step, plan
from nas.space import Architecture, Space

_SILENCE = "zero"


def network_id(space: Space, architecture: Architecture, signature: Signature) -> str:
    """Sixteen hexadecimal digits, equal for architectures, of one space or of several, that are the same network.

    Raises:
        ModelError: a layer does not fit the shape it is given.
        SpaceError: `architecture` is not one of `space`.
    """
    return identify(plan(space, architecture, signature), signature)


def identify(parts: Iterable[Part], signature: Signature) -> str:
    """The id of the network of a plan."""
    return _Network().sequence(parts, _digest("input", str(signature.input), str(signature.output)))


class _Network:
    """Works out what parts make of what they are given, as digests."""

    def __init__(self) -> None:
        self.terms: dict[str, tuple[str, ...]] = {}
        """What a digest is the sum of."""

    def sequence(self, parts: Iterable[Part], given: str) -> str:
        for part in parts:
            given = self.part(part, given)
        return given

    def part(self, part: Part, given: str) -> str:
        if isinstance(part, Fork):
            return self.fork(part, [self.sequence(branch, given) for branch in part.branches.values()])
        return self.step(part, given) if isinstance(part, Step) else self.graph(part, given)

    def step(self, step: Step, given: str) -> str:
        plain = step.placed.plain
        if plain is None:
            return given
        if plain.silent or (given == _SILENCE and plain.silent_of_silence):
            return _SILENCE
        kind = type(plain)
        # Defaults are left out, so that an option that a layer gains later changes no id.
        options = plain.model_dump_json(exclude_defaults=True)
        return _digest(kind.__module__, kind.__qualname__, options, str(step.placed.given), given)

    def fork(self, fork: Fork, ends: list[str]) -> str:
        if fork.merge == "concatenate":
            return _digest(fork.merge, *ends)
        if fork.merge == "add":
            return self.sum(ends)
        return _SILENCE if _SILENCE in ends else _digest(fork.merge, *sorted(ends))

    def graph(self, graph: Graph, given: str) -> str:
        nodes = [given]
        for end in range(1, graph.nodes):
            nodes.append(self.sum([self.sequence(graph.edges[start, end], nodes[start]) for start in range(end)]))
        return nodes[-1]

    def sum(self, ends: list[str]) -> str:
        terms = sorted(term for end in ends if end != _SILENCE for term in self.terms.get(end, (end,)))
        if len(terms) < 2:
            return terms[0] if terms else _SILENCE
        total = _digest("add", *terms)
        self.terms[total] = tuple(terms)
        return total


def _digest(*words: str) -> str:
    return hashlib.blake2b("\0".join(words).encode(), digest_size=8).hexdigest()
