"""The floor: logistic regression on pixels, pieces of names and spectrograms; `python -m benchmarks.emoji.floor [DATA]`."""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from benchmarks.emoji import BENCHMARK
from benchmarks.emoji.task import load
from nas.benchmark import Modalities
from nas.training import Examples


def main(data: Path | None) -> None:
    """Print validation and test accuracy by L2 strength, of all modalities side by side, and of each alone."""
    task, given = load(data), BENCHMARK.signature.input
    assert isinstance(given, Modalities)  # noqa: S101
    splits = [task.examples(split) for split in ("train", "validation", "test")]

    def part(examples: Examples, name: str) -> NDArray[np.float32]:
        numbers: NDArray[np.float32] = examples.inputs[:, given.span(name)].numpy()
        return numbers

    def texts(examples: Examples) -> list[str]:
        return ["".join(chr(97 + int(i)) for i in ids if i) for ids in part(examples, "text")]

    pieces = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), sublinear_tf=True, min_df=4).fit(texts(splits[0]))
    # Rows of pictures and sounds are brought to the length of those of names, which is 1.
    parts = {
        "image": [csr_matrix(normalize(part(examples, "image"))) for examples in splits],
        "text": [csr_matrix(pieces.transform(texts(examples))) for examples in splits],
        "sound": [csr_matrix(normalize(part(examples, "sound"))) for examples in splits],
    }
    parts["all"] = [csr_matrix(hstack(several)) for several in zip(*parts.values(), strict=True)]
    for name, (training, validation, test) in parts.items():
        for strength in (1.0, 10.0):
            model = LogisticRegression(C=strength, max_iter=100).fit(training, splits[0].targets)
            scores = [model.score(validation, splits[1].targets), model.score(test, splits[2].targets)]
            print(f"{name}, C = {strength:g}: validation {scores[0]:.3f}, test {scores[1]:.3f}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
