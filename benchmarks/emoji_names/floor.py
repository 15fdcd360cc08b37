"""The floor: the German name of the emoji whose English name is nearest; `python -m benchmarks.emoji_names.floor [FILE]`."""

import sys
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks.emoji_names.task import load
from nas.protocols.translation import chrf
from nas.training import Split
from nas.training.translation import Translation


def texts(task: Translation, split: Split) -> tuple[list[str], list[str]]:
    """Sources and targets of a split."""
    examples = task.examples(split)
    return task.read(examples.inputs[:, : task.place]), task.read(examples.targets[:, task.place :].clamp(min=0))


def main(data: Path | None) -> None:
    """Print validation and test chrF of the source itself, and of the nearest name by what nearness is made of."""
    task = load(data)
    known, said = texts(task, "train")
    ways = {
        "characters": TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4)),
        "words": TfidfVectorizer(tokenizer=str.split, token_pattern=None),
    }
    for split in ("validation", "test"):
        sources, targets = texts(task, split)
        print(f"{split}, the source itself: chrF {chrf(sources, targets):.1f}")  # noqa: T201
        for name, way in ways.items():
            near = (way.fit(known).transform(sources) @ way.transform(known).T).toarray().argmax(1)
            print(f"{split}, the nearest by {name}: chrF {chrf([said[n] for n in near], targets):.1f}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
