"""Modules that join others: branches side by side, and cells."""

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Parallel(nn.Module):
    """Branches that are all given the same, merged by `add`, `concatenate` (over channels, `axis`), `join` or `multiply`."""

    def __init__(self, branches: Mapping[str, nn.Module], merge: str, axis: int) -> None:
        super().__init__()
        self.branches = nn.ModuleDict(branches)
        self.merge = merge
        self.axis = axis

    def forward(self, inputs: Tensor) -> Tensor:
        """What the branches make of `inputs`, merged."""
        ends = [branch(inputs) for branch in self.branches.values()]
        if self.merge == "concatenate":
            return torch.cat(ends, dim=self.axis)
        if self.merge == "join":  # a vector is a sequence of one position
            return torch.cat([end if end.ndim == 3 else end.unsqueeze(1) for end in ends], dim=1)
        merged: Tensor = ends[0]
        for end in ends[1:]:
            merged = merged + end if self.merge == "add" else merged * end
        return merged

    def extra_repr(self) -> str:
        """How branches are merged."""
        return f"merge={self.merge}"


class Cell(nn.Module):
    """A graph: node 0 is the input, each later node the sum of what its edges make of all earlier ones, the last the output."""

    def __init__(self, nodes: int, edges: Mapping[tuple[int, int], nn.Module]) -> None:
        super().__init__()
        self.nodes = nodes
        self.edges = nn.ModuleDict(OrderedDict((f"{start}_{end}", module) for (start, end), module in edges.items()))

    def forward(self, inputs: Tensor) -> Tensor:
        """The last node."""
        values = [inputs]
        for end in range(1, self.nodes):
            value: Tensor = self.edges[f"0_{end}"](values[0])
            for start in range(1, end):
                value = value + self.edges[f"{start}_{end}"](values[start])
            values.append(value)
        return values[-1]
