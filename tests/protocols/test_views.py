import math

import pytest
import torch
from torch import Tensor

from nas.protocols.views import TALLEST, view_pictures, view_sounds

STILL = {"shift": 0.0, "speed": 0.0, "gain": 0.0, "noise": 0.0}


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def slopes(images_NCHW: Tensor, axis: int) -> Tensor:
    """How much a picture changes from pixel to pixel in its middle, where no border is repeated."""
    middle = images_NCHW[:, 0, 8:24, 8:24]
    return middle.diff(dim=axis).mean(dim=(1, 2))


def test_a_view_of_a_picture_is_a_part_of_it_as_large_as_the_whole() -> None:
    """In a picture of its own coordinates the slopes are the width and height of what is shown, as shares of the whole."""
    line = torch.arange(32.0)
    across, down = (ramp.expand(200, 1, 32, 32) for ramp in (line, line[:, None]))
    options = {"crop": 0.25, "flip": True, "jitter": 0.0}
    widths = slopes(view_pictures(across, chance(), **options), axis=2)
    heights = slopes(view_pictures(down, chance(), **options), axis=1)
    areas = widths.abs() * heights
    assert areas.min() > 0.24
    assert areas.max() < 1.001
    assert areas.std() > 0.1
    assert 60 < (widths < 0).sum() < 140
    free = (widths.abs() < 0.99) & (heights < 0.99)
    ratios = (widths.abs() / heights)[free]
    assert ratios.max() < TALLEST + 0.01
    assert ratios.min() > 1 / TALLEST - 0.01
    shown = view_pictures(across, chance(), **options)
    assert shown.min() >= 0
    assert shown.max() <= 31


def test_contrast_and_brightness_change_a_picture_as_a_whole() -> None:
    pictures = torch.tensor([-1.0, 1.0]).repeat(16).expand(300, 1, 32, 32)
    tall = pictures.transpose(2, 3)  # of rows, so that a mirror changes nothing
    changed = view_pictures(tall, chance(), crop=1.0, flip=False, jitter=0.3)
    brightness = changed.mean(dim=(1, 2, 3))
    assert brightness.min() < -0.25
    assert brightness.max() < 0.45
    assert not torch.allclose(brightness, brightness[:1])


def test_without_choices_a_view_of_a_picture_of_one_colour_is_that_picture() -> None:
    pictures = torch.rand(20, 3, 1, 1, generator=chance()).expand(20, 3, 9, 7)
    assert torch.allclose(view_pictures(pictures, chance(1), crop=0.3, flip=True, jitter=0.0), pictures, atol=1e-6)


@pytest.mark.parametrize("seed", [0, 1])
def test_equal_chances_give_equal_views_and_others_do_not(seed: int) -> None:
    pictures, sounds = torch.rand(4, 1, 8, 8), torch.rand(4, 50, 1)
    for draw in (
        lambda given: view_pictures(pictures, given, crop=0.3, flip=True, jitter=0.4),
        lambda given: view_sounds(sounds, given, shift=0.1, speed=0.1, gain=6.0, noise=0.1),
    ):
        assert torch.equal(draw(chance(seed)), draw(chance(seed)))
        assert not torch.equal(draw(chance(seed)), draw(chance(seed + 7)))


def tone(cycles: float, length: int = 4_000, count: int = 60) -> Tensor:
    return torch.sin(2 * math.pi * cycles * torch.arange(length) / length).expand(count, length)[:, :, None]


def pitch(sounds_NLC: Tensor) -> Tensor:
    """Cycles in the length of a sound."""
    return torch.fft.rfft(sounds_NLC[:, :, 0], n=16 * sounds_NLC.shape[1]).abs().argmax(dim=1) / 16


def test_a_sound_that_nothing_is_done_to_stays_as_it_is() -> None:
    assert torch.allclose(view_sounds(tone(50), chance(), **STILL), tone(50), atol=2e-3)


def test_speed_moves_the_pitch_up_and_down_as_far_as_it_says() -> None:
    found = pitch(view_sounds(tone(200), chance(), **{**STILL, "speed": 0.25}))
    assert 200 / 1.26 < found.min() < 180
    assert 220 < found.max() < 200 * 1.26


def test_what_comes_in_where_a_sound_is_moved_is_silence() -> None:
    moved = view_sounds(torch.ones(100, 500, 1), chance(), **{**STILL, "shift": 0.2})[:, :, 0]
    silent = (moved.abs() < 1e-4).sum(dim=1)
    assert 80 < silent.max() <= 100
    assert (moved[:, 0].abs() < 1e-4).float().mean() > 0.3
    assert (moved[:, -1].abs() < 1e-4).float().mean() > 0.3


def test_gain_is_in_decibels() -> None:
    loud = view_sounds(torch.ones(300, 20, 1), chance(), **{**STILL, "gain": 6.0}).amax(dim=(1, 2))
    assert 10 ** (-6 / 20) <= loud.min() < 0.53
    assert 1.9 < loud.max() <= 10 ** (6 / 20)


def test_noise_is_a_share_of_the_sound_and_none_of_silence() -> None:
    noisy = view_sounds(5 * torch.ones(200, 400, 1), chance(), **{**STILL, "noise": 0.5})
    shares = noisy.std(dim=(1, 2)) / 5
    assert 0.42 < shares.max() < 0.56
    assert shares.min() < 0.02
    assert not view_sounds(torch.zeros(3, 40, 2), chance(), **{**STILL, "noise": 0.5}).any()
