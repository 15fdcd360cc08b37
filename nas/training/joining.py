"""The door for several processes: torchrun starts them, and here they become one group."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import torch
import torch.distributed
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from nas.training.ranks import Ranks

_JOINS = itertools.count()
"""Tells what the processes told each other the last time from what they tell now: the store lives as long as torchrun."""


@contextmanager
def joined(wait_minutes: float) -> Iterator[Ranks]:
    """The processes that torchrun started together, each of which waits at most so long for another.

    GPUs talk through NCCL, all else goes through gloo. When rank 0 leaves, the others have nothing more to do.
    """
    wait = timedelta(minutes=wait_minutes)
    join = next(_JOINS)
    store, rank, size = next(rendezvous("env://", timeout=wait))
    torch.distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
        store=PrefixStore(f"group{join}", store),
        rank=rank,
        world_size=size,
        timeout=wait,
    )
    words = PrefixStore(f"words{join}", store.clone())  # a connection of its own
    ranks = Ranks(rank, size, int(os.environ.get("LOCAL_RANK", rank)), words)
    try:
        yield ranks
    finally:
        if ranks.leads:
            with suppress(torch.distributed.DistError):
                ranks.order(None)
        torch.distributed.destroy_process_group()
