from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits

from benchmarks.unknown_digit import BENCHMARK
from benchmarks.unknown_digit.task import load
from nas.errors import BenchmarkError


def test_training_sees_no_eight_and_the_other_splits_share_them() -> None:
    task = load(None)
    counts = {split: torch.bincount(task.examples(split).targets).tolist() for split in ("train", "validation", "test")}
    assert counts == {"train": [974], "validation": [324, 87], "test": [325, 87]}
    assert task.examples("test").inputs.shape[1:] == BENCHMARK.signature.input.axes == BENCHMARK.signature.output.axes


def test_the_splits_are_apart_and_hold_all_digits_but_for_twins() -> None:
    task = load(None)
    rows = [tuple(row) for split in ("train", "validation", "test") for row in task.examples(split).inputs.tolist()]
    assert len(rows) == len(set(rows)) == len(load_digits().target)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="reads no folder; leave --data out"):
        load(tmp_path)
