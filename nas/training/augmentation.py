"""Changes to training images and sounds that leave their class as it is, made on the device, a batch at a time.

Axes: N examples, C channels, H height, W width, L positions, F numbers of a row.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from nas.benchmark import Image, Modalities, Recipe, Sequence
from nas.chance import rand, randint
from nas.device import send


def augment(inputs: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """The batch, each image (N, C, H, W) moved, mirrored and, some of them, in a part erased by chance as `recipe` says, or each
    sequence (N, L, C) moved.

    `generator` lives on the CPU.
    """
    if recipe.shift and inputs.ndim == 3:
        return _shift_along(inputs, recipe.shift, generator)
    images_NCHW = inputs
    if recipe.shift:
        images_NCHW = _shift(images_NCHW, recipe.shift, generator)
    if recipe.flip:
        mirrored_N = send(rand((len(images_NCHW),), generator).lt(0.5), images_NCHW.device)
        images_NCHW = torch.where(mirrored_N[:, None, None, None], images_NCHW.flip(-1), images_NCHW)
    if recipe.erase and inputs.ndim == 4:
        images_NCHW = _erase(images_NCHW, recipe.erase, generator)
    return images_NCHW


def augment_rows(rows_NF: Tensor, given: Modalities, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """The batch, of each row its pictures changed as `recipe` says, and its sequences moved, each by its own chance."""
    if not (recipe.shift or recipe.flip or recipe.erase):
        return rows_NF
    rows_NF = rows_NF.clone()
    for name, shape in given.parts:
        span = given.span(name)
        if isinstance(shape, Image) or (recipe.shift and isinstance(shape, Sequence)):
            part = rows_NF[:, span].reshape(-1, *shape.axes)
            rows_NF[:, span] = augment(part, recipe, generator).reshape(len(rows_NF), -1)
    return rows_NF


def _shift(images_NCHW: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Each image moved by up to `most` pixels down and right or up and left; what comes in repeats the rim."""
    count, _, height, width = images_NCHW.shape
    device = images_NCHW.device
    offsets_2N = send(randint(0, 2 * most + 1, (2, count), generator, axis=1), device)
    padded = functional.pad(images_NCHW, (most, most, most, most), mode="replicate")
    rows_NH = offsets_2N[0, :, None] + torch.arange(height, device=device)
    columns_NW = offsets_2N[1, :, None] + torch.arange(width, device=device)
    examples_N = torch.arange(count, device=device)
    picked_NHWC = padded[examples_N[:, None, None], :, rows_NH[:, :, None], columns_NW[:, None, :]]
    # `contiguous()` would leave pictures of one channel with strides that torch takes for channels-last.
    return picked_NHWC.permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)


_AREA = (0.02, 0.4)
"""The least and the largest share of a picture that is erased, as Zhong et al. 2020 choose for CIFAR."""

_TALL = 0.3
"""The least height by width of what is erased; the largest is its inverse."""


def _erase(images_NCHW: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """About `share` of the images with a rectangle of zeros, the mean of normalised pixels (Zhong et al. 2020, alg. 1).

    Unlike there, tall and wide rectangles are equally likely; what is longer than the picture is cut to it rather than drawn
    again; and the place is drawn among those where it fits.
    """
    count, _, height, width = images_NCHW.shape
    drawn_N, area_N, tall_N, down_N, right_N = send(rand((5, count), generator, axis=1), images_NCHW.device)
    low, high = _AREA
    pixels_N = (low + (high - low) * area_N) * height * width
    ratio_N = torch.exp((1 - 2 * tall_N) * math.log(_TALL))
    erased_N = drawn_N < share
    spans = []
    for size, length_N, place_N in ((height, pixels_N * ratio_N, down_N), (width, pixels_N / ratio_N, right_N)):
        whole_N = length_N.sqrt().round().clamp(1, size)
        begin_N = torch.floor(place_N * (size - whole_N + 1))
        along = torch.arange(size, device=images_NCHW.device)
        spans.append((along >= begin_N[:, None]) & (along < (begin_N + whole_N)[:, None]))
    rows_NH, columns_NW = spans
    covered_NHW = erased_N[:, None, None] & rows_NH[:, :, None] & columns_NW[:, None, :]
    return images_NCHW.masked_fill(covered_NHW[:, None], 0)


def _shift_along(inputs_NLC: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Each sequence moved by up to `most` positions; what comes in repeats its first or last position."""
    count, length, _ = inputs_NLC.shape
    offsets_N1 = randint(-most, most + 1, (count, 1), generator)
    positions_NL = send((torch.arange(length) + offsets_N1).clamp(0, length - 1), inputs_NLC.device)
    return inputs_NLC[torch.arange(count, device=inputs_NLC.device)[:, None], positions_NL]
