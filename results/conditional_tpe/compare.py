"""Ways of TPE on conditional spaces whose every answer is known: `python results/conditional_tpe/compare.py [--seeds N]`.

Public tables of flat spaces are declared as trees: an edge of NAS-Bench-201 is nothing or something, that a skip, a pooling or
a convolution, and only a convolution has a kernel; a stage of NAS-Bench-Macro repeats its layers. Each search goes on as
`nas search` does, a proposal by chance after five in a row that brought nothing new, until 200 different architectures are known.
The tables are looked for in the folder that NAS_DATA names. What is in regrets.csv is not searched again.
"""

import argparse
import csv
import os
from collections.abc import Callable
from itertools import product
from pathlib import Path

import optuna
import pandas as pd

from nas.benchmark import Budget, Objective
from nas.records import Record, this_machine
from nas.space import Architecture, Space, parse_space
from nas.strategies import IDLE_BEFORE_CHANCE, Guide

HERE = Path(__file__).parent
AT = (50, 100, 200)
STRATEGIES = ("tpe", "tpe:optuna", "tpe:group")
MOST_PROPOSALS = 2_000
STAGES = (2, 3, 3)
"""Layers of Macro's stages; an identity anywhere but in the first place of a stage makes the same network as at its end."""

EDGES = ("0-1", "0-2", "1-2", "0-3", "1-3", "2-3")
EDGE = """
  - one_of: edge{edge}
    options:
      nothing: []
      something:
        - one_of: kind
          options: {{skip_connect: [], avg_pool_3x3: [], convolution: [{{convolution: {{kernel: [1, 3]}}}}]}}"""

STAGE = """
  - {{layer: {{kind: [identity, mb3_k3, mb6_k5]}}, name: first{stage}}}
  - {{repeat: stage{stage}, times: {{int: [0, {most}]}}, layers: [{{layer: {{kind: [mb3_k3, mb6_k5]}}}}]}}"""

HEAD = "name: {name}\nversion: 1\naccepts: image\nlayers:"

Regret = Callable[[Architecture], float]


def nas_bench_201(data: str) -> tuple[Space, Regret]:
    """The tree, and how far an architecture's test accuracy after 200 epochs lies below the best."""
    regrets = table(f"nas-bench-201-{data}", "test_accuracy@200", [f"edge{edge}" for edge in EDGES])
    space = parse_space(HEAD.format(name=data) + "".join(EDGE.format(edge=edge.replace("-", "_")) for edge in EDGES))

    def operation(architecture: Architecture, edge: str) -> str:
        at = f"edge{edge.replace('-', '_')}"
        mine = {name.rpartition(".")[2]: str(value) for name, value in architecture.choices.items() if name.startswith(f"{at}.")}
        if not mine:
            return "none"
        return f"nor_conv_{mine['kernel']}x{mine['kernel']}" if mine["kind"] == "convolution" else mine["kind"]

    return space, lambda architecture: regrets[tuple(operation(architecture, edge) for edge in EDGES)]


def macro() -> tuple[Space, Regret]:
    """The tree, and how far an architecture's mean accuracy lies below the best."""
    regrets = table("nas-bench-macro", "accuracy", [f"layer{n}" for n in range(sum(STAGES))])
    stages = [STAGE.format(stage=stage, most=layers - 1) for stage, layers in enumerate(STAGES)]
    space = parse_space(HEAD.format(name="macro") + "".join(stages))

    def regret(architecture: Architecture) -> float:
        layers: list[str] = []
        for stage, most in enumerate(STAGES):
            kinds = [
                str(value)
                for name, value in architecture.choices.items()
                if name.startswith(f"stage{stage}.") and "times" not in name
            ]
            layers += [str(architecture.choices[f"first{stage}.kind"]), *kinds, *["identity"] * (most - 1 - len(kinds))]
        return regrets[tuple(layers)]

    return space, regret


def table(name: str, figure: str, choices: list[str]) -> dict[tuple[str, ...], float]:
    """Answers → how far the figure lies below the best."""
    rows = pd.read_csv(Path(os.environ["NAS_DATA"]) / "tables" / f"{name}.csv.gz")
    answers = rows[[f"choice:{choice}" for choice in choices]].itertuples(index=False, name=None)
    return dict(zip(answers, rows[figure].max() - rows[figure], strict=True))


def search(space: Space, regret: Regret, strategy: str, seed: int) -> list[float]:
    """The least regret after each of AT architectures, and the proposals that were made for them."""
    guide = Guide(space, [Objective("regret", "minimize")], strategy=strategy, seed=seed)
    known: dict[str, float] = {}
    idle = number = 0
    while len(known) < AT[-1] and number < MOST_PROPOSALS:
        proposal = guide.ask(number, at_random=idle >= IDLE_BEFORE_CHANCE)
        idle = idle + 1 if proposal.architecture.id in known else 0
        figure = known.setdefault(proposal.architecture.id, regret(proposal.architecture))
        guide.tell(
            proposal,
            Record(
                outcome="complete",
                figures={"regret": figure},
                seed=seed,
                budget=Budget(epochs=1),
                device="cpu",
                threads=1,
                machine=this_machine(),
            ),
        )
        number += 1
    return [*(min([*known.values()][:count]) for count in AT), number]


def main() -> None:
    """Search what regrets.csv lacks, and print its means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    questions = {"cifar10": nas_bench_201("cifar10"), "cifar100": nas_bench_201("cifar100"), "macro": macro()}
    file = HERE / "regrets.csv"
    header = ["question", "strategy", "seed", *(f"regret@{count}" for count in AT), "proposals"]
    if not file.exists():
        file.write_text(",".join(header) + "\n")
    kept = pd.read_csv(file)
    done = {*kept[header[:3]].itertuples(index=False, name=None)}
    for seed, name, strategy in product(range(parser.parse_args().seeds), questions, STRATEGIES):
        if (name, strategy, seed) not in done:
            least = search(*questions[name], strategy, seed)
            with file.open("a", newline="") as rows:
                csv.writer(rows, lineterminator="\n").writerow([name, strategy, seed, *(round(figure, 4) for figure in least)])
    found = pd.read_csv(file).groupby(["question", "strategy"])[header[3:]]
    print(found.agg(["mean", "sem"]).round(3).to_string())


if __name__ == "__main__":
    main()
