"""The floors: accuracy of logistic regression on TF-IDF of the same tokens; `python -m benchmarks.pretrained_reviews.floor`."""

import sys
from pathlib import Path

from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression

from benchmarks.movie_reviews.floor import counts
from benchmarks.pretrained_reviews.task import load


def main(data: Path | None) -> None:
    """Print validation and test accuracy by labels and L2 strength; the test figure of the best on validation is the floor."""
    for labels in (100, 1_000, None):
        task = load(data, labels)
        training, validation, test = task.examples("train"), task.examples("validation"), task.examples("test")
        weigh = TfidfTransformer(sublinear_tf=True).fit(counts(training))
        for strength in (0.25, 0.5, 1.0, 2.0, 4.0):
            model = LogisticRegression(C=strength, max_iter=300).fit(weigh.transform(counts(training)), training.targets)
            scores = [model.score(weigh.transform(counts(examples)), examples.targets) for examples in (validation, test)]
            print(f"{labels or 'all'} labels, C = {strength:g}: validation {scores[0]:.4f}, test {scores[1]:.4f}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
