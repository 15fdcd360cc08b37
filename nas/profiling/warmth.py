"""A warm process: what its first candidate would pay for and no other does, done ahead.

Of the first candidate's processor time, 0.7 s where the tenth takes 0.2 s, most went to a search for garbage among all that torch
had imported; the rest to loading layer kinds and to first uses of torch.
"""

import gc
from functools import cache

import torch
from torch import nn

from nas.benchmark import Image
from nas.device import seeded
from nas.models import check_layers, count, example
from nas.profiling.flops import second_opinion
from nas.profiling.reference import reference
from nas.space import Space

_SHAPE = Image(channels=1, height=8, width=8)


def warm_process(space: Space, device: torch.device) -> None:
    """Make the first candidate of `space` on `device` no slower than the tenth; a second call does next to nothing.

    It loads the space's layer kinds, counts, traces, runs and trains a tiny network, times the reference network, and takes what
    the process holds by then out of later searches for garbage (`gc.freeze`); such objects are never collected.

    Raises:
        NasError: the space has a layer that does not exist, or uses one wrongly.
    """
    check_layers(space)
    _warm(device)


@cache
def _warm(device: torch.device) -> None:
    with seeded(0, device):
        count(_tiny, _SHAPE)
        network = _tiny()
    second_opinion(network, _SHAPE)
    _train(network.to(device), example(_SHAPE, device, batch_size=2))
    reference(device)
    gc.collect()
    gc.freeze()


def _tiny() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 4))


def _train(network: nn.Module, inputs: torch.Tensor) -> None:
    optimizer = torch.optim.AdamW(network.parameters())
    for _ in range(2):  # the optimiser's state exists from the second step on
        optimizer.zero_grad()
        network(inputs).square().mean().backward()
        optimizer.step()
