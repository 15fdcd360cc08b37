"""The floor: accuracy of logistic regression on all numbers of a series; `python -m benchmarks.japanese_vowels.floor FOLDER`."""

import sys
from pathlib import Path

import torch
from sklearn.linear_model import LogisticRegression

from benchmarks.japanese_vowels.task import load
from nas.training import Examples


def main(data: Path | None) -> None:
    """Print validation and test accuracy by L2 strength; the test figure of the best on validation goes to the README."""
    task = load(data)
    training, validation, test = task.examples("train"), task.examples("validation"), task.examples("test")
    steps = training.inputs[training.inputs.any(dim=2)]

    def flat(examples: Examples) -> torch.Tensor:
        scaled = (examples.inputs - steps.mean(dim=0)) / steps.std(dim=0)
        return (scaled * examples.inputs.any(dim=2, keepdim=True)).flatten(1)

    for strength in (0.001, 0.01, 0.1, 1.0, 10.0):
        model = LogisticRegression(C=strength, max_iter=5_000).fit(flat(training), training.targets)
        scores = [model.score(flat(examples), examples.targets) for examples in (validation, test)]
        print(f"C = {strength:g}: validation {scores[0]:.3f}, test {scores[1]:.3f}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
