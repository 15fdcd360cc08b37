"""The floor: a mean, and how far each user and film is off it; `python -m benchmarks.movielens.floor [FILE]`.

Axes: N ratings, V users and films together.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.movielens.task import load
from nas.protocols.recommendation import mean_gain
from nas.training import Examples

ROUNDS = 20


def fit(training: Examples, strength: float, vocabulary: int) -> tuple[float, NDArray[np.float64]]:
    """The mean, and what each user and film adds, by ridge regression, one after the other till neither changes.

    Koren et al. 2009, Computer 42, eq. 3, whose biases alone are kept; each is shrunk by `strength` ratings of nothing.
    """
    pairs_N2, stars_N = training.inputs.numpy(), training.targets.numpy()[:, 0].astype(np.float64)
    mean, added_V = stars_N.mean(), np.zeros(vocabulary)
    for _ in range(ROUNDS):
        for side in (1, 0):
            ids_N, others_N = pairs_N2[:, side], pairs_N2[:, 1 - side]
            left_N = stars_N - mean - added_V[others_N]
            counts_V, sums_V = np.bincount(ids_N, minlength=vocabulary), np.bincount(ids_N, left_N, vocabulary)
            added_V[counts_V > 0] = (sums_V / np.maximum(counts_V + strength, 1))[counts_V > 0]
    return mean, added_V


def main(data: Path | None) -> None:
    """Print validation and test figures by strength; those of the best on validation go to the README."""
    from benchmarks.movielens import BENCHMARK
    from nas.benchmark import Tokens

    task = load(data)
    given = BENCHMARK.signature.input
    assert isinstance(given, Tokens)  # noqa: S101 - it is a benchmark of tokens
    for strength in (0.0, 1.0, 2.0, 3.0, 5.0, 10.0):
        mean, added_V = fit(task.examples("train"), strength, given.vocabulary)
        told = []
        for split in ("validation", "test"):
            examples = task.examples(split)
            guesses_N = mean + added_V[examples.inputs.numpy()].sum(1)
            rmse = np.sqrt(np.square(guesses_N - examples.targets.numpy()[:, 0]).mean())
            gain = mean_gain(
                examples.inputs[:, 0], examples.targets.new_tensor(guesses_N).double(), examples.targets[:, 0].double()
            )
            told.append(f"{split} rmse {rmse:.4f}, ndcg_at_10 {gain:.4f}")
        print(f"strength {strength:g}: {'; '.join(told)}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
