"""A benchmark of one's own as a task: its files as tensors, in the splits that it was made with."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nas.datasets.declaration import MARKS, Captions, FolderBenchmark, Links, Pictures, Rows, Sounds, TextPairs, Texts
from nas.datasets.reading import Source, source_of
from nas.robustness import Scale, Spelling
from nas.training import Classification, Examples, Meter, Regression, Split, Task, stratified_order
from nas.training.pieces import Pieces
from nas.training.translation import FIRST, Translation

UNKNOWN_ID = 1
"""Of a word that is none of the vocabulary's."""


def load(benchmark: FolderBenchmark, data: Path | None) -> Task:
    """The task, its files in the folder `data` or where `benchmark` says.

    Raises:
        DataMissing: they are not there.
        BenchmarkError: they are others than the benchmark was made with.
    """
    source = source_of(benchmark, data)
    source.check()
    if isinstance(benchmark.declaration.prepare, Links):
        return source.graph()
    if isinstance(benchmark.declaration.prepare, TextPairs):
        return _translation(source, benchmark.declaration.prepare)

    def examples(split: Split) -> Examples:
        inputs, targets = source.arrays(split)
        order = stratified_order(targets.astype(np.int64) if targets.ndim == 1 else np.zeros(len(targets), dtype=np.int64))
        return Examples(torch.from_numpy(inputs[order]), torch.from_numpy(targets[order]))

    declared = benchmark.declaration
    metrics = tuple(declared.metrics)
    if isinstance(declared.prepare, Rows) and declared.prepare.mean is not None:
        measured = (declared.prepare.mean, declared.prepare.deviation or 1.0)
        return InUnits(examples, metrics, *measured, texts=source.names)
    if isinstance(declared.prepare, Captions):
        from nas.protocols.matching import Retrieval

        return Retrieval(examples, modalities=("image", "text"))
    scale, spelling = _scale(declared.prepare), None
    if isinstance(declared.prepare, Texts):
        spelling = Spelling(source.names, unknown=UNKNOWN_ID, whole=True)
    return Classification(examples, metrics, texts=source.names, scale=scale, spelling=spelling)


def _scale(prepare: object) -> Scale | None:
    """What inputs stand for, where that is known: pixels are standardised, sounds brought to one loudness."""
    if isinstance(prepare, Pictures):
        return Scale(mean=prepare.mean, deviation=prepare.deviation, low=0.0, high=1.0, unit="brightness from 0 to 1")
    return Scale(unit="the sound's root mean square") if isinstance(prepare, Sounds) else None


def _translation(source: Source, prepare: TextPairs) -> Translation:
    """Pairs of texts as a language model learns them."""
    assert FIRST == MARKS  # noqa: S101 - what the signature counts

    def examples(split: Split) -> Examples:
        found = source.pairs(split)
        order = stratified_order(np.zeros(len(found), dtype=np.int64))
        sources, targets = ([found[n][side] for n in order] for side in (0, 1))
        return Examples(*task.tokens(sources, targets, prepare.place + 1 + prepare.said))

    task = Translation(examples, unit="character", pieces=Pieces(source.alphabet()), place=prepare.place)
    return task


@dataclass(frozen=True)
class InUnits(Regression):
    """Numbers that are standardised for the network, and measured in their own unit."""

    mean: float = 0.0
    deviation: float = 1.0

    def meter(self, device: torch.device) -> Meter:
        """Of standardised numbers (N, F)."""
        return _Scaled(super().meter(device), self.mean, self.deviation)


@dataclass(frozen=True)
class _Scaled:
    meter: Meter
    mean: float
    deviation: float

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch."""
        self.meter.update(outputs.float() * self.deviation + self.mean, targets * self.deviation + self.mean)

    def compute(self) -> dict[str, float]:
        """All figures, in the target's unit."""
        return self.meter.compute()
