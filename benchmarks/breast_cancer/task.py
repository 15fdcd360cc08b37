"""The tumours as rows of numbers, in fixed, stratified splits: 60 % training, 20 % validation, 20 % test.

Axes: N tumours, F measures.
"""

from pathlib import Path

import torch
from sklearn.datasets import load_breast_cancer

from nas.errors import BenchmarkError
from nas.training import Classification, Examples, Split, stratified_order

_BOUNDS = {"train": (0.0, 0.6), "validation": (0.6, 0.8), "test": (0.8, 1.0)}


def load(data: Path | None) -> Classification:
    """The task; the data ship with scikit-learn, so that no folder is read. Class 1 is malignant.

    Raises:
        BenchmarkError: a folder is given.
    """
    if data is not None:
        raise BenchmarkError("breast_cancer ships with scikit-learn and reads no folder; leave --data out.")
    table = load_breast_cancer()
    malignant_N = 1 - table.target
    order = stratified_order(malignant_N)

    def rows(split: Split) -> slice:
        begin, end = (round(bound * len(order)) for bound in _BOUNDS[split])
        return slice(begin, end)

    measures_NF, classes_N = torch.from_numpy(table.data[order]).float(), torch.from_numpy(malignant_N[order]).long()
    known_NF = measures_NF[rows("train")]
    measures_NF = (measures_NF - known_NF.mean(0)) / known_NF.std(0)

    def examples(split: Split) -> Examples:
        return Examples(measures_NF[rows(split)], classes_N[rows(split)])

    names = tuple(map(str, table.feature_names))
    return Classification(examples, metrics=("auroc", "auroc_low", "auroc_high"), texts=lambda: names)
