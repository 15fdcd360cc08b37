"""Equal networks under different names: a digest of what a plan computes, up to its weights.

Layers that pass on what they are given are left out, options that make no difference stand at their defaults, silent branches are
left out of sums, and branches that are summed or multiplied have no order. What is equal by this is the same network; networks
may be the same for deeper reasons and are then told apart.
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
    return _sequence(plan(space, architecture, signature), _digest("input", str(signature.input), str(signature.output)))


def _sequence(parts: Iterable[Part], given: str) -> str:
    """The digest of what `parts` make of what has the digest `given`."""
    for part in parts:
        given = _part(part, given)
    return given


def _part(part: Part, given: str) -> str:
    if isinstance(part, Step):
        plain = part.placed.plain
        if plain is None:
            return given
        if plain.silent:
            return _SILENCE
        kind = type(plain)
        return _digest(kind.__module__, kind.__qualname__, plain.model_dump_json(), str(part.placed.given), given)
    if isinstance(part, Fork):
        return _fork(part, [_sequence(branch, given) for branch in part.branches.values()])
    return _graph(part, given)


def _fork(part: Fork, ends: list[str]) -> str:
    if part.merge == "concatenate":
        return _digest(part.merge, *ends)
    if part.merge == "add":
        return _sum(ends)
    return _SILENCE if _SILENCE in ends else _digest(part.merge, *sorted(ends))


def _graph(part: Graph, given: str) -> str:
    nodes = [given]
    for end in range(1, part.nodes):
        nodes.append(_sum([_sequence(part.edges[start, end], nodes[start]) for start in range(end)]))
    return nodes[-1]


def _sum(ends: list[str]) -> str:
    heard = sorted(end for end in ends if end != _SILENCE)
    if len(heard) == 1:
        return heard[0]
    return _digest("add", *heard) if heard else _SILENCE


def _digest(*words: str) -> str:
    return hashlib.blake2b("\0".join(words).encode(), digest_size=8).hexdigest()
