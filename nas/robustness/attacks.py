"""Inputs near the given ones on which a network's loss is high: FGSM and PGD, in L∞ and L2.

    raw input → a random start within ε → step along the gradient → back into the ball, and into the valid range → …

Distances are of raw inputs, whatever the network is fed (see `Scale`). What an attack draws it is handed as `start`.

Axes: N examples, and whatever an example has.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from nas.measures import Attack
from nas.robustness.scale import Scale

Slope = Callable[[Tensor], Tensor]
"""Inputs → the gradient by them of the sum of their losses."""

TINY = 1e-12


def start_of(attack: Attack, inputs: Tensor, chance: torch.Generator | None = None) -> Tensor:
    """Where an attack on `inputs` starts, as what is added to them in the raw unit: in L∞ drawn evenly from the ball, in L2 in an
    evenly drawn direction by an evenly drawn share of ε. In many dimensions nearly all of a ball lies at its rim, from where an
    attack of few steps comes less far.

    `chance` lives on the CPU, as does what is drawn from it; without it torch's own generator of the inputs' device draws.
    """
    at = {"device": inputs.device} if chance is None else {"generator": chance}
    if attack.norm == "linf":
        drawn = torch.rand(inputs.shape, **at) * 2 - 1
    else:
        drawn = torch.randn(inputs.shape, **at)
        radius_N = torch.rand(len(inputs), **at)
        drawn = drawn / _lengths(drawn) * _along(radius_N, drawn)
    return (attack.eps * drawn).to(inputs.device)


def perturb(
    inputs: Tensor, slope: Slope, attack: Attack, scale: Scale, start: Tensor | None = None, step: float | None = None
) -> Tensor:
    """`inputs` moved by at most ε, so that the losses rise of which `slope` tells the gradient; `start` is where it begins.

    FGSM moves each number by ε against its sign, or all along the gradient, at once (Goodfellow et al. 2015, arXiv:1412.6572,
    sec. 4). PGD goes on from where it is and comes back into the ball after each step; the last point counts (Madry et al. 2018,
    arXiv:1706.06083, eq. 2). `step` is how far one goes, if not as `Attack.step` has it. With ε = 0 the inputs come back as they
    are.
    """
    if attack.eps == 0:
        return inputs
    inputs = inputs.detach()
    deviation = scale.deviations(inputs)
    raw = scale.raw(inputs)
    # A raw number that rounding puts outside of its range may stay where it is.
    room = (
        None if scale.low is None else (scale.low - raw).clamp(max=0),
        None if scale.high is None else (scale.high - raw).clamp(min=0),
    )
    moved = torch.zeros_like(inputs) if start is None else _within(start.to(inputs), attack, room)
    length = attack.step if step is None else step
    for _ in range(attack.steps):
        along = slope(inputs + moved / deviation).detach() / deviation
        if attack.norm == "linf":
            moved = moved + length * along.sign()
        else:
            moved = moved + length * along / _lengths(along)
        moved = _within(moved, attack, room)
    return inputs + moved / deviation


def _within(moved: Tensor, attack: Attack, room: tuple[Tensor | None, Tensor | None]) -> Tensor:
    """`moved` brought back into the ball of radius ε, and to where raw numbers can be."""
    if attack.norm == "linf":
        moved = moved.clamp(-attack.eps, attack.eps)
    else:
        moved = moved * (attack.eps / _lengths(moved)).clamp(max=1)
    low, high = room
    moved = moved if low is None else torch.maximum(moved, low)
    return moved if high is None else torch.minimum(moved, high)


def _lengths(moved: Tensor) -> Tensor:
    """Of each example, ready to divide by."""
    return _along(moved.flatten(1).norm(dim=1).clamp(min=TINY), moved)


def _along(values_N: Tensor, like: Tensor) -> Tensor:
    return values_N.view(-1, *[1] * (like.ndim - 1))
