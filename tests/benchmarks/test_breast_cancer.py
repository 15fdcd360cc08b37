from pathlib import Path

import pytest
import torch

from benchmarks.breast_cancer import BENCHMARK
from benchmarks.breast_cancer.task import load
from nas.errors import BenchmarkError


def test_splits_are_stratified_of_their_sizes_and_standardised_by_the_training_split_alone() -> None:
    task = load(None)
    counts = {split: torch.bincount(task.examples(split).targets).tolist() for split in ("train", "validation", "test")}
    assert counts == {"train": [214, 127], "validation": [71, 43], "test": [72, 42]}
    inputs = task.examples("train").inputs
    assert inputs.mean(0).abs().max() < 1e-5
    assert (inputs.std(0) - 1).abs().max() < 1e-5
    assert task.examples("test").inputs.mean(0).abs().max() > 0.01
    assert BENCHMARK.signature.input.count == inputs.shape[1]


def test_malignant_tumours_are_class_1_and_larger() -> None:
    examples = load(None).examples("train")
    radius_N = examples.inputs[:, 0]
    assert radius_N[examples.targets == 1].mean() > radius_N[examples.targets == 0].mean() + 1


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="reads no folder; leave --data out"):
        load(tmp_path)
