"""The digits as tensors, in fixed, stratified splits: 60 % training, 20 % validation, 20 % test."""

from pathlib import Path

import torch
from sklearn.datasets import load_digits

from nas.errors import BenchmarkError
from nas.robustness import Scale
from nas.training import Classification, Examples, Split, stratified_order

MEAN, DEVIATION = 4.884, 6.017
"""Of all pixels, which run from 0 to 16."""

LARGEST = 16.0
SCALE = Scale(mean=MEAN / LARGEST, deviation=DEVIATION / LARGEST, low=0.0, high=1.0, unit="brightness from 0 to 1")

_BOUNDS = {"train": (0.0, 0.6), "validation": (0.6, 0.8), "test": (0.8, 1.0)}


def load(data: Path | None) -> Classification:
    """The task; the data ship with scikit-learn, so that no folder is read.

    Raises:
        BenchmarkError: a folder is given.
    """
    if data is not None:
        raise BenchmarkError("digits ships with scikit-learn and reads no folder; leave --data out.")
    digits = load_digits()
    order = stratified_order(digits.target)

    def examples(split: Split) -> Examples:
        begin, end = (round(bound * len(order)) for bound in _BOUNDS[split])
        picked = order[begin:end]
        images = torch.from_numpy(digits.images[picked]).float().sub(MEAN).div(DEVIATION)
        return Examples(images.unsqueeze(1), torch.from_numpy(digits.target[picked]).long())

    return Classification(examples, scale=SCALE)
