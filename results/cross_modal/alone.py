"""What each modality is worth by itself: `python results/cross_modal/alone.py FOLDER [--data DIR] [--seeds N]`.

Takes the winner of the leaderboard in FOLDER, and trains each of its encoders alone with a head, from several seeds, with the
budget of a finalist. Writes alone.json beside the leaderboard as it goes: the test accuracy of each training, what fusion gains
over the best of them, and what is left with modalities missing; each mean with its 95 % interval over trainings. Of the same
winner, what stands there is not trained again.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

from nas.benchmark import Benchmark
from nas.errors import NasError
from nas.evaluation import Evaluator
from nas.models import plan
from nas.protocols.contrastive import read_modalities
from nas.searching import resolve_benchmark, resolve_space
from nas.space import Layer, Parallel, Space
from nas.training import load_task

Figure = dict[str, float]
"""Mean, deviation and count of several trainings."""


def alone(space: Space, branch: str) -> Space:
    """The networks of one encoder of `space`, with a head."""
    layers = (*encoders(space).branches[branch], Layer("head"))
    return Space(
        name=f"{space.name}_{branch}", version=space.version, accepts=space.accepts, layers=layers, choices=space.choices
    )


def encoders(space: Space) -> Parallel:
    """Where its branches stand."""
    (found,) = (node for node in space.layers if isinstance(node, Parallel))
    return found


def trainings(
    winner: dict[str, Any],
    space: Space,
    benchmark: Benchmark,
    known: dict[str, list[float]],
    *,
    seeds: int,
    data: Path | None,
) -> Iterator[dict[str, list[float]]]:
    """Modality → test accuracies, after each training; those that are `known` come first."""
    choices = winner["choices"]
    found = {modality: list(values) for modality, values in known.items()}
    yield found
    for branch in encoders(space).branches:
        one, prefix = alone(space, branch), f"encoders.{branch}."
        own = {name.removeprefix(prefix): value for name, value in choices.items() if name.startswith(prefix)}
        shared = {name: choices[name] for name in space.choices if name in choices}
        architecture = one.architecture({**own, **shared})
        (modality,) = read_modalities(plan(one, architecture, benchmark.signature))
        values = found.setdefault(modality, [])
        evaluator = Evaluator(one, benchmark, data=data, device="cpu") if len(values) < seeds else None
        for seed in range(len(values), seeds):
            assert evaluator is not None  # noqa: S101
            record = evaluator(architecture, budget=benchmark.final_budget, seed=seed, final=True)
            values.append(record.figures["test_accuracy"])
            print(f"{modality}, seed {seed}: test accuracy {values[-1]:.4f}", flush=True)
            yield found


def figure(values: list[float]) -> Figure:
    """Of several trainings."""
    return {"mean": mean(values), "deviation": stdev(values), "count": len(values)}


def interval(one: Figure, other: Figure | None = None) -> Figure:
    """The mean with its 95 % t interval; beside `other` that of their difference, by Welch's t."""
    sides = [side for side in (one, other) if side]
    shares = [side["deviation"] ** 2 / side["count"] for side in sides]
    freedom = sum(shares) ** 2 / sum(share**2 / (side["count"] - 1) for share, side in zip(shares, sides, strict=True))
    apart = one["mean"] - (other["mean"] if other else 0)
    half = float(student.ppf(0.975, freedom)) * sum(shares) ** 0.5
    return {"mean": apart, "low": apart - half, "high": apart + half}


def chance(benchmark: Benchmark, data: Path | None) -> float:
    """Test accuracy of answering the largest class always."""
    targets = load_task(benchmark, data).examples("test").targets
    return targets.bincount().max().item() / len(targets)


def tell(winner: dict[str, Any], found: dict[str, list[float]], guessed: float) -> dict[str, Any]:
    """All that is kept; what fusion gains where each modality has two trainings or more."""
    told: dict[str, Any] = {"architecture": winner["architecture"], "chance": guessed, "trainings": found}
    if found and all(len(values) > 1 for values in found.values()):
        modalities = {modality: figure(values) for modality, values in found.items()}
        best = max(modalities, key=lambda modality: modalities[modality]["mean"])
        figures = winner["figures"]
        told["alone"] = {modality: interval(one) for modality, one in modalities.items()}
        told["fusion"] = interval(figures["test_accuracy"])
        told["gain"] = {"over": best, **interval(figures["test_accuracy"], modalities[best])}
        told["missing"] = {
            name.removeprefix("test_accuracy_"): interval(one)
            for name, one in figures.items()
            if name.startswith("test_accuracy_with")
        }
    return told


def main() -> None:
    """Train what is not there, print a line a training, and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=None, metavar="DIR")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    final = json.loads((given.folder / "leaderboard.json").read_text(encoding="utf-8"))[0]
    winner, file = final["rows"][0], given.folder / "alone.json"
    space = resolve_space((given.folder / "commands.sh").read_text(encoding="utf-8").split()[2])
    benchmark = resolve_benchmark(final["benchmark"].partition(" v")[0])
    before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if before.get("architecture") != winner["architecture"]:
        before = {"chance": chance(benchmark, given.data), "trainings": {}}
    for found in trainings(winner, space, benchmark, before["trainings"], seeds=given.seeds, data=given.data):
        file.write_text(json.dumps(tell(winner, found, before["chance"]), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except (NasError, OSError) as error:
        sys.exit(f"alone: {error}")
