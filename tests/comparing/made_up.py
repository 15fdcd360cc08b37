"""Tables whose truth is known: 64 architectures of three choices of four, a hill with one top."""

import csv
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nas.benchmark import Objective
from nas.comparing.arena import Arena
from nas.comparing.values import Question
from nas.space import Categorical, Layer, Limit, Ref, Space

WORDS = "wxyz"
NAMES = "abc"
SPACE = Space(
    name="hill",
    version=1,
    accepts="image",
    layers=(Layer("row", {name: Ref(name) for name in NAMES}),),
    choices={name: Categorical(*WORDS) for name in NAMES},
)
ROWS = list(itertools.product(WORDS, repeat=3))


def height(row: Sequence[str]) -> float:
    """9, 3 and 1 for a step of a, b and c: all 64 differ, from 0 to 39."""
    return float(sum(WORDS.index(word) * weight for word, weight in zip(row, (9, 3, 1), strict=True)))


def size(row: Sequence[str]) -> float:
    """The other way round than the height: the largest is the worst, and there are 10 sizes."""
    return 900.0 - 100.0 * sum(WORDS.index(word) for word in row)


def make_arena(*limits: str, spread: Sequence[float] = (0.0,)) -> Arena:
    """The hill; each training lies off by one of `spread`, whose mean is 0."""
    means = np.array([height(row) for row in ROWS])
    return Arena(
        question=Question("hill", ", ".join(limits)),
        space=SPACE,
        objective=Objective("accuracy", "maximize"),
        limits=tuple(map(Limit.parse, limits)),
        architectures=[SPACE.architecture(dict(zip(NAMES, row, strict=True))) for row in ROWS],
        trainings=means[:, None] + np.array(spread),
        means=means,
        figures={"params": np.array([size(row) for row in ROWS])},
    )


def write_table(path: Path, spread: Sequence[float] = ()) -> Path:
    """The hill as a file."""
    runs = [f"accuracy#{n}" for n in range(len(spread))]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"choice:{name}" for name in NAMES), *runs, "accuracy", "params"])
        for row in ROWS:
            writer.writerow([*row, *(height(row) + off for off in spread), height(row), size(row)])
    return path
