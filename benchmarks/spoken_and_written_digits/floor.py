"""The floor: accuracy of logistic regression; `python -m benchmarks.spoken_and_written_digits.floor DATA`."""

import sys
from pathlib import Path

from sklearn.linear_model import LogisticRegression

from benchmarks.spoken_and_written_digits import BENCHMARK
from benchmarks.spoken_and_written_digits.task import load
from nas.benchmark import Modalities


def main(data: Path | None) -> None:
    """Print validation and test accuracy by L2 strength, of both modalities side by side, and of each alone."""
    task, given = load(data), BENCHMARK.signature.input
    assert isinstance(given, Modalities)  # noqa: S101
    training, validation, test = task.examples("train"), task.examples("validation"), task.examples("test")
    for name, span in (("both", slice(None)), *((name, given.span(name)) for name in given.names)):
        for strength in (0.0001, 0.001, 0.01, 0.1):
            model = LogisticRegression(C=strength, max_iter=1_000).fit(training.inputs[:, span], training.targets)
            scores = [model.score(examples.inputs[:, span], examples.targets) for examples in (validation, test)]
            print(f"{name}, C = {strength:g}: validation {scores[0]:.3f}, test {scores[1]:.3f}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
