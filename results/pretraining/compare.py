"""Pre-trained against from scratch, the same architectures and seeds: `python results/pretraining/compare.py [QUESTION ...]`.

Writes trainings.csv as it goes, and of it the tables of README.md: means, and differences with their intervals; what stands there
already is not trained again.
"""

import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
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
TEXTS = {"blocks": 4, "weights": "shipped", "frozen": 0, "rate": 0.01, "decay": 1, "rank": 0, "dropout": 0.2}
TEXTS_DRAWN = TEXTS | {"weights": "drawn", "rate": 0.03}
IMAGES = {"stages": 5, "side": 48, "weights": "shipped", "pool": "average", "dropout": 0, "frozen": 0, "rate": 1, "decay": 1}
IMAGES_DRAWN = IMAGES | {"weights": "drawn"}
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
        question: (
            Arm("pre-trained, all learns", f"reviews_{labels}_labels", "text_pretraining", BAG | {"tuned": "all"}),
            Arm("pre-trained, the head learns", f"reviews_{labels}_labels", "text_pretraining", BAG | {"tuned": "head"}),
            Arm("from scratch, as short", f"reviews_{labels}_labels", "text_pretraining", BAG | {"tuned": "all"}, plain=True),
            Arm("from scratch, as long", f"reviews_{labels}_labels_from_scratch", "text_pretraining", BAG | {"tuned": "all"}),
        )
        for question, labels in (
            ("reviews, 100 labels", 100),
            ("reviews, 1,000 labels", 1000),
            ("reviews, all 19,904 labels", "all"),
        )
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
    "reviews, 200 labels": (
        Arm("shipped weights", "reviews_200_labels_pieces", "shipped_texts", TEXTS),
        Arm("drawn anew", "reviews_200_labels_pieces", "shipped_texts", TEXTS_DRAWN),
    ),
    "clothes, 500 labels": (
        Arm("shipped weights", "fashion_mnist_500_labels", "shipped_images", IMAGES),
        Arm("drawn anew", "fashion_mnist_500_labels", "shipped_images", IMAGES_DRAWN),
    ),
}

TABLES = {
    "texts": [question for question in QUESTIONS if question.startswith("reviews") and question != "reviews, 200 labels"],
    "pictures and sounds": [
        question for question in QUESTIONS if "550" in question or "5,500" in question or "speaker" in question
    ],
    "shipped weights": ["reviews, 200 labels", "clothes, 500 labels"],
}
"""The tables of README.md, each of some questions."""

CONTROLS = {"cost": ("from scratch, as long",), "epochs": ("from scratch, as short", "drawn anew")}
"""What an arm is held against."""


def architecture(space: Space, answers: dict[str, Any]) -> Any:
    """The first answer to every choice but those given by the last word of its name."""
    return space.walk(lambda name, domain: answers.get(name.rpartition(".")[2], next(iter(domain))))


def trainings(asked: list[str], store: Path, done: set[tuple[str, str, int]]) -> Iterator[dict[str, Any]]:
    """What is not done yet of the questions that are asked, all arms of one seed before the next seed."""
    evaluators: dict[str, Evaluator] = {}
    for question in asked:
        for seed, arm in product(SEEDS, QUESTIONS[question]):
            if (question, arm.name, seed) in done:
                continue
            space, benchmark = resolve_space(arm.space), resolve_benchmark(arm.benchmark)
            if arm.plain:
                benchmark = replace(benchmark, protocol="supervised", protocol_options={})
            elif arm.options:
                benchmark = replace(benchmark, protocol_options={**benchmark.protocol_options, **arm.options})
            budget = replace(benchmark.final_budget, epochs=arm.epochs or benchmark.final_budget.epochs)
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


def table(rows: list[dict[str, str]], questions: Iterable[str]) -> str:
    """Means by arm, and what each gains over both controls."""
    heads = ("question", "arm", "seeds", "validation", "test", *(f"gain over the same {what}" for what in CONTROLS))
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for question in questions:
        found = {
            arm.name: {
                int(row["seed"]): [float(row[f"{split}_accuracy"]) for split in ("validation", "test")]
                for row in rows
                if (row["question"], row["arm"]) == (question, arm.name)
            }
            for arm in QUESTIONS[question]
        }
        controls = [next((found[name] for name in names if found.get(name)), {}) for names in CONTROLS.values()]
        for name, own in found.items():
            if len(own) < 2:
                continue
            means = [f"{mean:.3f}" for mean in np.mean(list(own.values()), axis=0)]
            told = [gain(own, control) if not any(name in names for names in CONTROLS.values()) else "" for control in controls]
            lines.append(f"| {' | '.join([question, name, str(len(own)), *means, *told])} |")
    return "\n".join(lines)


def gain(own: dict[int, list[float]], control: dict[int, list[float]]) -> str:
    """Of test accuracy, with its 95 % interval by t over pairs of a seed; nothing where there are no two pairs."""
    gaps = np.array([own[seed][1] - control[seed][1] for seed in sorted(set(own) & set(control))])
    if len(gaps) < 2:
        return ""
    mean, half = gaps.mean(), stats.t.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / len(gaps) ** 0.5
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})"


def page(text: str, rows: list[dict[str, str]]) -> str:
    """README.md with its tables made anew."""
    for name, questions in TABLES.items():
        begin, end = f"<!-- {name}: python results/pretraining/compare.py -->", "<!-- end -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n\n{table(rows, questions)}\n\n{end}{rest.partition(end)[2]}"
    return text


def main() -> None:
    """Train what is missing of the questions named, or of all, and write the tables."""
    asked = sys.argv[1:] or list(QUESTIONS)
    if unknown := set(asked) - set(QUESTIONS):
        sys.exit(f"There is no question {', '.join(sorted(unknown))}; there are: {'; '.join(QUESTIONS)}.")
    file = HERE / "trainings.csv"
    rows = read(file)
    done = {(row["question"], row["arm"], int(row["seed"])) for row in rows}
    with file.open("a", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
        if not rows:
            writer.writeheader()
        for row in trainings(asked, Path("run/trunks"), done):
            writer.writerow(row)
            out.flush()
            print(row, flush=True)
    readme = HERE / "README.md"
    readme.write_text(page(readme.read_text(encoding="utf-8"), read(file)), encoding="utf-8")


if __name__ == "__main__":
    main()
