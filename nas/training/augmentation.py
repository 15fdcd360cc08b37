"""Changes to training images and sounds that leave their class as it is, made on the device, a batch at a time."""

import torch
from torch import Tensor
from torch.nn import functional

from nas.benchmark import Recipe


def augment(inputs: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """The batch, each image (N, C, H, W) moved and mirrored by chance as `recipe` says, or each sequence (N, L, C) moved.

    `generator` lives on the CPU.
    """
    if recipe.shift and inputs.ndim == 3:
        return _shift_along(inputs, recipe.shift, generator)
    images_NCHW = inputs
    if recipe.shift:
        images_NCHW = _shift(images_NCHW, recipe.shift, generator)
    if recipe.flip:
        mirrored_N = torch.rand(len(images_NCHW), generator=generator).lt(0.5).to(images_NCHW.device)
        images_NCHW = torch.where(mirrored_N[:, None, None, None], images_NCHW.flip(-1), images_NCHW)
    return images_NCHW


def _shift(images_NCHW: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Each image moved by up to `most` pixels down and right or up and left; what comes in repeats the rim."""
    count, _, height, width = images_NCHW.shape
    device = images_NCHW.device
    offsets_2N = torch.randint(0, 2 * most + 1, (2, count), generator=generator).to(device)
    padded = functional.pad(images_NCHW, (most, most, most, most), mode="replicate")
    rows_NH = offsets_2N[0, :, None] + torch.arange(height, device=device)
    columns_NW = offsets_2N[1, :, None] + torch.arange(width, device=device)
    examples_N = torch.arange(count, device=device)
    picked_NHWC = padded[examples_N[:, None, None], :, rows_NH[:, :, None], columns_NW[:, None, :]]
    # `contiguous()` would leave pictures of one channel with strides that torch takes for channels-last.
    return picked_NHWC.permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)


def _shift_along(inputs_NLC: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Each sequence moved by up to `most` positions; what comes in repeats its first or last position."""
    count, length, _ = inputs_NLC.shape
    offsets_N1 = torch.randint(-most, most + 1, (count, 1), generator=generator)
    positions_NL = (torch.arange(length) + offsets_N1).clamp(0, length - 1).to(inputs_NLC.device)
    return inputs_NLC[torch.arange(count, device=inputs_NLC.device)[:, None], positions_NL]
