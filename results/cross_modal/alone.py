"""What each modality is worth by itself: `python results/cross_modal/alone.py FOLDER [--data DIR] [--seeds N]`.

Takes the winner of the leaderboard in FOLDER, and trains each of its encoders alone with a head, from several seeds, with the
budget of a finalist. Writes alone.json beside the leaderboard: the test figures of each training.
"""

import argparse
import json
from pathlib import Path
from statistics import mean, stdev

from nas.evaluation import Evaluator
from nas.models import plan
from nas.protocols.contrastive import read_modalities
from nas.searching import resolve_benchmark, resolve_space
from nas.space import Layer, Parallel, Space


def alone(space: Space, branch: str) -> Space:
    """The networks of one encoder of `space`, with a head."""
    (encoders,) = (node for node in space.layers if isinstance(node, Parallel))
    layers = (*encoders.branches[branch], Layer("head"))
    return Space(
        name=f"{space.name}_{branch}", version=space.version, accepts=space.accepts, layers=layers, choices=space.choices
    )


def main() -> None:
    """Train, print a line a training, and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=None, metavar="DIR")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    final = json.loads((given.folder / "leaderboard.json").read_text(encoding="utf-8"))[0]
    space = resolve_space((given.folder / "commands.sh").read_text(encoding="utf-8").split()[2])
    benchmark = resolve_benchmark(final["benchmark"].partition(" v")[0])
    choices = final["rows"][0]["choices"]
    found: dict[str, list[float]] = {}
    (encoders,) = (node for node in space.layers if isinstance(node, Parallel))
    for branch in encoders.branches:
        one, prefix = alone(space, branch), f"encoders.{branch}."
        own = {name.removeprefix(prefix): value for name, value in choices.items() if name.startswith(prefix)}
        shared = {name: choices[name] for name in space.choices if name in choices}
        architecture = one.architecture({**own, **shared})
        (name,) = read_modalities(plan(one, architecture, benchmark.signature))
        evaluator = Evaluator(one, benchmark, data=given.data, device="cpu")
        for seed in range(given.seeds):
            record = evaluator(architecture, budget=benchmark.final_budget, seed=seed, final=True)
            found.setdefault(name, []).append(record.figures["test_accuracy"])
            print(f"{name}, seed {seed}: test accuracy {found[name][-1]:.4f}", flush=True)
    told = {name: {"mean": mean(values), "deviation": stdev(values), "test_accuracy": values} for name, values in found.items()}
    (given.folder / "alone.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
