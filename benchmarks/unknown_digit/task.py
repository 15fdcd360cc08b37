"""The digits as rows of 64 numbers, in fixed splits: usual ones alone for training, and eights among them after that.

Axes: N digits, F pixels.
"""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

from nas.errors import BenchmarkError
from nas.training import Detection, Examples, Split, stratified_order

UNKNOWN = 8
"""The digit that is not learned: linear reconstruction tells it worst of all from the rest."""

_MEAN, _DEVIATION = 4.884, 6.017
"""Of all pixels, which run from 0 to 16."""

_BOUNDS = {"train": (0.0, 0.6), "validation": (0.6, 0.8), "test": (0.8, 1.0)}


def load(data: Path | None) -> Detection:
    """The task; the data ship with scikit-learn, so that no folder is read. Class 1 is the unknown digit.

    Raises:
        BenchmarkError: a folder is given.
    """
    if data is not None:
        raise BenchmarkError("unknown_digit ships with scikit-learn and reads no folder; leave --data out.")
    digits = load_digits()
    order = stratified_order(digits.target)
    strange = digits.target[order] == UNKNOWN
    usual, others = order[~strange], order[strange]

    def examples(split: Split) -> Examples:
        begin, end = (round(bound * len(usual)) for bound in _BOUNDS[split])
        halves: dict[Split, np.ndarray] = {"train": others[:0], "validation": others[::2], "test": others[1::2]}
        picked = np.concatenate((usual[begin:end], halves[split]))
        classes_N = torch.from_numpy(digits.target[picked] == UNKNOWN).long()
        return Examples(torch.from_numpy(digits.data[picked]).float().sub(_MEAN).div(_DEVIATION), classes_N)

    return Detection(examples)
