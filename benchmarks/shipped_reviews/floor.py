"""The floor: logistic regression on pieces of words; `python -m benchmarks.shipped_reviews.floor [DATA]`."""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression

from benchmarks.shipped_reviews import BENCHMARK
from benchmarks.shipped_reviews.task import load
from nas.benchmark import Tokens
from nas.training import Examples


def main(data: Path | None) -> None:
    """Print validation and test accuracy by L2 strength; the test figure of the best on validation is the floor."""
    task, given = load(data), BENCHMARK.signature.input
    assert isinstance(given, Tokens)  # noqa: S101

    def counts(examples: Examples) -> csr_matrix:
        ids_NL: NDArray[np.int64] = examples.inputs.numpy()
        rows = np.repeat(np.arange(len(ids_NL)), ids_NL.shape[1])
        return csr_matrix((np.ones(ids_NL.size), (rows, ids_NL.ravel())), shape=(len(ids_NL), given.vocabulary))[:, 103:]

    splits = [task.examples(split) for split in ("train", "validation", "test")]
    weigh = TfidfTransformer(sublinear_tf=True).fit(counts(splits[0]))
    training, validation, test = (weigh.transform(counts(one)) for one in splits)
    for strength in (0.1, 1.0, 10.0, 100.0):
        model = LogisticRegression(C=strength, max_iter=500).fit(training, splits[0].targets)
        scores = [model.score(one, wanted.targets) for one, wanted in ((validation, splits[1]), (test, splits[2]))]
        print(f"C = {strength:g}: validation {scores[0]:.4f}, test {scores[1]:.4f}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
