"""Natural corruptions: what happens to pictures, sounds and texts without anybody's intent, by severity 1 to 5.

What they do and by how much stands in `nas.measures.CORRUPTIONS`. All that is drawn comes from a generator on the CPU, so that
equal seeds give equal examples on every device.

Axes: N examples, C channels, H height, W width, L positions.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from nas.chance import rand, randn
from nas.errors import BenchmarkError
from nas.measures import CORRUPTIONS
from nas.robustness.scale import Scale
from nas.robustness.spelling import Spelling, misspell

SIDE = 32
"""Pixels of the pictures that widths of a blur are told for."""


def kind_of(inputs: Tensor) -> str:
    """The kind of a batch's inputs, as `CORRUPTIONS` has them; empty where none of these.

    A batch of whole numbers (N, L) is of tokens.
    """
    if not inputs.is_floating_point():
        return "tokens" if inputs.ndim == 2 else ""
    return {4: "image", 3: "sequence"}.get(inputs.ndim, "")


def corrupt(
    inputs: Tensor, name: str, severity: int, chance: torch.Generator, scale: Scale, spelling: Spelling | None = None
) -> Tensor:
    """A batch with the corruption called `name` done to each example, by what is drawn from `chance`.

    Raises:
        BenchmarkError: these inputs have no such corruption, or how tokens are spelt is not known.
    """
    kind = kind_of(inputs)
    known = CORRUPTIONS.get(kind, {})
    if name not in known:
        raise BenchmarkError(
            f"Inputs of {tuple(inputs.shape[1:])} have no corruption {name!r}; they have {', '.join(known) or 'none'}."
        )
    value = known[name].values[severity - 1]
    if kind == "tokens":
        if name == "drop":
            return _drop(inputs, value, chance)
        if spelling is None:
            raise BenchmarkError(
                "How the tokens are spelt is not known, which typos need; give the task a `spelling`, or measure drop."
            )
        return misspell(inputs, value, spelling, chance)
    if kind == "image":
        done = {"noise": _noise, "blur": _blur, "contrast": _contrast, "shift": _shift}[name](inputs, value, chance, scale)
    else:
        done = {"noise": _hiss, "speed": _speed, "gain": _gain}[name](inputs, value, chance, scale)
    return scale.clip(done)


# Pictures.


def _noise(images_NCHW: Tensor, deviation: float, chance: torch.Generator, scale: Scale) -> Tensor:
    drawn = randn(images_NCHW.shape, chance).to(images_NCHW)
    return images_NCHW + drawn * deviation * scale.span / scale.deviations(images_NCHW)


def _blur(images_NCHW: Tensor, width: float, _: torch.Generator, __: Scale) -> Tensor:
    width *= max(1.0, min(images_NCHW.shape[2:]) / SIDE)
    reach = max(1, math.ceil(4 * width))
    at = torch.arange(-reach, reach + 1, dtype=images_NCHW.dtype, device=images_NCHW.device)
    weights = torch.exp(-(at**2) / (2 * width**2))
    weights = weights / weights.sum()
    channels = images_NCHW.shape[1]
    padded = functional.pad(images_NCHW, (reach, reach, reach, reach), mode="replicate")
    down = functional.conv2d(padded, weights.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return functional.conv2d(down, weights.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)


def _contrast(images_NCHW: Tensor, left: float, _: torch.Generator, __: Scale) -> Tensor:
    means = images_NCHW.mean((2, 3), keepdim=True)
    return torch.lerp(means, images_NCHW, left)


def _shift(images_NCHW: Tensor, share: float, chance: torch.Generator, _: Scale) -> Tensor:
    count, _channels, height, width = images_NCHW.shape
    angle_N = (2 * math.pi * rand((count,), chance)).to(images_NCHW)
    pixels = share * min(height, width)
    moves_N2 = torch.stack((angle_N.cos() / width, angle_N.sin() / height), 1) * 2 * pixels
    turned = torch.eye(2, 3, dtype=images_NCHW.dtype, device=images_NCHW.device).expand(count, 2, 3).clone()
    turned[:, :, 2] = moves_N2
    grid = functional.affine_grid(turned, list(images_NCHW.shape), align_corners=False)
    return functional.grid_sample(images_NCHW, grid, mode="bilinear", padding_mode="border", align_corners=False)


# Sounds, and other sequences of numbers.


def _hiss(sounds_NLC: Tensor, decibel: float, chance: torch.Generator, _: Scale) -> Tensor:
    power_N = sounds_NLC.square().mean((1, 2), keepdim=True)
    drawn = randn(sounds_NLC.shape, chance).to(sounds_NLC)
    return sounds_NLC + drawn * (power_N / 10 ** (decibel / 10)).sqrt()


def _speed(sounds_NLC: Tensor, change: float, chance: torch.Generator, _: Scale) -> Tensor:
    count, length, channels = sounds_NLC.shape
    faster_N1 = rand((count, 1), chance).lt(0.5)
    speed_N1 = torch.where(faster_N1, 1 + change, 1 / (1 + change)).to(sounds_NLC)
    middle = (length - 1) / 2
    at_NL = ((torch.arange(length, device=sounds_NLC.device) - middle) * speed_N1 + middle).clamp(0, length - 1)
    before_NL = at_NL.floor().long()
    between_NL1 = (at_NL - before_NL).unsqueeze(2)
    after_NL = (before_NL + 1).clamp(max=length - 1)
    picked = [sounds_NLC.gather(1, at.unsqueeze(2).expand(-1, -1, channels)) for at in (before_NL, after_NL)]
    return torch.lerp(picked[0], picked[1], between_NL1)


def _gain(sounds_NLC: Tensor, decibel: float, chance: torch.Generator, _: Scale) -> Tensor:
    louder_N = rand((len(sounds_NLC), 1, 1), chance).lt(0.5)
    return sounds_NLC * torch.where(louder_N, 10 ** (decibel / 20), 10 ** (-decibel / 20)).to(sounds_NLC)


# Texts.


def _drop(tokens_NL: Tensor, share: float, chance: torch.Generator) -> Tensor:
    """At least one token stays where there was one; as all texts, they end at the last position."""
    kept_NL = rand(tokens_NL.shape, chance).to(tokens_NL.device).ge(share)
    kept_NL[:, -1] = True
    left_NL = torch.where(kept_NL, tokens_NL, 0)
    order_NL = left_NL.ne(0).long().argsort(dim=1, stable=True)  # what is left out comes first, the rest in its order
    return left_NL.gather(1, order_NL)
