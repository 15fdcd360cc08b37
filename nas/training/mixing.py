"""Examples mixed with others of their batch, and their targets with them: mixup and cutmix, on the device, a batch at a time.

Axes: N examples, C channels, H height, W width, L positions, F numbers, K classes.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nas.benchmark import Recipe
from nas.chance import rand, randint
from nas.errors import BenchmarkError


def mix(inputs: Tensor, targets: Tensor, classes: int, recipe: Recipe, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The batch with each example mixed with the one before it, and what is then wanted of each.

    Targets (N,) become shares of `classes`, (N, K); numbers (N, F) are mixed themselves. Mixup takes `share` of an example and
    1 − `share` of the other (Zhang et al. 2018, arXiv:1710.09412, eq. 1). Cutmix puts a rectangle of the other picture, or a
    span of the other sequence, in the example's place; `share` is what is left of the example (Yun et al. 2019,
    arXiv:1905.04899, eqs. 1 and 2). One share, and one rectangle, is drawn for a batch. Where the recipe asks for both, each
    batch is mixed by one of the two, with equal chance; where it asks for neither, the batch is returned as it is.
    `generator` lives on the CPU.

    Raises:
        BenchmarkError: the examples cannot be mixed: their inputs are tokens, or their targets lie along a sequence.
    """
    if not recipe.mixup and not recipe.cutmix:
        return inputs, targets
    cutting = bool(recipe.cutmix) and (not recipe.mixup or rand((), generator, axis=None).item() < 0.5)
    if not inputs.is_floating_point() or (cutting and inputs.ndim < 3) or targets.ndim != 1 + targets.is_floating_point():
        raise BenchmarkError(
            "Pictures, sequences and sounds of one class each are mixed, or of a vector of numbers, got inputs of "
            f"{tuple(inputs.shape[1:])} in {inputs.dtype} and targets of {tuple(targets.shape[1:])}; leave mixup and cutmix out."
        )
    share = _draw_share(recipe.cutmix if cutting else recipe.mixup, generator)
    if cutting:
        inputs, share = _cut(inputs, share, generator)
    else:
        inputs = torch.lerp(inputs.roll(1, 0), inputs, share)
    wanted = targets if targets.is_floating_point() else functional.one_hot(targets, classes).float()
    return inputs, torch.lerp(wanted.roll(1, 0), wanted, share)


def _draw_share(alpha: float, generator: torch.Generator) -> float:
    """From Beta(alpha, alpha), which torch draws from its global state alone: by numpy's frozen RandomState of a drawn seed."""
    seed = int(randint(0, 2**32, (), generator, axis=None))
    return float(np.random.RandomState(seed).beta(alpha, alpha))


def _cut(inputs: Tensor, share: float, generator: torch.Generator) -> tuple[Tensor, float]:
    """The inputs with a piece of each taken from the one before it, and the share that is left of each.

    The piece is 1 − `share` of all, its sides in the picture's proportion and its middle equally likely everywhere; what hangs
    over the rim is cut off, so that more may be left.
    """
    first = 2 if inputs.ndim == 4 else 1
    sizes = inputs.shape[first:] if first == 2 else inputs.shape[1:2]
    piece = []
    for size in sizes:
        length = int(size * (1 - share) ** (1 / len(sizes)))
        begin = int(randint(0, size, (), generator, axis=None)) - length // 2
        piece.append(slice(max(0, begin), min(size, begin + length)))
    where = (*[slice(None)] * first, *piece)
    mixed = inputs.clone()
    mixed[where] = inputs[where].roll(1, 0)
    return mixed, 1 - math.prod(span.stop - span.start for span in piece) / math.prod(sizes)
