"""The architectures that are another with narrower layers: as deep, of the same layers, each with as many outputs or fewer.

A choice narrows a network if a smaller answer leaves every tensor in its place, and makes some of them smaller in rows or columns
alone: a width, an expansion, the ratio of a feed-forward network; not a kernel's size, a stride, or how many heads there are.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

import torch

from nas.benchmark import Signature
from nas.errors import ModelError, SearchError, SpaceError
from nas.models import build, cost
from nas.space import Architecture, Space

Shapes = Mapping[str, tuple[int, ...]]


def narrower(space: Space, architecture: Architecture, signature: Signature, share: float) -> Architecture:
    """`architecture` with narrower layers: at most that share of its parameters, and as many of them as its choices allow.

    In turns the choice that is largest, as a share of what it was, is lowered by one, of equal ones that which saves most.

    Raises:
        SearchError: it has no such choice, or cannot be made so small.
    """
    whole = cost(space, architecture, signature).params
    most = share * whole
    narrowing = {name: values for name, values in _lower(space, architecture).items() if len(values) > 1}
    narrowing = {name: values for name, values in narrowing.items() if _narrows(space, architecture, name, values[-2], signature)}
    found, params = architecture, whole
    while params > most:
        steps = []
        for name, values in narrowing.items():
            at = values.index(found.choices[name])
            if at:
                try:
                    next_one = space.architecture({**found.choices, name: values[at - 1]})
                    steps.append((values[at] / values[-1], cost(space, next_one, signature).params, next_one))
                except (ModelError, SpaceError):
                    continue  # heads that no longer divide it
        if not steps:
            least = f"the narrowest has {params:,}" if narrowing else "none of its choices is a width"
            raise SearchError(
                f"{architecture.id} has {whole:,} parameters and cannot be made as small as {int(most):,}: "
                f"{least}; give a larger share."
            )
        widest = max(size for size, _, _ in steps)
        _, params, found = min((one for one in steps if one[0] == widest), key=lambda one: one[1])
    return found


def _lower(space: Space, architecture: Architecture) -> dict[str, list[Any]]:
    """Choice → its values up to the architecture's, which is the last; of numbers alone."""
    found = {}
    for name, domain in space.domains(architecture).items():
        value: Any = architecture.choices[name]
        values: list[Any] = list(domain) if hasattr(domain, "__iter__") else [value]
        if all(isinstance(one, int | float) and not isinstance(one, bool) and one > 0 for one in values):
            found[name] = sorted(one for one in values if one <= value)
    return found


def _narrows(space: Space, architecture: Architecture, name: str, value: Any, signature: Signature) -> bool:
    """Whether that answer makes the architecture narrower and nothing else."""
    try:
        other = space.architecture({**architecture.choices, name: value})
        before, after = shapes_of(space, architecture, signature), shapes_of(space, other, signature)
    except (ModelError, SpaceError):
        return False
    return before != after and is_narrower(before, after)


def is_narrower(before: Shapes, after: Shapes) -> bool:
    """Whether tensors of the same names are as large or smaller, in the first two axes alone."""
    return before.keys() == after.keys() and all(
        len(one) == len(after[name])
        and one[2:] == after[name][2:]
        and all(small <= large for small, large in zip(after[name], one, strict=True))
        for name, one in before.items()
    )


def shapes_of(space: Space, architecture: Architecture, signature: Signature) -> Shapes:
    """Of every weight and buffer."""
    with torch.device("meta"):
        network = build(space, architecture, signature)
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def elements(shapes: Shapes) -> int:
    """How many numbers tensors of these shapes hold."""
    return sum(map(prod, shapes.values()))
