"""What tests of layers share: a layer by its name, a batch for it, and weights of which none is at its beginning."""

from typing import Any

import torch
from torch import Tensor, nn

from nas.benchmark import Shape
from nas.models import LayerKind, layer_kind


def make(kind: str, /, **options: Any) -> LayerKind:
    return layer_kind(kind)(**options)


def batch(shape: Shape, number: int = 2) -> Tensor:
    return torch.randn(number, *shape.axes, generator=torch.Generator().manual_seed(1))


def shake(module: nn.Module) -> nn.Module:
    """Give every parameter a value other than it begins with, so that what is 0 or 1 at first is read too."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
    return module
