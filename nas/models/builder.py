"""Architecture + Signature → torch module."""

from collections import OrderedDict

import torch
from torch import nn

from nas.benchmark import Image, Signature
from nas.errors import ModelError, quote
from nas.models.naming import module_name
from nas.models.planning import Fork, Part, Step, is_of_training, plan
from nas.models.wiring import Cell, Parallel
from nas.space import Architecture, Space


def build(space: Space, architecture: Architecture, signature: Signature, *, seed: int | None = None) -> nn.Sequential:
    """The network that `architecture` describes: an ordinary torch module, one child a layer, named after the layer's path.

    It takes a batch of `signature.input` and gives a batch of `signature.output` (logits). With `seed`, equal seeds give
    equal weights, and the global random state is left as it was.

    Raises:
        ModelError: a layer does not fit the shape it is given, or the last one does not give what is wanted.
        SpaceError: `architecture` is not one of `space`.
    """
    parts = plan(space, architecture, signature)
    if seed is None:
        return _sequential(parts)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # weights are drawn on the CPU; GPUs keep their state
        return _sequential(parts)


def _sequential(parts: tuple[Part, ...]) -> nn.Sequential:
    layers = (part for part in parts if not is_of_training(part))
    return nn.Sequential(OrderedDict((module_name(part.path), _module(part)) for part in layers))


def _module(part: Part) -> nn.Module:
    if isinstance(part, Step):
        try:
            module = part.placed.kind.build(part.placed.given, part.placed.wanted)
        except ModelError as error:
            raise ModelError(f"{part.path}: {error}") from None
        if not isinstance(module, nn.Module):
            raise ModelError(f"{part.path}: the layer must build a torch module, got {quote(module)}.")
        return module
    if isinstance(part, Fork):
        branches = {module_name(name): _sequential(branch) for name, branch in part.branches.items()}
        return Parallel(branches, part.merge, axis=1 if isinstance(part.gives, Image) else -1)
    return Cell(part.nodes, {ends: _sequential(inside) for ends, inside in part.edges.items()})
