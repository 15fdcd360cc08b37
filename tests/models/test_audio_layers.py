import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nas.benchmark import Features, Image, NextTokens, Signature, Waveform
from nas.errors import ModelError
from nas.models import build, count, layer_kind
from nas.models.layers.audio import mel_filters
from nas.profiling.flops import second_opinion
from nas.searching import resolve_space
from nas.space import parse_space

WANTED = Features(10)
SECOND = Waveform(length=8_000, channels=1, rate=8_000)


def spectrogram(samples_NLC: Tensor, rate: int = 8_000, **options: float) -> Tensor:
    given = Waveform(length=samples_NLC.shape[1], channels=samples_NLC.shape[2], rate=rate)
    return layer_kind("log_mel")(**options).build(given, WANTED)(samples_NLC)


def tone(hertz: float, given: Waveform = SECOND) -> Tensor:
    return torch.sin(2 * math.pi * hertz * torch.arange(given.length) / given.rate).reshape(1, -1, 1)


waveforms = st.builds(Waveform, st.integers(1, 3_000), st.integers(1, 2), st.sampled_from([1_000, 8_000, 16_000]))
log_mels = st.fixed_dictionaries(
    {"mels": st.integers(4, 80), "window_ms": st.sampled_from([2, 25.0, 31.7]), "hop_ms": st.sampled_from([1, 10, 16.0, 50])}
)


@settings(deadline=None, max_examples=60)
@given(given=waveforms, options=log_mels)
def test_a_spectrogram_has_the_shape_and_the_cost_that_are_declared(given: Waveform, options: dict[str, float]) -> None:
    layer = layer_kind("log_mel")(**options)
    counted = count(lambda: layer.build(given, WANTED), given)
    cost = layer.cost(given, WANTED)
    assert (cost.params, cost.macs) == (0, counted.macs)
    module = layer.build(given, WANTED).eval()
    assert Image(*module(torch.randn(2, *given.axes)).shape[1:]) == layer.output(given, WANTED)


def test_the_cost_by_hand() -> None:
    """100 frames of 200 samples, transformed as 256 = 2^8 real numbers by 1.25 × 256 × 8, are 129 bins; 40 bands of them."""
    layer = layer_kind("log_mel")(mels=40, window_ms=25, hop_ms=10)
    assert layer.output(SECOND, WANTED) == Image(1, 40, 100)
    macs = 100 * 2_560 + 100 * 129 * 40
    assert layer.cost(SECOND, WANTED).macs == macs
    assert second_opinion(layer.build(SECOND, WANTED), SECOND) == (macs, {})


def test_nothing_of_a_spectrogram_is_trained_or_kept() -> None:
    module = layer_kind("log_mel")().build(SECOND, WANTED)
    assert not list(module.parameters())
    assert not module.state_dict()


def test_silence_is_zero_and_louder_is_more() -> None:
    assert torch.equal(spectrogram(torch.zeros(1, 8_000, 1)), torch.zeros(1, 1, 40, 100))
    quiet, loud = spectrogram(0.1 * tone(440)), spectrogram(tone(440))
    assert (loud >= quiet).all()
    assert loud.max() > quiet.max() > 1


@pytest.mark.parametrize("mels", [20, 40, 64])
@pytest.mark.parametrize("hertz", [200, 440, 1_000, 3_000])
def test_a_tone_is_loudest_in_the_band_whose_peak_is_nearest_on_the_mel_scale(hertz: float, mels: int) -> None:
    def mel(frequency: float) -> float:
        return 2595 * math.log10(1 + frequency / 700)

    peaks = mel(4_000) * np.arange(1, mels + 1) / (mels + 1)
    found = spectrogram(tone(hertz), mels=mels, window_ms=64)[0, 0, :, 50].argmax().item()
    assert abs(peaks[found] - mel(hertz)) <= mel(4_000) / (mels + 1)


def test_noise_has_the_energy_of_its_samples_in_every_band() -> None:
    noise = 3 * torch.randn(1, 80_000, 1, generator=torch.Generator().manual_seed(0))
    energy = spectrogram(noise, mels=20, offset=1.0).expm1()[0, 0, :, 5:-5].mean(dim=1)
    assert energy.tolist() == pytest.approx([9.0] * 20, rel=0.1)


def test_a_click_is_seen_at_its_moment_alone() -> None:
    click = torch.zeros(1, 8_000, 1)
    click[0, 4_000] = 100.0
    heard = spectrogram(click)[0, 0].sum(dim=0).nonzero().flatten().tolist()
    assert heard
    assert set(heard) <= {48, 49, 50, 51}


@pytest.mark.parametrize(("rate", "bins", "mels"), [(8_000, 129, 40), (16_000, 257, 80), (8_000, 1_025, 256)])
def test_each_mel_filter_sums_to_one(rate: int, bins: int, mels: int) -> None:
    filters_BM = mel_filters(rate, bins, mels)
    assert filters_BM.shape == (bins, mels)
    assert filters_BM.sum(dim=0).tolist() == pytest.approx([1.0] * mels)


@settings(deadline=None, max_examples=40)
@given(mels=st.integers(4, 256), rate=st.sampled_from([1_000, 8_000, 44_100]))
def test_no_band_is_empty(mels: int, rate: int) -> None:
    module = layer_kind("log_mel")(mels=mels, window_ms=5).build(Waveform(length=1_000, channels=1, rate=rate), WANTED)
    assert module.filters_BM.isfinite().all()
    assert (module.filters_BM.sum(dim=0) > 0).all()


def test_channels_are_heard_apart() -> None:
    both = torch.cat([tone(440), tone(2_000)], dim=2)
    heard = spectrogram(both)
    assert heard.shape == (1, 2, 40, 100)
    assert torch.allclose(heard[:, :1], spectrogram(tone(440)), atol=1e-5)
    assert torch.allclose(heard[:, 1:], spectrogram(tone(2_000)), atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "given", "wanted", "message"),
    [
        (
            "log_mel",
            SECOND,
            NextTokens(8_000, 256),
            "log_mel: log_mel looks at what comes after each sample, got the next of 256 tokens at each of 8000 positions; "
            "convolve the waveform by conv1d.",
        ),
        (
            "log_mel: {window_ms: 0.1, hop_ms: 0.01}",
            SECOND,
            WANTED,
            "log_mel: a frame has at least 2 samples and a hop 1, got 1 and 0 at 8000 Hz; make window_ms and hop_ms longer.",
        ),
        (
            "log_mel",
            Image(1, 8, 8),
            WANTED,
            "log_mel: log_mel takes a waveform, got an image of 1×8×8 from the input; move or replace it.",
        ),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(layer: str, given: object, wanted: object, message: str) -> None:
    accepts = "image" if isinstance(given, Image) else "waveform"
    space = parse_space(
        f"{{name: toy, version: 1, accepts: {accepts}, layers: [{{{layer}: {{}}}}, head]}}".replace("}: {}}", "}}")
    )
    with pytest.raises(ModelError) as caught:
        build(space, space.sample(random.Random(0)), Signature(given, wanted))
    assert str(caught.value) == message


def masks(**shares: float) -> Tensor:
    """What is silenced, of 2,000 spectrograms of ones."""
    torch.manual_seed(0)
    return layer_kind("spectrogram_augment")(**shares).build(Image(2, 40, 60), WANTED)(torch.ones(2_000, 2, 40, 60)) == 0


def test_augmentation_silences_one_band_and_one_stretch_no_wider_than_asked() -> None:
    silent = masks(frequency=0.25, time=0.5)
    assert torch.equal(silent[:, 0], silent[:, 1])
    rows, columns = silent[:, 0].all(dim=2), silent[:, 0].all(dim=1)
    assert torch.equal(silent[:, 0], rows[:, :, None] | columns[:, None, :])
    for lines, most in ((rows, 10), (columns, 30)):
        assert lines.sum(dim=1).max() == most
        assert lines.sum(dim=1).float().mean().item() == pytest.approx(most / 2, rel=0.1)
        assert lines.any(dim=0).all()
        assert lines.int().diff(dim=1).clamp(min=0).sum(dim=1).max() == 1


def test_augmentation_of_no_width_silences_nothing_and_is_no_layer() -> None:
    assert not masks(frequency=0, time=0).any()
    assert layer_kind("spectrogram_augment")(frequency=0, time=0).plain(Image(1, 4, 4), WANTED) is None


def test_augmentation_is_off_in_evaluation() -> None:
    pictures = torch.randn(2, 1, 8, 8)
    assert layer_kind("spectrogram_augment")().build(Image(1, 8, 8), WANTED).eval()(pictures) is pictures


def test_the_space_of_this_project_has_both_ways_to_hear() -> None:
    space = resolve_space("audio_cnn")
    fronts = {space.sample(random.Random(seed)).choices["front"] for seed in range(20)}
    assert fronts == {"waveform", "log_mel"}
