"""The floor: what the principal components leave over; `python -m benchmarks.unknown_digit.floor`."""

import torch
from sklearn.decomposition import PCA

from benchmarks.unknown_digit.task import load


def main() -> None:
    """Print validation and test figures by the number of components; those of the best on validation go to the README."""
    task = load(None)
    for count in (1, 2, 4, 6, 8, 10, 12, 16, 24, 32):
        model = PCA(count).fit(task.examples("train").inputs.numpy())
        told = []
        for split in ("validation", "test"):
            examples, meter = task.examples(split), task.meter(torch.device("cpu"))
            rows = examples.inputs.numpy()
            left = ((model.inverse_transform(model.transform(rows)) - rows) ** 2).mean(1, keepdims=True)
            meter.update(torch.from_numpy(left), examples.targets)
            told += [f"{split} {name} {value:.4f}" for name, value in meter.compute().items()]
        print(f"{count} components: {', '.join(told)}")  # noqa: T201


if __name__ == "__main__":
    main()
