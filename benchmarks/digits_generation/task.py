"""Rows of noise, and pictures whose pixels run from −1 to 1, in the splits of the benchmark `digits`."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.digits.task import DEVIATION, MEAN
from benchmarks.digits.task import load as load_classes
from benchmarks.digits_generation import CLASSES, CLASSIFIER_SHA256, IMAGE, LATENT
from benchmarks.generation import generation
from nas.training import Examples, Generation, Split

CLASSIFIER = Path(__file__).with_name("classifier.safetensors")

WHITE = 16
"""The brightest pixel; the darkest is 0."""


def load(data: Path | None) -> Generation:
    """The task of pictures of any class.

    Raises:
        BenchmarkError: a folder is given, or the classifier's file is not the one that is named.
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
        return Examples(known.inputs.mul(DEVIATION).add(MEAN).mul(2 / WHITE).sub(1), known.targets)

    return scaled
