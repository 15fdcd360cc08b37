"""The first pictures of `fashion_mnist`, whose every beginning is stratified: 500 to learn from, 1,000 to validate on."""

from pathlib import Path

from benchmarks.fashion_mnist.task import load as load_whole
from nas.training import Classification, Examples, Split

COUNTS: dict[Split, int | None] = {"train": 500, "validation": 1_000, "test": None}


def load(data: Path | None) -> Classification:
    """The task, from where `fashion_mnist` finds its pictures.

    Raises:
        DataMissing: the files are nowhere; says how to get them.
        BenchmarkError: they are not what they should be.
    """
    whole = load_whole(data)

    def examples(split: Split) -> Examples:
        found, count = whole.examples(split), COUNTS[split]
        return Examples(found.inputs[:count].clone(), found.targets[:count].clone())

    return Classification(examples, scale=whole.scale)
