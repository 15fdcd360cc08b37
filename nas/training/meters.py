"""Figures gathered batch by batch, so that the outputs of a whole split never lie in memory at once.

What is a mean (accuracy, cross-entropy, errors of numbers) is a sum for each batch, on the device; the sums are added up in the
end, so that nothing waits for the device before. All else is torchmetrics', which takes longer to import than torch and is
imported where one of its figures is asked for.

Axes: N examples, L positions of a sequence, K classes or tokens, F numbers, B batches.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from nas.errors import BenchmarkError
from nas.training.intervals import area_interval
from nas.training.metrics import UNITS

if TYPE_CHECKING:
    from torchmetrics.classification import MulticlassStatScores

IGNORED = -100
"""The target of a position that does not count, as in torch's cross_entropy."""


class Meter(Protocol):
    """Takes outputs and targets a batch at a time, and tells the figures of them all."""

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch; both lie on the meter's device."""

    def compute(self) -> dict[str, float]:
        """Figures by name of all that was taken in.

        Raises:
            BenchmarkError: nothing was, or a figure is undefined for these targets.
        """


class Likelihood:
    """Mean cross-entropy of logits (N, K) or (N, L, K), in several units, and accuracy; ignored targets do not count."""

    gives = ("accuracy", "loss", "perplexity", *(f"bits_per_{unit}" for unit in UNITS))

    def __init__(self) -> None:
        self._sums: list[tuple[Tensor, ...]] = []
        """Of each batch: nats, right answers, answers."""

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch."""
        logits_NK, classes_N = full(outputs.flatten(0, -2)), targets.flatten()
        nats = functional.cross_entropy(logits_NK, classes_N, ignore_index=IGNORED, reduction="sum")
        self._sums.append((nats, (logits_NK.argmax(1) == classes_N).sum(), (classes_N != IGNORED).sum()))

    def compute(self) -> dict[str, float]:
        """All that it gives."""
        nats, right, count = add_up(self._sums)
        mean = nats / count
        perplexity = torch.tensor(mean, dtype=torch.float64).exp().item()  # infinite where math.exp would raise
        bits = {f"bits_per_{unit}": mean / math.log(2) for unit in UNITS}
        return {"accuracy": right / count, "loss": mean, "perplexity": perplexity, **bits}


class PerClass:
    """Figures that give every class of logits (N, K) or (N, L, K) the same weight, from torchmetrics' counts by class."""

    gives = ("balanced_accuracy", "f1")

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._counts: MulticlassStatScores | None = None

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch."""
        if self._counts is None:
            from torchmetrics.classification import MulticlassStatScores

            counts = MulticlassStatScores(outputs.shape[-1], average=None, ignore_index=IGNORED, validate_args=False)
            self._counts = counts.to(self._device)
        self._counts.update(outputs.flatten(0, -2).argmax(1), targets.flatten())

    def compute(self) -> dict[str, float]:
        """All that it gives."""
        rows_K5 = self._counts.compute().tolist() if self._counts is not None else []
        recalls = [right / wanted for right, _, _, _, wanted in rows_K5 if wanted]
        scores = [2 * right / (2 * right + extra + missed) for right, extra, _, missed, _ in rows_K5 if right + extra + missed]
        if not recalls:
            raise BenchmarkError(NOTHING)
        return {"balanced_accuracy": math.fsum(recalls) / len(recalls), "f1": math.fsum(scores) / len(scores)}


class Ranking:
    """How well logits (N, K), or scores (N, 1) of the second of two classes, put the examples of a class before the others.

    It is exact, so that a probability for each example and class is held, on the CPU; in 64 bits, so that sure answers do not
    become ties.
    """

    gives = ("auroc", "auroc_low", "auroc_high", "average_precision")

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._outputs_NK: list[Tensor] = []
        self._classes_N: list[Tensor] = []

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch."""
        self._outputs_NK.append(outputs.detach().cpu().double())
        self._classes_N.append(targets.cpu())

    def compute(self) -> dict[str, float]:
        """Those of its figures that are asked for."""
        from torchmetrics.functional.classification import binary_auroc, binary_average_precision

        if not self._classes_N:
            raise BenchmarkError(NOTHING)
        chances_NK, classes_N = _chances(torch.cat(self._outputs_NK)), torch.cat(self._classes_N)
        asked = [name for name in self.gives if name in self._names]
        present = sorted(set(classes_N.tolist()))
        if len(present) < 2:
            raise BenchmarkError(f"{asked[0]} needs examples of two classes, all are of class {present[0]}; name another metric.")
        ranked = [1] if chances_NK.shape[1] == 2 else present
        truths = [(chances_NK[:, one], (classes_N == one).long()) for one in ranked]
        figures: dict[str, float] = {}
        measures: dict[str, Callable[..., Tensor]] = {"auroc": binary_auroc, "average_precision": binary_average_precision}
        for name, of in measures.items():
            if any(one.startswith(name) for one in asked):
                values = [of(chances_N, truth_N, validate_args=False).item() for chances_N, truth_N in truths]
                figures[name] = math.fsum(values) / len(values) if chances_NK.isfinite().all() else math.nan
        if {"auroc_low", "auroc_high"} & set(asked):
            if len(ranked) > 1:
                raise BenchmarkError(f"auroc_low is of two classes, got {chances_NK.shape[1]}; name another metric.")
            positives = int(truths[0][1].sum())
            low, high = area_interval(figures["auroc"], positives, len(classes_N) - positives)
            figures |= {"auroc_low": low, "auroc_high": high}
        return {name: figures[name] for name in asked}


def _chances(outputs_NK: Tensor) -> Tensor:
    """Probabilities of classes; of scores, which may be any numbers, their ranks as shares, beside what is left."""
    if outputs_NK.shape[1] > 1:
        return outputs_NK.softmax(1)
    if not outputs_NK.isfinite().all():
        return outputs_NK.expand(-1, 2) * math.nan
    _, ranks_N1 = outputs_NK.unique(return_inverse=True)  # type: ignore[no-untyped-call]
    shares_N = ranks_N1.flatten().double() / len(outputs_NK)
    return torch.stack((1 - shares_N, shares_N), 1)


class Errors:
    """How far numbers (N, F) are from their targets.

    torchmetrics' R2Score calls a sum of squares below 1e-4 none, so that every network is perfect where targets are small.
    """

    gives = ("rmse", "mae", "r2")

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._sizes_B: list[int] = []
        self._sums_B4F: list[Tensor] = []
        """Of each batch: squared errors, sizes of errors, and the targets' means and squared distances from them."""

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch."""
        errors_NF, means_F = difference(outputs, targets), targets.mean(0)
        spread_F = (targets - means_F).square().sum(0)
        self._sums_B4F.append(torch.stack((errors_NF.square().sum(0), errors_NF.abs().sum(0), means_F, spread_F)))
        self._sizes_B.append(len(targets))

    def compute(self) -> dict[str, float]:
        """Those of its figures that are asked for."""
        if not self._sizes_B:
            raise BenchmarkError(NOTHING)
        squares_BF, sizes_BF, means_BF, spreads_BF = torch.stack(self._sums_B4F, 1).cpu().double()
        figures = {
            "rmse": math.sqrt(squares_BF.sum().item() / self._count(squares_BF)),
            "mae": sizes_BF.sum().item() / self._count(sizes_BF),
        }
        if "r2" in self._names:
            weights_B1 = torch.tensor(self._sizes_B, dtype=torch.float64)[:, None]
            mean_F = (weights_B1 * means_BF).sum(0) / weights_B1.sum()
            total_F = (spreads_BF + weights_B1 * (means_BF - mean_F).square()).sum(0)
            if not total_F.all():
                raise BenchmarkError(
                    "r2 needs targets that differ, one of their numbers is the same in all; name another metric."
                )
            figures["r2"] = (1 - squares_BF.sum(0) / total_F).mean().item()
        return figures

    def _count(self, sums_BF: Tensor) -> int:
        return sum(self._sizes_B) * sums_BF.shape[1]


class Together:
    """Several meters as one, telling the figures called `names` in that order."""

    def __init__(self, names: Sequence[str], parts: Sequence[Meter]) -> None:
        self._names = names
        self._parts = parts

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch."""
        for part in self._parts:
            part.update(outputs, targets)

    def compute(self) -> dict[str, float]:
        """The figures asked for."""
        found: dict[str, float] = {}
        for part in self._parts:
            found |= part.compute()
        return {name: found[name] for name in self._names}


def make_meter(names: Sequence[str], device: torch.device) -> Meter:
    """A meter of the figures called `names`, for outputs and targets that lie on `device`."""
    parts: Mapping[tuple[str, ...], Meter] = {
        Likelihood.gives: Likelihood(),
        PerClass.gives: PerClass(device),
        Ranking.gives: Ranking(names),
        Errors.gives: Errors(names),
    }
    return Together(names, [part for gives, part in parts.items() if not set(gives).isdisjoint(names)])


NOTHING = "Figures are those of one target at least, got none; give the split examples."


def add_up(sums: Sequence[tuple[Tensor, ...]]) -> list[float]:
    """The sums of all batches, each a scalar on the device, added up; the last counts what was measured.

    Raises:
        BenchmarkError: nothing was.
    """
    totals = [math.fsum(torch.stack(column).tolist()) for column in zip(*sums, strict=True)]
    if not totals or not totals[-1]:
        raise BenchmarkError(NOTHING)
    return totals


def full(outputs: Tensor) -> Tensor:
    """`outputs` in 32 bits where they have fewer, whose sums would be rounded to two or three digits."""
    return outputs.to(torch.promote_types(outputs.dtype, torch.float32))


def difference(outputs: Tensor, targets: Tensor) -> Tensor:
    """`outputs` − `targets`, (N, F).

    Raises:
        BenchmarkError: their shapes differ, which torch would mend by repeating one of them.
    """
    if outputs.shape != targets.shape:
        raise BenchmarkError(
            f"Targets that are numbers have the outputs' shape, got {tuple(targets.shape)} for {tuple(outputs.shape)}; "
            "make both (N, F)."
        )
    return full(outputs) - targets
