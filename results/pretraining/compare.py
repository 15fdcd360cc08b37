"""Pre-trained against from scratch, the same architectures and seeds: `python results/pretraining/compare.py [QUESTION ...]`.

Writes trainings.csv as it goes, of which README.md tells the means, and the difference with its interval; what stands there
already is not trained again.
"""

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from nas.evaluation import Evaluator
from nas.searching.config import resolve_benchmark
from nas.space import Space, resolve_space

HERE = Path(__file__).parent
SEEDS = range(1, 6)
COLUMNS = (
    "question",
    "arm",
    "seed",
    "validation_accuracy",
    "test_accuracy",
    "pretrain_seconds",
    "train_seconds",
    "params",
    "digest",
)

BAG = {"features": 32, "times": 0, "pool": "average"}
IMAGES = {"stages": 3, "side": 32, "pool": "average", "dropout": 0}
CLOTHES = {"times": 2, "width": 32, "block": "inverted_residual"}
LONGER = {"fraction": 1.0, "epochs": 3}
SOUNDS = {
    "front": "log_mel",
    "hop_ms": 25,
    "offset": 0.01,
    "frequency": 0.2,
    "time": 0.2,
    "features": 16,
    "times": 2,
    "width": 32,
}


@dataclass(frozen=True)
class Arm:
    """One way to train one architecture."""

    name: str
    benchmark: str
    space: str
    answers: dict[str, Any]
    plain: bool = False
    """Whether the benchmark's own protocol is left aside: its labels and its recipe, and no more."""
    options: dict[str, Any] = field(default_factory=dict)
    """Of the protocol, where they differ from the benchmark's."""
    epochs: int | None = None
    """With labels, where they are more than a finalist's."""


QUESTIONS: dict[str, tuple[Arm, ...]] = {
    **{
        f"reviews, {labels} labels": (
            Arm("pre-trained, all learns", f"reviews_{labels}_labels", "text_pretraining", BAG | {"tuned": "all"}),
            Arm("pre-trained, the head learns", f"reviews_{labels}_labels", "text_pretraining", BAG | {"tuned": "head"}),
            Arm("from scratch, as short", f"reviews_{labels}_labels", "text_pretraining", BAG | {"tuned": "all"}, plain=True),
            Arm("from scratch, as long", f"reviews_{labels}_labels_from_scratch", "text_pretraining", BAG | {"tuned": "all"}),
        )
        for labels in (100, 1000)
    },
    **{
        question: (
            Arm("pre-trained, all learns", benchmark, space, answers),
            Arm("from scratch, as long", f"{benchmark}_from_scratch", space, answers),
            Arm("from scratch, as short", benchmark, space, answers, plain=True),
        )
        for question, benchmark, space, answers in (
            ("clothes, 550 labels", "fashion_mnist_1_percent", "image_pretraining", CLOTHES),
            ("clothes, 5,500 labels", "fashion_mnist_10_percent", "image_pretraining", CLOTHES),
            ("digits of a new speaker, 40 labels", "spoken_digits_new_speaker_2_percent", "audio_cnn", SOUNDS),
        )
    },
    "clothes, 550 labels, ten times as long": tuple(
        Arm(name, f"fashion_mnist_1_percent{twin}", "image_pretraining", CLOTHES, plain, LONGER, 40)
        for name, twin, plain in (
            ("pre-trained, all learns", "", False),
            ("from scratch, as long", "_from_scratch", False),
            ("from scratch, as short", "", True),
        )
    ),
    "clothes, 500 labels": tuple(
        Arm(name, "fashion_mnist_500_labels", "search_spaces/shipped_images/space.yaml", IMAGES | {"weights": weights})
        for name, weights in (("shipped weights", "shipped"), ("from scratch", "drawn"))
    ),
}


def architecture(space: Space, answers: dict[str, Any]) -> Any:
    """The first answer to every choice but those given by the last word of its name."""
    return space.walk(lambda name, domain: answers.get(name.rpartition(".")[2], next(iter(domain))))


def trainings(asked: list[str], store: Path, done: set[tuple[str, str, int]]) -> Iterator[dict[str, Any]]:
    """What is not done yet of the questions that are asked."""
    evaluators: dict[str, Evaluator] = {}
    for question in asked:
        for arm in QUESTIONS[question]:
            space, benchmark = resolve_space(arm.space), resolve_benchmark(arm.benchmark)
            if arm.plain:
                benchmark = replace(benchmark, protocol="supervised", protocol_options={})
            elif arm.options:
                benchmark = replace(benchmark, protocol_options={**benchmark.protocol_options, **arm.options})
            budget = replace(benchmark.final_budget, epochs=arm.epochs or benchmark.final_budget.epochs)
            for seed in SEEDS:
                if (question, arm.name, seed) in done:
                    continue
                key = f"{arm.benchmark} by {benchmark.protocol} {benchmark.protocol_options}"
                if key not in evaluators:
                    evaluators[key] = Evaluator(space, benchmark, device="cpu", store=store)
                record = evaluators[key](architecture(space, arm.answers), budget=budget, seed=seed, final=True)
                if record.error is not None:
                    sys.exit(f"{question}, {arm.name}, seed {seed}: {record.error.message}")
                row = {"question": question, "arm": arm.name, "seed": seed, "digest": (record.weights_sha256 or "")[:16]}
                yield row | {name: record.figures.get(name, "") for name in COLUMNS if name in record.figures}


def read(file: Path) -> list[dict[str, str]]:
    """The trainings that are done."""
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def table(rows: list[dict[str, str]]) -> str:
    """Means by arm, and the gain over the control of most seeds, with 95 % t intervals over pairs of a seed."""
    lines = ["| question | arm | seeds | validation | test | gain |", "|---|---|---|---|---|---|"]
    for question, arms in QUESTIONS.items():
        found = {
            arm.name: {int(row["seed"]): row for row in rows if (row["question"], row["arm"]) == (question, arm.name)}
            for arm in arms
        }
        scratch = max((found[arm.name] for arm in arms if arm.name.startswith("from scratch")), key=len)
        for arm in arms:
            own = found[arm.name]
            if len(own) < 2:
                continue
            validation, test = (
                np.mean([float(row[f"{split}_accuracy"]) for row in own.values()]) for split in ("validation", "test")
            )
            both = sorted(set(own) & set(scratch))
            gaps = np.array([float(own[seed]["test_accuracy"]) - float(scratch[seed]["test_accuracy"]) for seed in both])
            told = ""
            if not arm.name.startswith("from scratch") and len(gaps) > 1:
                half = stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / len(gaps) ** 0.5
                told = f"{gaps.mean():+.3f} ({gaps.mean() - half:+.3f} to {gaps.mean() + half:+.3f})"
            lines.append(f"| {question} | {arm.name} | {len(own)} | {validation:.3f} | {test:.3f} | {told} |")
    return "\n".join(lines)


def main() -> None:
    """Train what is missing of the questions named, or of all, and print the table."""
    asked = sys.argv[1:] or list(QUESTIONS)
    if unknown := set(asked) - set(QUESTIONS):
        sys.exit(f"There is no question {', '.join(sorted(unknown))}; there are: {'; '.join(QUESTIONS)}.")
    file = HERE / "trainings.csv"
    rows = read(file)
    done = {(row["question"], row["arm"], int(row["seed"])) for row in rows}
    with file.open("a", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS, restval="")
        if not rows:
            writer.writeheader()
        for row in trainings(asked, Path("run/trunks"), done):
            writer.writerow(row)
            out.flush()
            print(row, flush=True)
    print(table(read(file)))


if __name__ == "__main__":
    main()
