"""Architecture + Signature → torch module."""

from collections import OrderedDict
from collections.abc import Iterator

import torch
from pydantic import ValidationError
from torch import nn

from nas.benchmark import Features, Image, Shape, Signature
from nas.errors import ModelError
from nas.models.layers.kind import LayerKind
from nas.models.vocabulary import describe, layer_kind
from nas.space import Architecture, LayerSpec, Space

_NOUNS = {Image: "an image", Features: "a vector of features"}


def build(space: Space, architecture: Architecture, signature: Signature, *, seed: int | None = None) -> nn.Sequential:
    """The network that `architecture` describes: an ordinary torch module, one child a layer, named after the layer's path.

    It takes a batch of `signature.input` and gives a batch of `signature.output` (logits). With `seed`, equal seeds give
    equal weights, and the global random state is left as it was.

    Raises:
        ModelError: a layer does not fit the shape it is given, or the last one does not give what is wanted.
        SpaceError: `architecture` is not one of `space`.
    """
    if seed is None:
        return nn.Sequential(_modules(space, architecture, signature))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # weights are drawn on the CPU; GPUs keep their state
        return nn.Sequential(_modules(space, architecture, signature))


def _modules(space: Space, architecture: Architecture, signature: Signature) -> OrderedDict[str, nn.Module]:
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    for spec, kind, given in _placed(space, architecture, signature):
        try:
            module = kind.build(given, signature.output)
        except ModelError as error:
            raise ModelError(f"{spec.path}: {error}") from None
        modules[spec.path.replace(".", "-")] = module  # a name of the space has no "-", so that no two become one
    return modules


def _placed(space: Space, architecture: Architecture, signature: Signature) -> Iterator[tuple[LayerSpec, LayerKind, Shape]]:
    """Each layer, what it is, and the shape it is given."""
    shape: Shape = signature.input
    path = "the input"
    for spec in space.blueprint(architecture):
        try:
            kind = layer_kind(spec.kind)(**spec.options)
        except ValidationError as error:
            raise ModelError(f"{spec.path}: {describe(error, spec.kind)}") from None
        if not isinstance(shape, kind.accepts):
            takes = " or ".join(_NOUNS[accepted] for accepted in kind.accepts)
            raise ModelError(f"{spec.path}: {spec.kind} takes {takes}, got {shape} from {path}; move or replace it.")
        yield spec, kind, shape
        shape = kind.output(shape, signature.output)
        path = spec.path
    if shape != signature.output:
        raise ModelError(f"{space.name} ends in {shape} from {path}, {signature.output} is wanted; end it in a `head`.")
