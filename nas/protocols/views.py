"""Views of an example: other pictures or sounds of the same thing, drawn by chance, a batch at a time.

What differs between two views of one example is what a network learns not to look at.

Axes: N examples, C channels, H height, W width, L samples.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from nas.chance import rand, randn
from nas.device import send

TALLEST = 4 / 3
"""Width by height of a crop, as a multiple of the picture's, or its inverse, at the most (Szegedy et al. 2015, sec. 6)."""


def view_pictures(images_NCHW: Tensor, chance: torch.Generator, *, crop: float, flip: bool, jitter: float) -> Tensor:
    """Of each picture a part, as large as the whole, mirrored or not, of another contrast and brightness (N, C, H, W).

    So Chen et al. 2020 augment (arXiv:2002.05709, app. A), but for blur and for changes of colour. A part is at least `crop` of
    the area. Contrast about the mean is multiplied by 1 ± `jitter` at the most, and brightness moved by ± `jitter`, in the
    pixels' unit. `chance` lives on the CPU.
    """
    draws = send(rand((7, len(images_NCHW)), chance, axis=1), images_NCHW.device)
    area_N, tall_N, right_N, down_N, mirror_N, contrast_N, bright_N = draws
    area_N = crop + (1 - crop) * area_N
    ratio_N = torch.exp((2 * tall_N - 1) * math.log(TALLEST))
    width_N, height_N = (area_N * ratio_N).sqrt().clamp(max=1), (area_N / ratio_N).sqrt().clamp(max=1)
    sign_N = torch.where(mirror_N < 0.5, -1.0, 1.0) if flip else torch.ones_like(mirror_N)
    part_N23 = torch.zeros(len(images_NCHW), 2, 3, device=images_NCHW.device)
    part_N23[:, 0, 0], part_N23[:, 0, 2] = sign_N * width_N, (2 * right_N - 1) * (1 - width_N)
    part_N23[:, 1, 1], part_N23[:, 1, 2] = height_N, (2 * down_N - 1) * (1 - height_N)
    where = functional.affine_grid(part_N23, list(images_NCHW.shape), align_corners=False)
    shown_NCHW = functional.grid_sample(images_NCHW, where, padding_mode="border", align_corners=False)
    mean_N111 = shown_NCHW.mean(dim=(1, 2, 3), keepdim=True)
    contrast_N111, bright_N111 = (jitter * (2 * draw_N - 1)[:, None, None, None] for draw_N in (contrast_N, bright_N))
    view_NCHW: Tensor = (shown_NCHW - mean_N111) * (1 + contrast_N111) + mean_N111 + bright_N111
    return view_NCHW


def view_sounds(samples_NLC: Tensor, chance: torch.Generator, *, shift: float, speed: float, gain: float, noise: float) -> Tensor:
    """Each sound earlier or later, faster and higher or slower and lower, louder or softer, and with white noise (N, L, C).

    It is moved by up to `shift` of its length, and silence comes in; played up to 1 + `speed` times as fast or as slow about its
    middle (Ko et al. 2015, doi:10.21437/Interspeech.2015-711); and made louder or softer by up to `gain` decibels. The root mean
    square of the noise is drawn evenly between 0 and `noise` of the sound's own. `chance` lives on the CPU.
    """
    count, length, _ = samples_NLC.shape
    device = samples_NLC.device
    speed_N1, moved_N1, gain_N1 = send(2 * rand((3, count, 1), chance, axis=1) - 1, device)
    along_L = 2 * (torch.arange(length, device=device) + 0.5) / length - 1  # from −1 to 1
    place_NL = along_L * torch.exp(speed_N1 * math.log1p(speed)) + 2 * shift * moved_N1
    where = torch.stack((place_NL, torch.zeros_like(place_NL)), dim=-1)[:, None]  # a sound is a picture of one row
    view_NC1L = functional.grid_sample(samples_NLC.transpose(1, 2)[:, :, None], where, align_corners=False)
    view_NLC = view_NC1L[:, :, 0].transpose(1, 2) * 10 ** (gain * gain_N1[:, :, None] / 20)
    loud_N11 = view_NLC.square().mean(dim=(1, 2), keepdim=True).sqrt()
    share_N11 = noise * send(rand((count, 1, 1), chance), device)
    noisy_NLC: Tensor = view_NLC + loud_N11 * share_N11 * send(randn(samples_NLC.shape, chance), device)
    return noisy_NLC
