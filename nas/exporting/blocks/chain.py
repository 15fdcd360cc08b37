"""Named modules one after the other."""

from collections import OrderedDict
from collections.abc import Mapping

from torch import nn


class Chain(nn.Sequential):
    """Modules one after the other, by name."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__(OrderedDict(modules))
