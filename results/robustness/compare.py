"""Attacks of ours beside torchattacks', and what training against them buys: `python results/robustness/compare.py`.

Three finalists of digits are trained and attacked by both, with equal ε, steps and step sizes, each from random starts of its
own. Then the winner is trained from five seeds by each of three recipes, and attacked with growing ε. What the two files hold
already is not done again; the README's tables are made of them. It needs torchattacks (`pip install --no-deps torchattacks`).
"""

import argparse
import csv
import json
import math
import os
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from scipy.stats import t as student
from torch import Tensor, nn

from nas.evaluation.robustness import Asking
from nas.measures import Attack, read_measure
from nas.robustness import perturb, start_of
from nas.searching import resolve_benchmark, train_one
from nas.training import as_feed, load_task, scale_of

SCALE = scale_of(load_task(resolve_benchmark("digits"), None))

HERE = Path(__file__).parent
BOARDS = HERE.parent / "digits-v1" / "ffdf5b30"
README, PEERS, TRAININGS = HERE / "README.md", HERE / "peers.csv", HERE / "trainings.csv"

FINALISTS = {"residual_cnn": "digits", "mobile_cnn": "digits_mobile", "vision_transformer": "digits_vision_transformer"}
"""Space → the board whose first row is taken."""

ATTACKS = ("fgsm-linf-8/255", "pgd-linf-8/255-10", "pgd-linf-16/255-10", "pgd-l2-0.5-10")

RECIPES = {"plain": "", "fgsm": "adversarial=fgsm-linf-16/255", "pgd": "adversarial=pgd-linf-16/255"}
"""How the winner is trained: as the benchmark says, and against attacks within 16/255."""

SIZES = ("0", "2/255", "4/255", "8/255", "12/255", "16/255", "24/255")
COMPARED = (
    "test_accuracy:pgd-linf-0",
    "test_accuracy:pgd-linf-8_255",
    "test_accuracy:pgd-linf-16_255",
    "test_accuracy:corruptions",
    "test_ece",
)
SEEDS = range(1, 6)
EPOCHS, SEARCHED = 30, 12
"""Of the three finalists' trainings, and of the many of the winner: as long as in a search."""


def winner(space: str) -> dict[str, Any]:
    """The choices of the first finalist on that space's board."""
    tables = json.loads((BOARDS / FINALISTS[space] / "leaderboard.json").read_text(encoding="utf-8"))
    return next(table for table in tables if table["stage"] == "final")["rows"][0]["choices"]  # type: ignore[no-any-return]


def trained(space: str, seed: int, epochs: int, recipe: str = "") -> nn.Module:
    """The winner of `space`, trained."""
    options = {"recipe": [recipe]} if recipe else {}
    found = train_one(space, on="digits", architecture=winner(space), seed=seed, epochs=epochs, device="cpu", **options)
    if found is None or found.model is None:
        raise SystemExit(
            f"{space} could not be trained from seed {seed}: {found.record.error if found else 'another process leads'}"
        )
    return found.model.eval()


class FromRaw(nn.Module):
    """A network that is fed brightness from 0 to 1, as torchattacks has it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, raw_NCHW: Tensor) -> Tensor:
        """Logits (N, K)."""
        return self.network((raw_NCHW - SCALE.mean) / SCALE.deviation)


def read_attack(name: str) -> Attack:
    """The attack called `name`."""
    found = read_measure(name).attack
    if found is None:
        raise SystemExit(f"{name} is no attack.")
    return found


def accuracy(network: nn.Module, inputs: Tensor, targets: Tensor) -> float:
    """Right answers / all answers."""
    with torch.no_grad():
        return (network(inputs).argmax(1) == targets).double().mean().item()


def peers(space: str) -> Iterator[dict[str, Any]]:
    """Test accuracy of one finalist after each attack, ours and torchattacks'."""
    import torchattacks

    network = trained(space, 1, EPOCHS)
    test = load_task(resolve_benchmark("digits"), None).examples("test")
    inputs, targets = test.inputs, test.targets
    raw = SCALE.raw(inputs).clamp(0, 1)

    def slope(some: Tensor) -> Tensor:
        some = some.detach().requires_grad_()
        return torch.autograd.grad(nn.functional.cross_entropy(network(some), targets, reduction="sum"), some)[0]

    for name in ATTACKS:
        attack = read_attack(name)
        start = start_of(attack, inputs, torch.Generator().manual_seed(0)) if attack.method == "pgd" else None
        ours = accuracy(network, perturb(inputs, slope, attack, SCALE, start), targets)
        kind = torchattacks.FGSM if attack.method == "fgsm" else torchattacks.PGD if attack.norm == "linf" else torchattacks.PGDL2
        how: dict[str, Any] = {} if attack.method == "fgsm" else {"alpha": attack.step, "steps": attack.steps}
        torch.manual_seed(0)
        theirs = accuracy(FromRaw(network), kind(FromRaw(network).eval(), eps=attack.eps, **how)(raw, targets), targets)
        plain = accuracy(network, inputs, targets)
        yield {"space": space, "attack": attack.name, "plain": plain, "ours": ours, "torchattacks": theirs}


def growing(recipe: str, seed: int) -> dict[str, Any]:
    """Test accuracy of one training of the winner, by ε of PGD in L∞, 20 steps, and its calibration and corruptions."""
    benchmark = resolve_benchmark("digits")
    network, task = trained("residual_cnn", seed, SEARCHED, RECIPES[recipe]), load_task(benchmark, None)
    asking = Asking(network, task, as_feed(task.examples("test"), torch.device("cpu")), "test")
    names = benchmark.ask_for([*(f"pgd-linf-{size}" for size in SIZES), "corruptions", "ece"])
    return {"recipe": recipe, "seed": seed, **asking.figures(names)}


def rows_of(path: Path) -> list[dict[str, str]]:
    """What a file holds; nothing where there is none."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


def append(path: Path, row: Mapping[str, Any]) -> None:
    """A row at the end of a file, which is made where there is none."""
    fresh = not path.is_file()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=[*row], lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def told(values: list[float]) -> str:
    """The mean, with the deviation over seeds."""
    return f"{statistics.fmean(values):.4f} ± {statistics.stdev(values):.4f}" if len(values) > 1 else f"{values[0]:.4f}"


def peers_table() -> str:
    """A row a network and attack."""
    lines = ["| network | attack | as it is | ours | torchattacks | apart |", "|---|---|---:|---:|---:|---:|"]
    for row in rows_of(PEERS):
        measure, ours, theirs = read_measure(row["attack"]), float(row["ours"]), float(row["torchattacks"])
        cells = f"{float(row['plain']):.4f} | {ours:.4f} | {theirs:.4f} | {100 * abs(ours - theirs):.2f} points"
        lines.append(f"| {row['space']} | {measure.title} | {cells} |")
    return "\n".join(lines) + "\n"


def trainings_table() -> str:
    """A row for each thing that was asked, a column a recipe."""
    rows = rows_of(TRAININGS)
    ends = ("_low", "_high")
    named = [one for one in RECIPES if any(row["recipe"] == one for row in rows)]
    lines = ["| asked | " + " | ".join(named) + " |", "|---|" + "---:|" * len(named)]
    for figure in [name for name in (rows[0] if rows else {}) if name.startswith("test_") and not name.endswith(ends)]:
        name = figure.removeprefix("test_accuracy:").replace("test_ece", "ece")
        cells = [told([float(row[figure]) for row in rows if row["recipe"] == one]) for one in named]
        lines.append(f"| {read_measure(name).title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def differences_table() -> str:
    """What each recipe gains over the plain one, paired over seeds, with Student's 95 % interval."""
    rows = rows_of(TRAININGS)
    named = [one for one in RECIPES if one != "plain"]
    lines = ["| difference to plain | " + " | ".join(named) + " |", "|---|" + "---:|" * len(named)]
    for figure in COMPARED:
        name = figure.removeprefix("test_accuracy:").replace("test_ece", "ece")
        values = {one: {row["seed"]: float(row[figure]) for row in rows if row["recipe"] == one} for one in RECIPES}
        cells = []
        for one in named:
            apart = [value - values["plain"][seed] for seed, value in values[one].items() if seed in values["plain"]]
            half = (
                student.ppf(0.975, len(apart) - 1) * statistics.stdev(apart) / len(apart) ** 0.5 if len(apart) > 1 else math.inf
            )
            mean = statistics.fmean(apart) if apart else math.nan
            cells.append(f"{mean:+.4f} ({mean - half:+.4f} to {mean + half:+.4f})")
        lines.append(f"| {read_measure(name).title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def write() -> None:
    """Put the tables into the README, between their marks."""
    text = README.read_text(encoding="utf-8")
    tables = {"peers": peers_table(), "trainings": trainings_table(), "differences": differences_table()}
    for mark, table in tables.items():
        begin, end = f"<!-- table: {mark} -->\n", f"<!-- end of {mark} -->"
        before, rest = text.split(begin)
        text = before + begin + table + end + rest.split(end, 1)[1]
    README.write_text(text, encoding="utf-8")


def main() -> None:
    """Do what is missing, and write the tables."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "").parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    done = {row["space"] for row in rows_of(PEERS)}
    for space in FINALISTS:
        if space not in done:
            for row in list(peers(space)):
                append(PEERS, row)
                print(row)
    known = {(row["recipe"], int(row["seed"])) for row in rows_of(TRAININGS)}
    for seed in SEEDS:
        for recipe in RECIPES:
            if (recipe, seed) not in known:
                row = growing(recipe, seed)
                append(TRAININGS, row)
                print(row)
    write()


if __name__ == "__main__":
    main()
