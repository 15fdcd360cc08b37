"""Emoji as rows of a picture, a name and its sound, in splits that share no emoji.

Axes: N emoji, R rows, C colours, L characters, G languages, F numbers of a row.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.emoji.file import read
from nas.training import Classification, Examples, Split, stratified_order

BOUNDS = {"train": (0.0, 0.6), "validation": (0.6, 0.8), "test": (0.8, 1.0)}

PIXEL_MEAN, PIXEL_DEVIATION = 198.0, 74.0
BAND_MEAN, BAND_DEVIATION = 28.0, 45.0
"""About those of all pixels and bands."""


def load(data: Path | None) -> Classification:
    """The task: in training each emoji with its name in every language, otherwise in one, the languages by turns.

    Raises:
        DataMissing: the data are nowhere; says how to make them.
        BenchmarkError: they are not those of this version.
    """
    arrays = read(data)
    group_N, languages = arrays["group"], arrays["name"].shape[1]
    order = stratified_order(group_N)

    def examples(split: Split) -> Examples:
        begin, end = (round(bound * len(order)) for bound in BOUNDS[split])
        picked = order[begin:end]
        if split == "train":  # one language after another, so that every beginning is stratified
            emoji_R, language_R = np.tile(picked, languages), np.repeat(np.arange(languages), len(picked))
            language_R = (language_R + emoji_R) % languages
        else:
            emoji_R, language_R = picked, np.arange(len(picked)) % languages
        return Examples(rows(arrays, emoji_R, language_R), torch.from_numpy(group_N[emoji_R]))

    return Classification(examples)


def rows(arrays: dict[str, NDArray[np.generic]], emoji_R: NDArray[np.intp], language_R: NDArray[np.intp]) -> torch.Tensor:
    """Picture, name in a language, and sound of emoji, side by side, (R, F)."""
    pictures_RCHW = arrays["picture"][emoji_R].transpose(0, 3, 1, 2).astype(np.float32)
    parts = (
        (pictures_RCHW - PIXEL_MEAN) / PIXEL_DEVIATION,
        arrays["name"][emoji_R, language_R].astype(np.float32),
        (arrays["speech"][emoji_R].astype(np.float32) - BAND_MEAN) / BAND_DEVIATION,
    )
    return torch.from_numpy(np.concatenate([part.reshape(len(emoji_R), -1) for part in parts], axis=1))
