"""The floor: canonical correlations of pixels and of pieces of names; `python -m benchmarks.emoji_captions.floor [DATA]`."""

import sys
from pathlib import Path

from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks.emoji_captions import BENCHMARK
from benchmarks.emoji_captions.task import load
from nas.benchmark import Modalities
from nas.datasets.floor_of_pairs import correlations
from nas.training import Split

SPACE = 32
"""The first of the alphabet, so that names of other letters are cut at it."""


def main(data: Path | None) -> None:
    """Print recall of the number of components that is best on validation, by what names are cut into."""
    task, given = load(data), BENCHMARK.signature.input
    assert isinstance(given, Modalities)  # noqa: S101
    splits: tuple[Split, ...] = ("train", "validation", "test")
    rows = {split: task.examples(split).inputs.numpy() for split in splits}
    groups = {split: task.examples(split).targets.numpy() for split in splits}
    pixels = {split: found[:, given.span("image")] for split, found in rows.items()}
    names = {
        split: ["".join(chr(SPACE + int(one) - 1) for one in row if one) for row in found[:, given.span("text")]]
        for split, found in rows.items()
    }
    look = PCA(128, random_state=0).fit(pixels["train"])
    pictures = {split: look.transform(found) for split, found in pixels.items()}
    for longest in (1, 2, 4):
        cut = TfidfVectorizer(analyzer="char_wb", lowercase=False, ngram_range=(1, longest), sublinear_tf=True, min_df=3)
        cut.fit(names["train"])
        figures, components = correlations(pictures, {split: cut.transform(some) for split, some in names.items()}, groups)
        told = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in figures.items())
        print(f"1 to {longest} characters, {components} components: {told}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
