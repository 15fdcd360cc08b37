"""Attributions as people see them.

Axes: L positions, C channels.
"""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image as Drawn

from nas.benchmark import Features, Image, Sequence, Tokens, Waveform
from nas.explaining import view_of
from nas.reports.explanations import LEVELS


def pixels(png: str) -> np.ndarray:
    return np.asarray(Drawn.open(io.BytesIO(base64.b64decode(png))).convert("RGB"))


def test_a_picture_is_shown_beside_itself_with_colours() -> None:
    given, values = torch.zeros(1, 8, 8), torch.zeros(8, 8)
    given[0, 0, 0] = 1
    values[0, 7], values[7, 0] = 1, -1
    view = view_of(given, values, Image(1, 8, 8))
    assert view.kind == "picture"
    plain, coloured = pixels(view.given), pixels(view.over)
    assert plain.shape == coloured.shape == (224, 224, 3)  # 28 pixels a place
    assert plain[0, 0].tolist() == [255, 255, 255]
    assert plain[-1, -1].tolist() == [0, 0, 0]
    assert coloured[0, -1].tolist() == [213, 94, 0]
    assert coloured[-1, 0].tolist() == [0, 114, 178]
    assert coloured[-1, -1].tolist() == [60, 60, 60]  # nothing: the picture in grey
    assert view.told == "most: top right 100 %, top left 0 %"


def test_a_picture_on_which_nothing_rests_says_so() -> None:
    view = view_of(torch.zeros(3, 4, 6), torch.zeros(4, 6), Image(3, 4, 6))
    assert view.told == "nowhere more than nothing"
    assert pixels(view.over).std() == 0


def test_words_have_shades_and_padding_is_left_out() -> None:
    view = view_of(torch.tensor([0, 3, 1, 2]), torch.tensor([0.0, 2.0, -1.0, 0.1]), Tokens(4, 5), ["", "bad", "film", "awful"])
    assert [(part.text, part.level) for part in view.parts] == [("awful", LEVELS), ("bad", -2), ("film", 0)]
    assert [part.text for part in view.strongest] == ["awful", "bad", "film"]
    assert view.told == "most: awful; least: bad"


def test_tokens_without_names_are_told_by_number() -> None:
    assert view_of(torch.tensor([4]), torch.tensor([1.0]), Tokens(1, 5)).parts[0].text == "#4"


@pytest.mark.parametrize("channels", [1, 2])
def test_a_sound_is_shown_in_stretches_that_keep_the_sum(channels: int) -> None:
    sound_LC, values = torch.zeros(960, channels), torch.zeros(960)
    sound_LC[100:110] = 0.5
    values[100:110] = 1
    view = view_of(sound_LC, values, Waveform(length=960, channels=channels, rate=1_000))
    assert len(view.parts) == 96
    assert sum(part.value for part in view.parts) == 10
    loudest = view.parts[10]
    assert (loudest.text, loudest.level, loudest.low, loudest.high) == ("100 to 110 ms", LEVELS, 1.0, 1.0)
    assert view.told == "most: 100 to 110 ms"


def test_a_sequence_is_a_picture_of_its_channels_over_time() -> None:
    view = view_of(torch.rand(29, 12), torch.rand(29, 12), Sequence(29, 12))
    assert pixels(view.given).shape == (12 * 8, 29 * 8, 3)
    assert pixels(view_of(torch.rand(29, 12), torch.rand(29), Sequence(29, 12)).over).shape == (12 * 8, 29 * 8, 3)


def test_numbers_are_named_strongest_first() -> None:
    view = view_of(torch.tensor([1.0, 2.0]), torch.tensor([0.5, -1.0]), Features(2), ["radius", "texture"])
    assert [(part.text, part.value) for part in view.parts] == [("texture = 2", -1.0), ("radius = 1", 0.5)]
    assert view.told == "most: radius; least: texture".replace("radius", "radius = 1").replace("texture", "texture = 2")
