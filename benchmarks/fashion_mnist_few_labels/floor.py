"""The floor: accuracy of logistic regression on pixels; `python -m benchmarks.fashion_mnist_few_labels.floor`."""

import sys
from pathlib import Path

from sklearn.linear_model import LogisticRegression

from benchmarks.fashion_mnist_few_labels.task import load


def main(data: Path | None) -> None:
    """Print validation and test accuracy by L2 strength; the test figure of the best on validation is the floor."""
    task = load(data)
    training, validation, test = task.examples("train"), task.examples("validation"), task.examples("test")
    for strength in (0.001, 0.003, 0.01, 0.03, 0.1):
        model = LogisticRegression(C=strength, max_iter=500).fit(training.inputs.flatten(1), training.targets)
        scores = [model.score(examples.inputs.flatten(1), examples.targets) for examples in (validation, test)]
        print(f"C = {strength:g}: validation {scores[0]:.4f}, test {scores[1]:.4f}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
