"""The floor: logistic regression on the standardised measures; `python -m benchmarks.breast_cancer.floor`."""

import torch
from sklearn.linear_model import LogisticRegression

from benchmarks.breast_cancer.task import load
from nas.training import Examples


def _logits(model: LogisticRegression, examples: Examples) -> torch.Tensor:
    """(N, 2); the first is 0."""
    margins_N = torch.from_numpy(model.decision_function(examples.inputs))
    return torch.stack((torch.zeros_like(margins_N), margins_N), 1)


def main() -> None:
    """Print validation and test figures by L2 strength; those of the best loss on validation go to the README."""
    task = load(None)
    training = task.examples("train")
    for strength in (0.01, 0.03, 0.1, 0.3, 1.0, 3.0):
        model = LogisticRegression(C=strength, max_iter=5_000).fit(training.inputs, training.targets)
        told = []
        for split in ("validation", "test"):
            examples, meter = task.examples(split), task.meter(torch.device("cpu"))
            meter.update(_logits(model, examples), examples.targets)
            told += [f"{split} {name} {value:.4f}" for name, value in meter.compute().items()]
        print(f"C = {strength:g}: {', '.join(told)}")  # noqa: T201


if __name__ == "__main__":
    main()
