"""Pictures and recordings of equal digits, paired by a fixed seed, in splits that share neither a picture nor a speaker.

Axes: N examples, L samples, F numbers of a row.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor

from benchmarks.spoken_digits.task import LENGTH, RATE, Recordings, find_recordings
from nas.benchmark import Features, Waveform
from nas.models.layers.audio import LogMel
from nas.training import Classification, Examples, Split, stratified_order

SPEAKERS = {"train": range(4), "validation": range(4, 5), "test": range(5, 6)}
"""Positions in the recordings' SPEAKERS."""

PICTURES = {"train": (0.0, 0.6), "validation": (0.6, 0.8), "test": (0.8, 1.0)}
"""Shares of the pictures in their stratified order, as in the benchmark `digits`."""

PIXEL_NOISE = 7.0
"""Standard deviation of what is added to each pixel, of which there are 17 grey levels."""

SAMPLE_NOISE = 0.5
"""Of what is added to each sample, as a share of the recording's root mean square: 6 dB."""

_PIXEL_MEAN, _PIXEL_DEVIATION = 4.884, 9.23
_BAND_MEAN, _BAND_DEVIATION = 3.66, 1.08
"""Of all noisy pixels and of all bands of noisy spectrograms, about."""

_SEEDS: dict[Split, int] = {"train": 0, "validation": 1, "test": 2}


def load(data: Path | None) -> Classification:
    """The task: `data` is the folder of the recordings; the pictures ship with scikit-learn.

    Raises:
        DataMissing: the recordings are nowhere; says how to get them.
        BenchmarkError: they are not what they should be.
    """
    recordings = find_recordings(data)
    digits = load_digits()
    order = stratified_order(digits.target)

    def examples(split: Split) -> Examples:
        random = np.random.RandomState(_SEEDS[split])
        begin, end = (round(bound * len(order)) for bound in PICTURES[split])
        pictures = order[begin:end]
        spoken = np.flatnonzero(np.isin(recordings.digit_N, range(10)) & np.isin(recordings.speaker_N, SPEAKERS[split]))
        spoken = spoken[stratified_order(recordings.digit_N[spoken])]
        said_N = recordings.digit_N[spoken]
        written = _paired(digits.target[pictures], said_N, random)
        pixels = digits.images[pictures[written]]
        pixels = (pixels + PIXEL_NOISE * random.standard_normal(pixels.shape) - _PIXEL_MEAN) / _PIXEL_DEVIATION
        images_NF = torch.from_numpy(pixels.reshape(len(pixels), -1).astype(np.float32))
        rows_NF = torch.cat([images_NF, spectrograms(recordings, spoken, random).flatten(1)], dim=1)
        return Examples(rows_NF, torch.from_numpy(said_N))

    return Classification(examples)


def _paired(written_P: NDArray[np.int64], said_N: NDArray[np.int64], random: np.random.RandomState) -> NDArray[np.int64]:
    """For each recording a picture of its digit: all of them by turns, in an order by chance."""
    picked = np.empty(len(said_N), dtype=np.int64)
    for digit in range(10):
        pictures, places = random.permutation(np.flatnonzero(written_P == digit)), np.flatnonzero(said_N == digit)
        picked[places] = np.resize(pictures, len(places))
    return picked


def spectrograms(recordings: Recordings, picked: NDArray[np.int64], random: np.random.RandomState) -> Tensor:
    """Noisy recordings as 16 mel bands × 16 frames of 64 ms, standardised, (N, 1, 16, 16)."""
    waves_NL = np.stack([recordings.waveform(n) for n in picked])
    waves_NL += SAMPLE_NOISE * random.standard_normal(waves_NL.shape).astype(np.float32)
    given = Waveform(length=LENGTH, channels=1, rate=RATE)
    module = LogMel(mels=16, window_ms=64.0, hop_ms=50.0).build(given, Features(10))
    images: Tensor = module(torch.from_numpy(waves_NL).unsqueeze(2))
    return (images - _BAND_MEAN) / _BAND_DEVIATION
