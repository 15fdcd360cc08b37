"""What a layer's module is called, by the layer's path in the space."""

import keyword
from functools import cache

import torch
from torch import nn


def module_name(path: str) -> str:
    """The name of the module at `path`: its parts joined by "-", which no name of a space has, so that no two paths become one.

    A name that a module, a program of `torch.export` or Python has a use for (`type`, `code`, `if`) gets a "-" behind it: as an
    attribute of a module it would be refused, or hide what torch looks for.
    """
    name = path.replace(".", "-")
    return f"{name}-" if name in _taken() else name


@cache
def _taken() -> frozenset[str]:
    """Names that are no names for a part of a module."""
    program = torch.fx.GraphModule(nn.Module(), torch.fx.Graph())
    return frozenset(keyword.kwlist).union(*(dir(one) for one in (nn.Sequential(), nn.ModuleDict(), program)))
