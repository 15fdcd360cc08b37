"""Where a pruner's rungs should stand, on curves that are known: `python results/pruning/settings.py [--orders 60]`.

The curves are those of the committed table of three_families on digits, run 0 of each architecture. A search meets them in a
drawn order, may spend a quarter of the epochs in which full training sees N of them, and counts what it trained to the end.
Curves that are cut after 4 or 8 epochs stand for shorter trainings, though their learning rate had not come down there. It writes
settings.csv.
"""

import argparse
import csv
import random
import statistics
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, SuccessiveHalvingPruner

from nas.strategies import make_pruner
from nas.tables import read_table

HERE = Path(__file__).parent
TABLE = HERE.parent / "tables" / "digits-three_families.csv.gz"

Curve = Sequence[float]

SETTINGS: Mapping[str, Callable[[int], BasePruner]] = {
    "asha of Optuna": lambda _: SuccessiveHalvingPruner(),
    "asha": lambda epochs: make_pruner("asha", epochs),
    "asha, factor 2": lambda _: SuccessiveHalvingPruner(min_resource=1, reduction_factor=2),
    "asha, factor 3": lambda _: SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
    "asha from 2": lambda _: SuccessiveHalvingPruner(min_resource=2, reduction_factor=4),
    "asha from 2, factor 3": lambda _: SuccessiveHalvingPruner(min_resource=2, reduction_factor=3),
    "hyperband of Optuna": lambda _: HyperbandPruner(),
    "hyperband": lambda epochs: make_pruner("hyperband", epochs),
    "hyperband, factor 4": lambda epochs: HyperbandPruner(max_resource=epochs, reduction_factor=4),
    "median": lambda epochs: make_pruner("median", epochs),
    "median from 4": lambda _: MedianPruner(n_warmup_steps=4),
}


def reach(curves: Sequence[Curve], pruner: BasePruner, allowed: int) -> tuple[float, int]:
    """The best final value that a search over `curves` in this order reaches within so many epochs, and how many it saw.

    A search that trained none to the end has reached 0.
    """
    study = optuna.create_study(study_name="study", direction="maximize", pruner=pruner)
    best, spent = 0.0, 0
    for seen, curve in enumerate(curves, 1):
        trial = study.ask()
        for epoch, value in enumerate(curve, 1):
            trial.report(value, epoch)
            spent += 1
            stop = trial.should_prune()
            if epoch == len(curve):
                study.tell(trial, value)
                best = max(best, value)
            elif stop:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
            if spent == allowed:
                return best, seen
        if spent == allowed:
            return best, seen
    return best, len(curves)


def rows_of(curves: Sequence[Curve], candidates: int, orders: int) -> list[dict[str, object]]:
    """A row for full training, and for each setting."""
    epochs = len(curves[0])
    drawn = [random.Random(number).sample(curves, len(curves)) for number in range(orders)]  # noqa: S311 - an order
    common = {"epochs": epochs, "full trainings": candidates}
    whole = [max(curve[-1] for curve in order[:candidates]) for order in drawn]
    rows = [{**common, "pruner": "none, in four times the epochs", **_told(whole, [candidates] * orders)}]
    for name, make in SETTINGS.items():
        reached = [reach(order, make(epochs), candidates * epochs // 4) for order in drawn]
        rows.append({**common, "pruner": name, **_told(*map(list, zip(*reached, strict=True)))})
    return rows


def _told(best: Sequence[float], seen: Sequence[int]) -> dict[str, str]:
    error = statistics.stdev(best) / len(best) ** 0.5
    return {"seen": f"{statistics.mean(seen):.1f}", "best": f"{statistics.mean(best):.4f}", "standard error": f"{error:.4f}"}


def main() -> None:
    """Try every setting, and write settings.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=60)
    parser.add_argument("--candidates", type=int, nargs="+", default=[16, 64])
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    table = read_table(TABLE)
    readings = table.metrics["validation_accuracy"]
    whole = [[float(readings[epoch].runs[number, 0]) for epoch in range(1, 17)] for number in range(len(table))]
    rows = []
    for epochs in (4, 8, 16):
        for candidates in given.candidates:
            rows += rows_of([curve[:epochs] for curve in whole], candidates, given.orders)
            print(f"{epochs} epochs, {candidates} candidates: done", flush=True)
            with (HERE / "settings.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)


if __name__ == "__main__":
    main()
