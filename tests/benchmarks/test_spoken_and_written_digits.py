import os
from pathlib import Path

import pytest
import torch

from benchmarks.spoken_and_written_digits import BENCHMARK
from benchmarks.spoken_and_written_digits.task import load
from benchmarks.spoken_digits.task import FILE
from nas.errors import DataMissing
from nas.testing import check_benchmark

SHARED = Path(os.environ.get("NAS_DATA") or Path(__file__).parents[3] / "shared" / "data")
REAL = pytest.mark.skipif(not (SHARED / "train" / FILE).is_file(), reason=f"{FILE} is not on this machine")


@REAL
def test_it_keeps_to_every_rule_of_a_benchmark():
    assert {str(rule): problem for rule, problem in check_benchmark(BENCHMARK, data=SHARED) if problem} == {}


@REAL
def test_pairs_are_of_one_digit_in_splits_of_the_sizes_that_the_readme_states():
    task = load(SHARED)
    sizes = {split: len(task.examples(split)) for split in ("train", "validation", "test")}
    assert sizes == {"train": 2_000, "validation": 500, "test": 500}
    for split in sizes:
        examples = task.examples(split)
        for name, deviation in (("image", 1.0), ("sound", 1.0)):
            part = examples.inputs[:, BENCHMARK.signature.input.span(name)]
            assert abs(part.mean()) < 0.1, name
            assert abs(part.std() - deviation) < 0.1, name
        assert examples.targets.bincount().unique().numel() == 1
        assert set(examples.targets[:10].tolist()) == set(range(10)), "every beginning is stratified"


@REAL
def test_pictures_of_one_digit_are_nearest_to_each_other_and_so_are_sounds():
    """So that what stands beside a class is that class: by the mean of its training examples."""
    task = load(SHARED)
    training, test = task.examples("train"), task.examples("validation")
    for name, least in (("image", 0.6), ("sound", 0.4)):
        span = BENCHMARK.signature.input.span(name)
        means = torch.stack([training.inputs[training.targets == digit][:, span].mean(0) for digit in range(10)])
        nearest = torch.cdist(test.inputs[:, span], means).argmin(1)
        assert (nearest == test.targets).float().mean() > least, name


def test_recordings_that_are_nowhere_are_asked_for(tmp_path):
    with pytest.raises(DataMissing, match=r"name the folder `recordings` of"):
        load(tmp_path)
