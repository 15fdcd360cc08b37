"""What each modality is worth alone, and in one space: `python results/cross_modal/alone.py [FOLDER] [--data DIR] [--seeds N]`.

Takes the winner of the leaderboard in FOLDER, and trains each of its encoders alone with a head, from several seeds, with the
budget of a finalist; then, unless it has won with one, the whole network with a space that its encoders share. Writes alone.json
beside the leaderboard as it goes: the test accuracy of each training, what fusion gains over the best encoder, what is left with
modalities missing, and how often one modality finds another in the shared space; each mean with its 95 % interval over trainings.
Of the same winner, what stands there is not trained again. The README's tables are made anew of all that is kept; without FOLDER
they are made alone.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from math import comb
from os.path import relpath
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

from nas.benchmark import Benchmark
from nas.errors import NasError
from nas.evaluation import Evaluator
from nas.models import plan
from nas.protocols.contrastive import read_modalities
from nas.protocols.retrieval import RANKS
from nas.searching import resolve_benchmark, resolve_space
from nas.space import Layer, Node, Parallel, Space
from nas.training import load_task

HERE = Path(__file__).parent
RESULTS = HERE.parent
BEGIN, END = "<!-- tables: python results/cross_modal/alone.py -->", "<!-- end of the tables -->"

CAPTIONS = 380
"""Emoji in the test data of `emoji_captions`."""

Figure = dict[str, float]
"""Mean, deviation and count of several trainings; or several figures by name."""

Found = dict[str, list[float]]
"""Name → a figure of each training."""


def alone(space: Space, branch: str) -> Space:
    """The networks of one encoder of `space`, with a head; of members that learn apart, of that encoder of each."""
    layers: tuple[Node, ...]
    if members := members_of(space):
        pairs = {
            name: (*inner.branches[branch], member[-1])
            for (name, member), inner in zip(members.branches.items(), forks(members), strict=True)
        }
        layers = (Layer("own_losses"), replace(members, branches=pairs))
    else:
        layers = (*encoders(space).branches[branch], Layer("head"))
    return Space(
        name=f"{space.name}_{branch}", version=space.version, accepts=space.accepts, layers=layers, choices=space.choices
    )


def encoders(space: Space) -> Parallel:
    """Where its branches stand; of members those of the first."""
    return forks(members_of(space) or space)[0]


def members_of(space: Space) -> Parallel | None:
    """Where members that learn apart stand."""
    apart = any(isinstance(node, Layer) and node.kind == "own_losses" for node in space.layers)
    return next(node for node in space.layers if isinstance(node, Parallel)) if apart else None


def forks(of: Space | Parallel) -> list[Parallel]:
    """Where encoders stand: in a space, or in each of its members."""
    inside = [of.layers] if isinstance(of, Space) else list(of.branches.values())
    return [node for nodes in inside for node in nodes if isinstance(node, Parallel)]


def trainings(
    winner: dict[str, Any],
    space: Space,
    benchmark: Benchmark,
    known: Found,
    *,
    seeds: int,
    data: Path | None,
) -> Iterator[Found]:
    """Modality → test accuracies, after each training; those that are `known` come first."""
    choices = winner["choices"]
    found = {modality: list(values) for modality, values in known.items()}
    yield found
    for branch in encoders(space).branches:
        one, place = alone(space, branch), f"encoders.{branch}."
        own = {name.replace(place, "", 1): value for name, value in choices.items() if place in name}
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


def in_one_space(
    winner: dict[str, Any], space: Space, benchmark: Benchmark, known: Found, *, seeds: int, data: Path | None
) -> Iterator[Found]:
    """Accuracy and recall of the winner with a shared space, after each training; those that are `known` come first.

    Weight and temperature are the space's first. A winner that has a shared space was measured in its finals; members that learn
    apart have none.
    """
    found = {name: list(values) for name, values in known.items()}
    yield found
    if has_one_space(winner) or members_of(space) or len(found.get("accuracy", [])) >= seeds:
        return
    answers = {**winner["choices"], "space": "shared_space"}
    architecture = space.walk(lambda name, domain: answers.get(name, next(iter(domain))))
    evaluator = Evaluator(space, benchmark, data=data, device="cpu")
    for seed in range(len(found.get("accuracy", [])), seeds):
        record = evaluator(architecture, budget=benchmark.final_budget, seed=seed, final=True)
        for name, value in record.figures.items():
            if name == "test_accuracy" or name.startswith("test_recall_at_"):
                found.setdefault(name.removeprefix("test_"), []).append(value)
        print(f"in one space, seed {seed}: {', '.join(f'{name} {values[-1]:.4f}' for name, values in found.items())}", flush=True)
        yield found


def has_one_space(winner: dict[str, Any]) -> bool:
    """Whether its finals say how its encoders find each other."""
    return any(name.startswith("test_recall_at_") for name in winner["figures"])


def figure(values: list[float]) -> Figure:
    """Of several trainings."""
    return {"mean": mean(values), "deviation": stdev(values), "count": len(values)}


def interval(one: Figure, other: Figure | None = None) -> Figure:
    """The mean with its 95 % t interval; beside `other` that of their difference, by Welch's t."""
    sides = [side for side in (one, other) if side]
    shares = [side["deviation"] ** 2 / side["count"] for side in sides]
    apart = one["mean"] - (other["mean"] if other else 0)
    if not any(shares):  # all trainings came to the same
        return {"mean": apart, "low": apart, "high": apart}
    freedom = sum(shares) ** 2 / sum(share**2 / (side["count"] - 1) for share, side in zip(shares, sides, strict=True))
    half = float(student.ppf(0.975, freedom)) * sum(shares) ** 0.5
    return {"mean": apart, "low": apart - half, "high": apart + half}


def chance(benchmark: Benchmark, data: Path | None) -> Figure:
    """On the test: accuracy of answering the largest class always, and recall in an order that is drawn."""
    counts = load_task(benchmark, data).examples("test").targets.bincount().tolist()
    return {"accuracy": max(counts) / sum(counts), **drawn(counts, by_class=benchmark.protocol_options.get("pairs") == "class")}


def drawn(counts: list[int], *, by_class: bool) -> Figure:
    """Recall at each rank where the order is drawn, of classes with so many examples.

    What belongs to an example is itself or, `by_class`, all n of its class: of all N, k that are drawn hold none of them with
    the probability (N - n over k) / (N over k).
    """
    total = sum(counts)
    missed = {
        k: sum(count * comb(total - (count if by_class else 1), k) for count in counts) / total / comb(total, k) for k in RANKS
    }
    return {f"recall_at_{k}": 1 - share for k, share in missed.items()}


def tell(winner: dict[str, Any], found: Found, shared: Found, guessed: Figure) -> dict[str, Any]:
    """All that is kept; what fusion gains where each modality has two trainings or more."""
    told: dict[str, Any] = {
        "architecture": winner["architecture"],
        "chance": guessed,
        "trainings": found,
        "trainings_in_one_space": shared,
    }
    if has_one_space(winner):
        names = [name for name in winner["figures"] if name == "test_accuracy" or name.startswith("test_recall_at_")]
        told["in_one_space"] = {name.removeprefix("test_"): interval(winner["figures"][name]) for name in names}
    elif len(shared.get("accuracy", [])) > 1:
        told["in_one_space"] = {name: interval(figure(values)) for name, values in shared.items()}
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


def train(folder: Path, *, seeds: int, data: Path | None) -> None:
    """Train what is not there of the winner in `folder`, print a line a training, and keep what came of them."""
    final = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))[0]
    winner, file = final["rows"][0], folder / "alone.json"
    space = resolve_space(shlex.split((folder / "commands.sh").read_text(encoding="utf-8"))[2])
    benchmark = resolve_benchmark(final["benchmark"].partition(" v")[0])
    before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if before.get("architecture") != winner["architecture"]:
        before = {}
    kept: dict[str, Found] = {name: before.get(name, {}) for name in ("trainings", "trainings_in_one_space")}
    guessed = chance(benchmark, data)
    for name, each in (("trainings", trainings), ("trainings_in_one_space", in_one_space)):
        for found in each(winner, space, benchmark, kept[name], seeds=seeds, data=data):
            kept[name] = found
            told = tell(winner, kept["trainings"], kept["trainings_in_one_space"], guessed)
            file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def told_files() -> list[Path]:
    """What is kept beside reference leaderboards, and here."""
    return [*sorted(RESULTS.glob("*/*/*/alone.json")), *sorted(HERE.glob("*/alone.json"))]


def tables() -> str:
    """Accuracy of all that are kept, and recall in every direction; of benchmarks without classes the recall of their winners."""
    kept = {file.parent: json.loads(file.read_text(encoding="utf-8")) for file in told_files()}
    accuracy = [
        "| benchmark | test accuracy | modality | alone | all but this | the network with this alone | chance |",
        "|---|---|---|---|---|---|---|",
    ]
    recall = ["| benchmark | asked by, to find | recall at 1 | at 5 | at 10 | in a drawn order |", "|---|---|---|---|---|---|"]
    for folder, told in kept.items():
        name = _link(folder)
        accuracy.append(f"| {name} | **{_told(told['fusion'])}** | all together | | | | {told['chance']['accuracy']:.3f} |")
        for modality in told["trainings"]:
            left = (told["missing"].get(way.format(modality)) for way in ("without_{}", "with_{}_alone"))
            cells = (_told(one) if one else "" for one in (told["alone"][modality], *left))
            accuracy.append(f"| | | {modality} | {' | '.join(cells)} | |")
        gain = told["gain"]
        accuracy.append(
            f"| | **{gain['mean']:+.3f}** ({gain['low']:+.3f} to {gain['high']:+.3f}) | over {gain['over']} alone | | | | |"
        )
        if shared := told.get("in_one_space"):
            recall += _directions(name, shared, told["chance"], f"beside an accuracy of {_told(shared['accuracy'])}")
    for folder in sorted(file.parent for file in RESULTS.glob("emoji_captions-*/*/*/leaderboard.json")):
        winner = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))[0]["rows"][0]["figures"]
        found = {name.removeprefix("test_"): interval(one) for name, one in winner.items() if name.startswith("test_recall_at_")}
        recall += _directions(_link(folder), found, drawn([1] * CAPTIONS, by_class=False), "")
    return "\n".join([*accuracy, "", *recall])


def _directions(name: str, found: dict[str, Figure], guessed: Figure, beside: str) -> list[str]:
    """A row a direction, and one of their mean."""
    ways = sorted(one.removeprefix("recall_at_1_") for one in found if one.startswith("recall_at_1_"))
    rows = [f"| {name} | **all directions**{f', {beside}' if beside else ''} | {_recalls(found, '')} | {_guess(guessed)} |"]
    return rows + [f"| | {way.replace('_to_', ' → ')} | {_recalls(found, f'_{way}')} | |" for way in ways]


def _recalls(found: dict[str, Figure], way: str) -> str:
    return " | ".join(_told(found[f"recall_at_{k}{way}"]) for k in RANKS)


def _guess(guessed: Figure) -> str:
    return ", ".join(f"{guessed[f'recall_at_{k}']:.3f}" for k in RANKS)


def _link(folder: Path) -> str:
    final = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))[0]
    return f"[{final['benchmark']}]({relpath(folder, HERE)})"


def _told(figure: Figure) -> str:
    """The mean with half its interval."""
    return f"{figure['mean']:.3f} ± {figure['high'] - figure['mean']:.3f}"


def write() -> None:
    """Put the tables in their place."""
    path = HERE / "README.md"
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    path.write_text(f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def main() -> None:
    """Train what is asked for, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--data", type=Path, default=None, metavar="DIR")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    if given.folder:
        train(given.folder, seeds=given.seeds, data=given.data)
    write()


if __name__ == "__main__":
    try:
        main()
    except (NasError, OSError) as error:
        sys.exit(f"alone: {error}")
