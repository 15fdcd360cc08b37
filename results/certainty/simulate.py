"""Plants tables of finalists whose true order is known, and writes how often what is said of them is true.

    python results/certainty/simulate.py [TABLES]

TABLES of each kind and number of seeds, 160 if not given; each is five rows whose true means are equal, or drawn with a
deviation of a half, one or two times that of a training. A second part gives seeds by the rule of `nas finals`, and to all alike.
"""

import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from nas.benchmark import Objective
from nas.ranking import noise
from nas.ranking.certainty import certainties
from nas.searching.allotting import Training, allot

ACCURACY = Objective("validation_accuracy", "maximize")
LOSS = Objective("validation_loss", "minimize")

KINDS = {
    "normal": "normal, equal variances",
    "uneven": "normal, deviations from a third to three times the middle one",
    "skewed": "gamma with shape 2",
    "common": "half of the variance common to all rows of a seed",
    "accuracies": "shares of 360 examples near 0.99, cut off at 1",
}

SEEDS = (2, 3, 5, 10)
APART = (0.0, 0.5, 1.0, 2.0)

Floats = Any


@dataclass
class Cell:
    """What was said of tables of one kind and number of seeds, and what was true."""

    inside: list[bool] = field(default_factory=list)
    first_inside: list[bool] = field(default_factory=list)
    splits: list[bool] = field(default_factory=list)
    said: list[float] = field(default_factory=list)
    true: list[bool] = field(default_factory=list)


def plant(kind: str, means: Floats, seeds: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """(rows, seeds) of figures, and their true means."""
    shape = (len(means), seeds)
    if kind == "accuracies":

        def shares(count: int) -> Floats:
            drawn = 0.99 + 0.004 * (means[:, None] + rng.standard_normal((len(means), count)))
            return np.minimum(np.round(360 * drawn), 360) / 360

        return shares(seeds), shares(4000).mean(axis=1)
    chance = rng.standard_normal(shape)
    if kind == "uneven":
        chance *= np.exp(rng.normal(0, 0.6, (len(means), 1)))
    if kind == "skewed":
        chance = (rng.gamma(2, 1, shape) - 2) / np.sqrt(2)
    if kind == "common":
        chance = (chance + rng.standard_normal(seeds)) / np.sqrt(2)
    return means[:, None] + chance, means


def simulate(kind: str, seeds: int, tables: int) -> Cell:
    """What is said of `tables` planted tables."""
    rng, cell = np.random.default_rng([seeds, len(kind)]), Cell()
    goal = ACCURACY if kind == "accuracies" else LOSS
    for n in range(tables):
        apart = APART[n % len(APART)]
        figures, means = plant(kind, apart * rng.standard_normal(5), seeds, rng)
        order = sorted(range(5), key=lambda row: goal.cost(float(figures[row].mean())))
        known = certainties([{goal.figure: dict(enumerate(figures[row].tolist()))} for row in order], [goal]) or ()
        held = [
            one.intervals[goal.figure].low <= means[row] <= one.intervals[goal.figure].high
            for row, one in zip(order, known, strict=True)
        ]
        cell.inside += held
        cell.first_inside.append(held[0])
        if apart:
            cell.said.append(known[0].first)
            cell.true.append(min(range(5), key=lambda row: goal.cost(float(means[row]))) == order[0])
        else:
            cell.splits.append(any(one.places != (1, 5) for one in known))
    return cell


def row_of(cell: Cell) -> str:
    """The figures of one row of the first table."""
    said, true = np.array(cell.said), np.array(cell.true)
    brier, blind = ((said - true) ** 2).mean(), true.mean() * (1 - true.mean())
    return (
        f"{np.mean(cell.inside):.1%} | {np.mean(cell.first_inside):.1%} | {np.mean(cell.splits):.1%} | "
        f"{said.mean():.2f} | {true.mean():.2f} | {brier:.3f} | {blind:.3f}"
    )


def reliability(cells: list[Cell]) -> list[str]:
    """How often the first was the best of tables that said so with about one probability."""
    said = np.concatenate([cell.said for cell in cells])
    true = np.concatenate([cell.true for cell in cells])
    lines = ["| said | tables | said, mean | was true |", "|---|---|---|---|"]
    for low, high in ((0.2, 0.4), (0.4, 0.5), (0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 0.97), (0.97, 1.01)):
        among = (said >= low) & (said < high)
        if among.sum():
            lines.append(
                f"| {low:.2f} to {min(high, 1):.2f} | {among.sum()} | {said[among].mean():.2f} | {true[among].mean():.2f} |"
            )
    return lines


def regret(apart: float, uneven: bool, seeds: int, even: bool, tables: int) -> tuple[float, float]:
    """How often the first is the best, and how far it is from that, in deviations of a training."""
    hits, lost = [], []
    for n in range(tables):
        rng = random.Random(n)  # noqa: S311 - noise
        means = [rng.gauss(0, apart) for _ in range(5)]
        widths = [np.exp(rng.gauss(0, 0.6)) if uneven else 1.0 for _ in range(5)]
        truth = {(row, k): rng.gauss(means[row], widths[row]) for row in range(5) for k in range(5 * seeds)}
        asked = allot([LOSS], finalists=5, seeds=seeds, trainings=None, even=even, confident=None, most=None)
        came: dict[Training, float | None] = {}
        over = False
        while not over or len(came) < 5 * seeds:
            found, over = asked.wanted(came)
            came |= {one: truth[one] for one in found}
        scores = [fmean(truth[one] for one in came if one[0] == row) for row in range(5)]
        best = scores.index(min(scores))
        hits.append(means[best] == min(means))
        lost.append(means[best] - min(means))
    return fmean(hits), fmean(lost)


def main() -> None:
    """Write the page's tables."""
    tables = int(sys.argv[1]) if len(sys.argv) > 1 else 160
    noise.DRAWS = 2000
    cells = {(kind, seeds): simulate(kind, seeds, tables) for kind in KINDS for seeds in SEEDS}
    titles = ["noise", "seeds", "intervals that hold the truth", "that of the first row", "equal rows told apart"]
    titles += ["first is the best: said", "true", "Brier", "of one figure for all"]
    lines = [f"| {' | '.join(titles)} |", "|---|---|---|---|---|---|---|---|---|"]
    lines += [f"| {kind} | {seeds} | {row_of(cell)} |" for (kind, seeds), cell in cells.items()]
    lines += ["", *reliability([*cells.values()]), ""]
    lines += [
        "| true means apart | variances | trainings | best found, even | near-ties first | regret, even | near-ties first |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for apart in APART[1:]:
        for uneven in (False, True):
            for seeds in (3, 5):
                (hit, lost), (better, less) = (regret(apart, uneven, seeds, even, 10 * tables) for even in (True, False))
                words = "uneven" if uneven else "equal"
                lines.append(f"| {apart:g} | {words} | {5 * seeds} | {hit:.1%} | {better:.1%} | {lost:.3f} | {less:.3f} |")
    kinds = [f"- `{kind}`: {words}" for kind, words in KINDS.items()]
    page = Path(__file__).with_name("README.md")
    head = page.read_text(encoding="utf-8").partition("<!-- tables -->")[0]
    page.write_text(head + "<!-- tables -->\n\n" + "\n".join([*kinds, "", *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
