"""The floor: accuracy of logistic regression on TF-IDF of the same tokens; `python -m benchmarks.movie_reviews.floor`."""

import sys
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression

from benchmarks.movie_reviews.task import VOCABULARY, load
from nas.training import Examples


def counts(examples: Examples) -> csr_matrix:
    """How often each token stands in each review, (N, VOCABULARY); padding is left out."""
    ids = examples.inputs.numpy()
    rows, columns = np.nonzero(ids)
    return csr_matrix((np.ones(len(rows)), (rows, ids[rows, columns])), shape=(len(ids), VOCABULARY))


def main(data: Path | None) -> None:
    """Print validation and test accuracy by L2 strength; the test figure of the best on validation goes to the README."""
    task = load(data)
    training, validation, test = task.examples("train"), task.examples("validation"), task.examples("test")
    weigh = TfidfTransformer(sublinear_tf=True).fit(counts(training))
    for strength in (0.25, 0.5, 1.0, 2.0, 4.0):
        model = LogisticRegression(C=strength, max_iter=300).fit(weigh.transform(counts(training)), training.targets)
        scores = [model.score(weigh.transform(counts(examples)), examples.targets) for examples in (validation, test)]
        print(f"C = {strength:g}: validation {scores[0]:.4f}, test {scores[1]:.4f}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
