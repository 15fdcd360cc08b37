"""The architectures that are another with narrower layers: as deep, of the same layers, each with as many outputs or fewer.

A choice narrows a network if a smaller answer leaves every tensor in its place, and makes some of them smaller in rows or columns
alone: a width, an expansion, the ratio of a feed-forward network; not a kernel's size, a stride, or how many heads there are.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from math import ceil
from typing import Any

import torch

from nas.benchmark import Signature
from nas.errors import ModelError, SearchError, SpaceError
from nas.models import build, cost
from nas.space import Architecture, Space

Shapes = Mapping[str, tuple[int, ...]]


def narrower(
    space: Space,
    architecture: Architecture,
    signature: Signature,
    share: float,
    fits: Callable[[Architecture], bool] = lambda _: True,
) -> Architecture:
    """`architecture` with narrower layers: at most that share of its parameters, and as many of them as its choices allow.

    In turns the choice that is largest, as a share of what it was, is lowered by one, of equal ones that which saves most.
    Choices of one value are lowered together where one alone would not do, as those of layers that a shortcut joins. What it
    comes by must fit, as `fits` says.

    Raises:
        SearchError: it has no such choice, or cannot be made so small.
    """
    whole = cost(space, architecture, signature).params
    most = share * whole
    before = shapes_of(space, architecture, signature)
    values = {name: some for name, some in _lower(space, architecture).items() if len(some) > 1}
    found, params, refused = architecture, whole, set[str]()
    while params > most:
        at_last = shapes_of(space, found, signature)
        for _, _, saved, other in sorted(_steps(space, architecture, found, values, signature), key=lambda step: step[:3]):
            if other.id in refused:
                continue
            shapes = shapes_of(space, other, signature)
            if shapes != at_last and is_narrower(before, shapes) and is_narrower(at_last, shapes) and fits(other):
                found, params = other, saved
                break
            refused.add(other.id)
        else:
            reason = "none of its choices is a width that can be lowered; take a method that keeps shapes, or another finalist."
            if found is not architecture:
                reason = f"the narrowest in its space has {params:,}; ask for a share of {ceil(100 * params / whole) / 100:.2f}."
            raise SearchError(
                f"{architecture.id} has {whole:,} parameters and cannot be made as small as {int(most):,}: {reason}"
            )
    return found


def _steps(
    space: Space, whole: Architecture, found: Architecture, values: Mapping[str, list[Any]], signature: Signature
) -> Iterator[tuple[float, int, int, Architecture]]:
    """What `found` may be next: minus how large the choice is as a share of what it was, how many are lowered, the parameters."""
    below = {name: some[: some.index(found.choices[name])] for name, some in values.items()}
    free = [name for name, some in below.items() if some]
    equal: dict[tuple[Any, Any], list[str]] = {}
    for name in free:
        equal.setdefault((found.choices[name], below[name][-1]), []).append(name)
    groups: list[tuple[str, ...]] = [(name,) for name in free]
    for names in equal.values():
        groups += combinations(names, 2)
        groups += [tuple(names)] if len(names) > 2 else []
    for group in groups:
        try:
            other = space.architecture({**found.choices, **{name: below[name][-1] for name in group}})
            params = cost(space, other, signature).params
        except (ModelError, SpaceError):  # heads that no longer divide it
            continue
        size: float = max(found.choices[name] / whole.choices[name] for name in group)  # type: ignore[operator]  # numbers
        yield -size, len(group), params, other


def _lower(space: Space, architecture: Architecture) -> dict[str, list[Any]]:
    """Choice → its values up to the architecture's, which is the last; of numbers alone."""
    found = {}
    for name, domain in space.domains(architecture).items():
        value: Any = architecture.choices[name]
        values: list[Any] = list(domain) if hasattr(domain, "__iter__") else [value]
        if all(isinstance(one, int | float) and not isinstance(one, bool) and one > 0 for one in values):
            found[name] = sorted(one for one in values if one <= value)
    return found


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
