"""Rows of noise, and pictures whose pixels run from −1 to 1, in the splits of the benchmark `fashion_mnist`."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.fashion_mnist.task import DEVIATION, MEAN
from benchmarks.fashion_mnist.task import load as load_classes
from benchmarks.fashion_mnist_generation import CLASSES, CLASSIFIER_SHA256, IMAGE, LATENT
from benchmarks.generation import generation
from nas.training import Examples, Generation, Split

CLASSIFIER = Path(__file__).with_name("classifier.safetensors")

WHITE = 255
"""The brightest pixel; the darkest is 0."""

COMPARED = 1_000
"""Pictures of validation and of test: distances of fewer are larger, so that both have as many."""


def load(data: Path | None) -> Generation:
    """The task of pictures of any class.

    Raises:
        DataMissing: the files are nowhere; says how to get them.
        BenchmarkError: they are not what they should be, or the classifier's file is not the one that is named.
    """
    return generation(pictures(data), CLASSIFIER, CLASSIFIER_SHA256, IMAGE, LATENT)


def load_by_class(data: Path | None) -> Generation:
    """The task of pictures of the class that a row names; raises as `load`."""
    return generation(pictures(data), CLASSIFIER, CLASSIFIER_SHA256, IMAGE, LATENT, CLASSES)


def pictures(data: Path | None) -> Callable[[Split], Examples]:
    """Split → pictures and their classes."""
    task = load_classes(data)

    def scaled(split: Split) -> Examples:
        known = task.examples(split)
        if split != "train":
            known = Examples(known.inputs[:COMPARED], known.targets[:COMPARED])
        return Examples(known.inputs.mul(DEVIATION).add(MEAN).mul(2 / WHITE).sub(1), known.targets)

    return scaled
