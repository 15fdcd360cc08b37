"""The reviews of `movie_reviews`, shorter, and few of them with labels; all that are trained on may be read without.

Axes: N texts, L positions.
"""

from functools import partial
from pathlib import Path
from typing import Literal

import torch

from benchmarks.movie_reviews.task import load as load_reviews
from nas.training import Classification, Examples, Split

LENGTH = 64


class FewLabels:
    """Reviews of which some have labels: a task as `Classification` is, and texts without labels beside."""

    def __init__(self, reviews: Classification, labels: int | None) -> None:
        """With the first `labels` of the training reviews, in their stratified order, or with all."""
        self.reviews = reviews
        self.labels = labels
        self.loss, self.meter = reviews.loss, reviews.meter
        self.texts, self.spelling = reviews.texts, reviews.spelling

    def examples(self, split: Split) -> Examples:
        """The last tokens of each review, and its class."""
        whole = self.reviews.examples(split)
        count = self.labels if split == "train" else None
        return Examples(whole.inputs[:count, -LENGTH:].contiguous(), whole.targets[:count])

    def unlabelled(self, split: Literal["train", "validation"]) -> Examples:
        """Twice as many of the last tokens of each review."""
        texts_NT = self.reviews.examples(split).inputs[: None if split == "train" else HELD_OUT, -2 * LENGTH :]
        return Examples(texts_NT, torch.zeros(len(texts_NT), dtype=torch.long))


HELD_OUT = 1_000
"""Validation reviews by which a pre-training is measured; their labels are not read for it."""


def load(data: Path | None, labels: int | None = None) -> FewLabels:
    """The task with so many labels, from where `movie_reviews` finds its reviews.

    Raises:
        DataMissing: the reviews are nowhere, or there is no tokenizer; says how to get them.
        BenchmarkError: they are not those of this version.
    """
    return FewLabels(load_reviews(data), labels)


load_100 = partial(load, labels=100)
load_1000 = partial(load, labels=1_000)
