import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from benchmarks.digits import BENCHMARK
from benchmarks.digits.task import load
from nas.errors import BenchmarkError
from nas.training import Examples, Split, stratified_order

SPLITS: tuple[Split, ...] = ("train", "validation", "test")

class_sizes = st.lists(st.integers(1, 30), min_size=1, max_size=8)


def labels_of(sizes: list[int], seed: int = 0) -> NDArray[np.integer]:
    """Labels in a mixed order, as many of each class as `sizes` says."""
    return np.random.RandomState(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))


def surplus(labels: NDArray[np.integer]) -> NDArray[np.floating]:
    """How many more of each class (columns) each beginning (rows) of the order holds than its share."""
    ordered = labels[stratified_order(labels)]
    counts = np.cumsum(ordered[:, None] == np.unique(labels), axis=0)
    lengths = np.arange(1, len(labels) + 1)[:, None]
    return counts - lengths * counts[-1] / len(labels)


@given(class_sizes, st.integers(0, 9))
def test_a_stratified_order_is_a_permutation(sizes: list[int], seed: int) -> None:
    labels = labels_of(sizes)
    assert sorted(stratified_order(labels, seed)) == list(range(len(labels)))


@given(class_sizes)
def test_every_beginning_holds_the_classes_in_their_shares(sizes: list[int]) -> None:
    """Of M of N examples in K classes, a beginning holds its share to within 1/2 + K·M / 2N.

    For 1/2 is what one class can be off from the point that the order has reached, and all K of them can be off together.
    """
    bound = 0.5 + len(sizes) * np.array(sizes) / sum(sizes) / 2
    assert (np.abs(surplus(labels_of(sizes))) <= bound + 1e-9).all()


@given(st.integers(1, 20), st.integers(1, 10))
def test_with_classes_of_equal_size_every_beginning_is_right_to_within_one_example(size: int, classes: int) -> None:
    assert np.abs(surplus(labels_of([size] * classes))).max() <= 1


def test_every_beginning_of_the_digits_is_right_to_within_one_example() -> None:
    assert np.abs(surplus(load_digits().target)).max() <= 1


def test_an_order_is_mixed_within_a_class_by_its_seed() -> None:
    labels = np.zeros(50, dtype=int)
    assert list(stratified_order(labels)) == list(stratified_order(labels, seed=0))
    assert list(stratified_order(labels)) != list(stratified_order(labels, seed=1))
    assert list(stratified_order(labels)) != list(range(50))


def test_an_order_by_hand() -> None:
    """Keys 1/4 and 3/4 for two of class 7; 1/6, 3/6 and 5/6 for three of class 5."""
    labels = np.array([7, 5, 5, 7, 5])
    assert list(labels[stratified_order(labels)]) == [5, 7, 5, 7, 5]


PINNED = {
    "train": (1_078, "7da291c953ccfaed83491d740161385f1aa8d7a1d1b904eca58e338d51223d87"),
    "validation": (360, "c94b1bebafaadd41c2b9607d7e228cfd451b2fd57c0fac1350817c84d3082769"),
    "test": (359, "e7694292d60237f4072a8dec78e87e406cf1927ddec56e2ab5a41297df73ab50"),
}
"""Split → how many examples, and the SHA-256 of their positions in scikit-learn's order as little-endian 64-bit integers."""


def pixels(examples: Examples) -> NDArray[np.uint8]:
    """The images as they were before they were normalised: (N, H, W), from 0 to 16."""
    return examples.inputs.mul(6.017).add(4.884).round().to(torch.uint8).squeeze(1).numpy()


def positions(examples: Examples) -> NDArray[np.integer]:
    """Where the examples stand in scikit-learn's order; no two of its images are equal."""
    known = {image.astype(np.uint8).tobytes(): n for n, image in enumerate(load_digits().images)}
    return np.array([known[image.tobytes()] for image in pixels(examples)])


@pytest.mark.parametrize("split", SPLITS)
def test_the_digits_are_those_of_version_1(split: Split) -> None:
    """Where this fails, a score means something else: raise the benchmark's version."""
    found = positions(load(None).examples(split))
    assert (len(found), hashlib.sha256(found.astype("<i8").tobytes()).hexdigest()) == PINNED[split]
    assert BENCHMARK.version == 1


def test_the_splits_of_the_digits_are_disjoint_and_cover_all() -> None:
    task = load(None)
    found = np.concatenate([positions(task.examples(split)) for split in SPLITS])
    assert sorted(found) == list(range(1_797))


@pytest.mark.parametrize("split", SPLITS)
def test_the_digits_come_with_their_labels_as_their_signature_says(split: Split) -> None:
    examples = load(None).examples(split)
    picture = BENCHMARK.signature.input
    assert examples.inputs.shape == (len(examples), picture.channels, picture.height, picture.width)
    assert examples.inputs.dtype == torch.float32
    assert examples.targets.dtype == torch.int64
    assert examples.targets.tolist() == load_digits().target[positions(examples)].tolist()


def test_the_digits_are_normalised() -> None:
    inputs = torch.cat([load(None).examples(split).inputs for split in SPLITS])
    assert inputs.mean().item() == pytest.approx(0, abs=1e-3)
    assert inputs.std().item() == pytest.approx(1, abs=1e-3)


def test_the_digits_read_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError) as caught:
        load(tmp_path)
    assert str(caught.value) == "digits ships with scikit-learn and reads no folder; leave --data out."


def numbered(count: int) -> Examples:
    return Examples(torch.arange(float(count)).reshape(count, 1, 1, 1), torch.arange(count))


@pytest.mark.parametrize(("fraction", "count"), [(1.0, 7), (0.5, 4), (0.3, 2), (0.01, 1)])
def test_a_fraction_is_the_first_examples_and_at_least_one(fraction: float, count: int) -> None:
    first = numbered(7).first(fraction)
    assert first.targets.tolist() == list(range(count)) == first.inputs.flatten().tolist()


def test_batches_hold_all_examples_in_their_order() -> None:
    batches = list(numbered(7).batches(3))
    assert [batch.targets.tolist() for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [batch.inputs.flatten().tolist() for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]
