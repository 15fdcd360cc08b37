"""Emoji as rows of a picture and its English name, in splits that share no emoji.

Axes: N emoji, F numbers of a row.
"""

from pathlib import Path

import numpy as np
import torch

from benchmarks.emoji.file import read
from benchmarks.emoji.task import BOUNDS, rows
from benchmarks.emoji_captions import BENCHMARK
from nas.benchmark import Modalities
from nas.protocols.matching import Retrieval
from nas.training import Examples, Split, stratified_order

ENGLISH = 0
"""Of the languages in which emoji are named."""


def load(data: Path | None) -> Retrieval:
    """The task: each emoji once, in the splits of the benchmark `emoji`; it belongs to itself alone.

    Raises:
        DataMissing: the data are nowhere; says how to make them.
        BenchmarkError: they are not those of this version.
    """
    arrays, given = read(data), BENCHMARK.signature.input
    assert isinstance(given, Modalities)  # noqa: S101
    order_N = stratified_order(arrays["group"])

    def examples(split: Split) -> Examples:
        begin, end = (round(bound * len(order_N)) for bound in BOUNDS[split])
        picked = order_N[begin:end]
        whole_NF = rows(arrays, picked, np.full_like(picked, ENGLISH))
        return Examples(whole_NF[:, : given.axes[0]], torch.from_numpy(picked.astype(np.int64)))

    return Retrieval(examples, modalities=tuple(name for name, _ in given.parts))
