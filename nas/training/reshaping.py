"""A built network with narrower layers than its architecture says: channels, hidden units and heads were cut out of it.

    network, name of a tensor → its shape   →   the same network, its tensors of those shapes, its modules told of it

What was cut is marked at the network, and a file of its weights says so itself (see `nas.training.weights`), so that whoever
reads it need not know how it came about. Numbers in the cut tensors are zeros until weights are given to it.
"""

from collections.abc import Mapping
from math import gcd

import torch
from torch import nn

from nas.errors import ModelError, quote
from nas.models.layers.attention import SelfAttention
from nas.training.grouping import group, groups_of, is_grouped

Shapes = Mapping[str, tuple[int, ...]]


def cut_of(model: nn.Module) -> Shapes:
    """The tensors of `model` that are smaller than its architecture says; none where nothing was cut."""
    return getattr(model, "cut_shapes", {})


def become(model: nn.Module, like: nn.Module) -> nn.Module:
    """`model`, as it was just built, with the normalisation and the shapes of `like`, which is of the same architecture."""
    if is_grouped(like):
        group(model)
    if cut_of(like):
        reshape(model, cut_of(like))
    return model


def reshape(model: nn.Module, shapes: Shapes) -> None:
    """Give the tensors of `model` that are called in `shapes` those shapes, none of them wider than before.

    Raises:
        ModelError: it has no such tensor, or one that is narrower; `model` is as it was.
    """
    own = model.state_dict()
    for name, shape in shapes.items():
        before = tuple(own[name].shape) if name in own else ()
        narrower = len(shape) == len(before) and all(0 < new <= old for new, old in zip(shape, before, strict=True))
        if not narrower:
            raise ModelError(f"{quote(name)} cannot be cut to {shape}, it is {before or 'not there'}; build another network.")
    heads = {name: module.qkv.out_features // (3 * module.heads) for name, module in _attentions(model)}
    for path, module in model.named_modules():
        prefix = f"{path}." if path else ""
        changed = False
        for tensors in (module._parameters, module._buffers):
            for name, value in tensors.items():
                wanted = shapes.get(f"{prefix}{name}")
                if value is not None and wanted is not None and tuple(wanted) != value.shape:
                    fresh = torch.zeros(wanted, dtype=value.dtype, device=value.device)
                    setattr(module, name, nn.Parameter(fresh, value.requires_grad) if tensors is module._parameters else fresh)
                    changed = True
        if changed:
            _tell(module)
    for name, module in _attentions(model):
        module.heads = module.qkv.out_features // (3 * heads[name])
    model.cut_shapes = {name: tuple(shape) for name, shape in shapes.items()}  # type: ignore[assignment]  # a plain attribute


def _attentions(model: nn.Module) -> list[tuple[str, SelfAttention]]:
    return [(name, module) for name, module in model.named_modules() if isinstance(module, SelfAttention)]


def _tell(module: nn.Module) -> None:
    """Have a module of torch's know the shapes of its tensors.

    Raises:
        ModelError: it is not known what such a module has to know.
    """
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.Conv1d | nn.Conv2d):
        alone = module.groups > 1  # a filter for each channel
        module.out_channels = module.weight.shape[0]
        module.in_channels = module.out_channels if alone else module.weight.shape[1]
        module.groups = module.out_channels if alone else 1
    elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        module.num_features = len(module.weight)
    elif isinstance(module, nn.GroupNorm):
        module.num_channels = len(module.weight)
        of_batches = getattr(module, "of_batches", False)
        module.num_groups = groups_of(len(module.weight)) if of_batches else gcd(module.num_groups, len(module.weight))
    elif isinstance(module, nn.LayerNorm | nn.RMSNorm):
        module.normalized_shape = tuple(module.weight.shape)
    elif isinstance(module, nn.Embedding):
        module.embedding_dim = module.weight.shape[1]
    elif isinstance(module, nn.RNNBase):
        rows, module.input_size = module.get_parameter("weight_ih_l0").shape
        module.hidden_size = rows // _GATES[module.mode]
        module.proj_size = len(module.get_parameter("weight_hr_l0")) if module.proj_size else 0
        if module.proj_size >= module.hidden_size:
            raise ModelError(f"An LSTM's projection is narrower than its {module.hidden_size} units, got {module.proj_size}.")
    elif type(module).__name__ not in _PLAIN:
        raise ModelError(f"It is not known how a {type(module).__name__} is cut.")


_GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "GRU": 3, "LSTM": 4}

_PLAIN = {"AddedPositions", "RelativeBias"}
"""Modules that read the shapes of their tensors when they are called."""
