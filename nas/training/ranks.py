"""Several processes that train one candidate together, each on its share of every batch (torchrun starts them).

They hold equal weights, since gradients are averaged over all of them, and act as one: what one decides, all do.
"""

import os
from dataclasses import dataclass

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Ranks:
    """This process among `size`; `rank` 0 speaks for all."""

    rank: int = 0
    size: int = 1

    @property
    def alone(self) -> bool:
        """Whether there is no other process."""
        return self.size == 1

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """`model`, its gradients averaged over all processes."""
        if self.alone:
            return model
        return DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None)

    def share(self, picked: Tensor) -> Tensor:
        """This process's part of a batch; parts differ by one example at most."""
        return picked if self.alone else picked.tensor_split(self.size)[self.rank]

    def total(self, value: Tensor) -> Tensor:
        """The sum of `value` over all processes."""
        if not self.alone:
            torch.distributed.all_reduce(value)
        return value

    def agreed(self, decision: bool, device: torch.device) -> bool:
        """What rank 0 has decided."""
        if self.alone:
            return decision
        held = torch.tensor(int(decision), device=device)
        torch.distributed.broadcast(held, src=0)
        return bool(held.item())


def ranks() -> Ranks:
    """The processes that torch.distributed knows of; one where it is not in use."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return Ranks(torch.distributed.get_rank(), torch.distributed.get_world_size())
    return Ranks()


def told() -> bool:
    """Whether torchrun has started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def shared(value: object) -> object:
    """What rank 0 has, for all: plain data, sent among processes that were started together."""
    held = [value]
    torch.distributed.broadcast_object_list(held, src=0)
    return held[0]
