"""The floors with few labels: accuracy of logistic regression on pixels; `python -m benchmarks.fashion_mnist.floor`."""

import sys
from pathlib import Path

from sklearn.linear_model import LogisticRegression

from benchmarks.fashion_mnist.task import load_one_percent, load_ten_percent


def main(data: Path | None) -> None:
    """Print validation and test accuracy by labels and L2 strength; the test figure of the best on validation is the floor."""
    for task in (load_one_percent(data), load_ten_percent(data)):
        training, validation, test = task.examples("train"), task.examples("validation"), task.examples("test")
        for strength in (0.001, 0.003, 0.01, 0.03):
            model = LogisticRegression(C=strength, max_iter=300).fit(training.inputs.flatten(1), training.targets)
            scores = [model.score(examples.inputs.flatten(1), examples.targets) for examples in (validation, test)]
            print(f"{task.labelled:,} labels, C = {strength:g}: validation {scores[0]:.4f}, test {scores[1]:.4f}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
