"""Kinds of task: one class for each example, a score, the next token, numbers, or a class for each position.

A kind has a loss, figures that it always measures, and others that a benchmark may ask for beside them.

Axes: N examples, L positions of a sequence, K classes, V tokens of a vocabulary, F numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from nas.errors import BenchmarkError, quote
from nas.robustness import Groups, Scale, Spelling
from nas.training.meters import IGNORED, Meter, difference, make_meter
from nas.training.metrics import UNITS, choose
from nas.training.task import Examples, Split

RANKED = ("auroc", "auroc_low", "auroc_high", "average_precision")
"""Figures of how examples of two classes are ordered."""


@dataclass(frozen=True)
class Loaded:
    """Examples that are loaded when first asked for."""

    load: Callable[[Split], Examples]
    metrics: tuple[str, ...] = ()
    """Measured beside those that this kind of task always measures."""
    texts: Callable[[], Sequence[str]] | None = field(default=None, kw_only=True, repr=False)
    """What tokens by their ids, or features by their places, are called; asked for where people are to read them."""
    scale: Scale | None = field(default=None, kw_only=True)
    """What the numbers of an input stand for, and where they lie, for attacks and noise; None where they are themselves."""
    spelling: Spelling | None = field(default=None, kw_only=True, repr=False)
    """How tokens are spelt, for typos; None where that is not known."""
    groups: Callable[[Split], Groups] | None = field(default=None, kw_only=True, repr=False)
    """Which examples of a split are of one speaker or source, for the worst of these; None where that is not known."""
    _loaded: dict[Split, Examples] = field(default_factory=dict, init=False, repr=False)

    def examples(self, split: Split) -> Examples:
        """The examples of `split`."""
        if split not in self._loaded:
            self._loaded[split] = self.load(split)
        return self._loaded[split]


@dataclass(frozen=True)
class Classification(Loaded):
    """One class of K for each example: cross-entropy and accuracy; on request balanced accuracy, F1, AUROC and more."""

    def __post_init__(self) -> None:
        self.measured()

    def measured(self) -> tuple[str, ...]:
        """The names of its figures."""
        return choose("Classification", ("accuracy", "loss"), ("balanced_accuracy", "f1", *RANKED), self.metrics)

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        """Cross-entropy of logits (N, K) and classes (N,), or shares of classes (N, K), with label smoothing (Szegedy et al.
        2016, arXiv:1512.00567).
        """
        return functional.cross_entropy(outputs, targets, label_smoothing=smoothing)

    def meter(self, device: torch.device) -> Meter:
        """Of logits (N, K) and classes (N,)."""
        return make_meter(self.measured(), device)


@dataclass(frozen=True)
class Detection(Loaded):
    """One score for each example, the higher the more it seems to be of class 1, of 0 and 1: AUROC and average precision."""

    def __post_init__(self) -> None:
        self.measured()

    def measured(self) -> tuple[str, ...]:
        """The names of its figures."""
        return choose("Detection", ("auroc", "average_precision"), ("auroc_low", "auroc_high"), self.metrics)

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        """Mean cross-entropy of scores (N, 1), as logits, and classes (N,), with label smoothing."""
        wanted_N = targets.to(outputs.dtype) * (1 - smoothing) + smoothing / 2
        return functional.binary_cross_entropy_with_logits(outputs.squeeze(1), wanted_N)

    def meter(self, device: torch.device) -> Meter:
        """Of scores (N, 1) and classes (N,)."""
        return make_meter(self.measured(), device)


@dataclass(frozen=True)
class FewLabels(Classification):
    """Classification of which the labels of a few training examples are read, the first ones; all are there without labels."""

    labelled: int = field(kw_only=True)
    """Training examples whose labels are read."""

    def examples(self, split: Split) -> Examples:
        """The examples of `split`; of training those that have labels."""
        every = super().examples(split)
        if split != "train":
            return every
        if not 0 < self.labelled <= len(every):
            raise BenchmarkError(f"From 1 to {len(every):,} training examples have labels, got {self.labelled:,}.")
        return Examples(every.inputs[: self.labelled], every.targets[: self.labelled])

    def unlabelled(self, split: Split) -> Examples:
        """All examples of `split`, with zeros in the place of labels."""
        every = super().examples(split)
        return Examples(every.inputs, torch.zeros_like(every.targets))


@dataclass(frozen=True)
class _AtPositions(Loaded):
    """One of K classes at each position of an example; positions whose target is IGNORED do not count."""

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        """Mean cross-entropy of logits (N, L, K) and classes (N, L) over the positions that count, 0 where none does."""
        nats = functional.cross_entropy(
            outputs.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, label_smoothing=smoothing, reduction="sum"
        )
        return nats / self.counted(targets).clamp(min=1)

    def counted(self, targets: Tensor) -> Tensor:
        """How many positions count."""
        return (targets != IGNORED).sum()


@dataclass(frozen=True)
class NextToken(_AtPositions):
    """The token after each position of a text: cross-entropy in bits a token, and accuracy; on request perplexity."""

    unit: str = "token"
    """What a token is, for the name of the figure; "character", "byte" or "word" where the field says so."""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise BenchmarkError(f"A text's unit is one of {', '.join(UNITS)}, got {quote(self.unit)}.")
        self.measured()

    def measured(self) -> tuple[str, ...]:
        """The names of its figures."""
        return choose("NextToken", (f"bits_per_{self.unit}", "accuracy"), ("loss", "perplexity"), self.metrics)

    def meter(self, device: torch.device) -> Meter:
        """Of logits (N, L, V) and tokens (N, L)."""
        return make_meter(self.measured(), device)


@dataclass(frozen=True)
class Tagging(_AtPositions):
    """One class of K for each position: cross-entropy and accuracy over positions; on request balanced accuracy and F1.

    Positions whose target is IGNORED, such as padding, count neither in the loss nor in a figure.
    """

    def __post_init__(self) -> None:
        self.measured()

    def measured(self) -> tuple[str, ...]:
        """The names of its figures."""
        return choose("Tagging", ("accuracy", "loss"), ("balanced_accuracy", "f1"), self.metrics)

    def meter(self, device: torch.device) -> Meter:
        """Of logits (N, L, K) and classes (N, L)."""
        return make_meter(self.measured(), device)


@dataclass(frozen=True)
class Regression(Loaded):
    """F numbers for each example: the mean square of their errors, and its root; on request mean error and R²."""

    def __post_init__(self) -> None:
        self.measured()

    def measured(self) -> tuple[str, ...]:
        """The names of its figures."""
        return choose("Regression", ("rmse",), ("mae", "r2"), self.metrics)

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        """Mean square of outputs − targets, both (N, F).

        Raises:
            BenchmarkError: labels are to be smoothed, where there are none, or shapes differ.
        """
        if smoothing:
            raise BenchmarkError(f"Regression has no labels to smooth, got label_smoothing {smoothing:g}; leave it out.")
        return difference(outputs, targets).square().mean()

    def meter(self, device: torch.device) -> Meter:
        """Of numbers (N, F), in the targets' own unit."""
        return make_meter(self.measured(), device)
