"""The reviews of `movie_reviews`, shorter, and few of them with labels; all that are trained on may be read without.

Axes: N texts, L positions.
"""

from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

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

    def examples(self, split: Split) -> Examples:
        """The last tokens of each review, and its class."""
        whole = self.reviews.examples(split)
        count = self.labels if split == "train" else None
        return Examples(whole.inputs[:count, -LENGTH:].contiguous(), whole.targets[:count])

    def unlabelled(self, split: Literal["train", "validation"]) -> Examples:
        """The last tokens of each review and, of those to learn from, the tokens before these as a text of its own."""
        return self._learned if split == "train" else self._held_out

    @cached_property
    def _learned(self) -> Examples:
        inputs_NL = self.reviews.examples("train").inputs
        before_NL = inputs_NL[:, -2 * LENGTH : -LENGTH]
        return _without_labels(torch.cat((inputs_NL[:, -LENGTH:], before_NL[before_NL.any(dim=1)])))

    @cached_property
    def _held_out(self) -> Examples:
        return _without_labels(self.reviews.examples("validation").inputs[:HELD_OUT, -LENGTH:])


HELD_OUT = 1_000
"""Validation reviews by which a pre-training is measured; their labels are not read for it."""


def _without_labels(texts_NL: Tensor) -> Examples:
    return Examples(texts_NL.contiguous(), torch.zeros(len(texts_NL), dtype=torch.long))


def load(data: Path | None, labels: int | None = None) -> FewLabels:
    """The task with so many labels, from where `movie_reviews` finds its reviews.

    Raises:
        DataMissing: the reviews are nowhere, or there is no tokenizer; says how to get them.
        BenchmarkError: they are not those of this version.
    """
    return FewLabels(load_reviews(data), labels)


load_100 = partial(load, labels=100)
load_1000 = partial(load, labels=1_000)
