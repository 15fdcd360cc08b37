"""The trainings that were made, in a file that grows by one at a time."""

import csv
import json
import os
from dataclasses import dataclass
from pathlib import Path

from nas.searching import SearchConfig
from nas.space import Architecture

FIGURE = "validation_accuracy"


@dataclass(frozen=True)
class Curve:
    """What is known of one training."""

    seed: int
    architecture: Architecture
    params: int
    flops: int
    accuracies: tuple[float, ...]
    """On validation data after each epoch, as far as it was trained."""


class Curves:
    """The curves of curves.csv, by seed and architecture; a longer one takes the place of a shorter."""

    def __init__(self, path: Path, config: SearchConfig) -> None:
        """Read `path`, where there is such a file."""
        self.path = path
        self.space = config.space
        self.epochs = config.budget.epochs
        self.known: dict[tuple[int, str], Curve] = {}
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    told = [row[name] for name in self.columns if row[name]]
                    architecture = self.space.architecture(json.loads(row["choices"]))
                    curve = Curve(
                        int(row["seed"]), architecture, int(row["params"]), int(row["flops"]), tuple(float(text) for text in told)
                    )
                    self.known[curve.seed, architecture.id] = curve

    @property
    def columns(self) -> list[str]:
        """The names of the epochs' columns."""
        return [f"{FIGURE}@{epoch}" for epoch in range(1, self.epochs + 1)]

    def get(self, seed: int, architecture: Architecture) -> Curve | None:
        """What is known of a training; None where nothing is."""
        return self.known.get((seed, architecture.id))

    def keep(self, curve: Curve) -> None:
        """Write all curves anew, whole or not at all, in an order that does not hang on who asked first."""
        self.known[curve.seed, curve.architecture.id] = curve
        beside = self.path.with_suffix(".part")
        with beside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["seed", "architecture", "params", "flops", *self.columns, "choices"])
            for (seed, name), one in sorted(self.known.items()):
                blank = [""] * (self.epochs - len(one.accuracies))
                choices = json.dumps(dict(one.architecture.choices), separators=(",", ":"))
                writer.writerow([seed, name, one.params, one.flops, *map(repr, one.accuracies), *blank, choices])
        os.replace(beside, self.path)
