"""Who is trained on, who is validated on, and who is left for the test: as the data say, else drawn once and for all."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nas.datasets.listing import PARTS, Part
from nas.errors import BenchmarkError, quote

SHARES = {"validation": 0.15, "test": 0.15}
"""Of the examples of each class."""

MOST = 10_000
"""Examples of a split that is drawn for validation or test."""

FEWEST = 3
"""Examples of a class: one for each split."""

SEED = 0


def split(given: Sequence[Part | None], labels: Sequence[str], prints: Sequence[str], *, classes: bool = True) -> list[Part]:
    """The split of each example: the one that is `given`, else drawn, stratified by label, with a fixed seed.

    What is missing is drawn from the training examples. Examples with one print, which are the same, stay together.
    Without `classes` there are none to be fair to.

    Raises:
        BenchmarkError: a class is too small to stand in every split, or is missing from the training data.
    """
    found: list[Part] = ["train" if part is None else part for part in given]
    if classes:
        _check(found, labels)
    random = np.random.RandomState(SEED)
    for part in ("test", "validation"):
        if part in given:
            continue
        members: dict[str, dict[str, list[int]]] = {}
        for n, now in enumerate(found):
            if now == "train":
                members.setdefault(labels[n] if classes else "", {}).setdefault(prints[n], []).append(n)
        total = sum(len(one) for groups in members.values() for one in groups.values())
        scale = min(1.0, MOST / max(1.0, SHARES[part] * total))
        # Validation is drawn of what is left when the test is taken away.
        share = SHARES[part] * scale / (1 - SHARES["test"] if part == "validation" and "test" not in given else 1)
        for label in sorted(members):
            groups = [members[label][one] for one in sorted(members[label])]
            wanted = max(1, round(share * sum(map(len, groups))))
            taken = 0
            for position in random.permutation(len(groups)):
                if taken >= wanted:
                    break
                for n in groups[position]:
                    found[n] = part
                taken += len(groups[position])
    if classes:
        _check_drawn(found, labels)
    return found


def _check(found: Sequence[Part], labels: Sequence[str]) -> None:
    """Of splits that the data have, or of all in one."""
    counts = Counter(labels)
    if len(counts) < 2:
        raise BenchmarkError(f"There is one class, {quote(labels[0])}; there must be two or more to tell apart.")
    trained = Counter(label for label, part in zip(labels, found, strict=True) if part == "train")
    for label in sorted(counts):
        if label not in trained:
            raise BenchmarkError(f"The class {quote(label)} stands in no training data; add some, or take it out.")
    fewest = FEWEST - len(set(found) - {"train"})
    small = [label for label in sorted(counts) if trained[label] < fewest]
    if small:
        more = f", and {len(small) - 1:,} more classes have too few" if len(small) > 1 else ""
        raise BenchmarkError(
            f"The class {quote(small[0])} has {trained[small[0]]} example{'s' if trained[small[0]] != 1 else ''} and needs "
            f"{fewest}, one for each split{more}; add some, or take it out."
        )


def _check_drawn(found: Sequence[Part], labels: Sequence[str]) -> None:
    """A class whose examples are all alike cannot be in two splits."""
    trained = {label for label, part in zip(labels, found, strict=True) if part == "train"}
    for label in sorted(set(labels)):
        if label not in trained:
            raise BenchmarkError(f"The examples of the class {quote(label)} are the same again and again; add others.")
    for part in PARTS:
        if part not in found:
            raise BenchmarkError(f"There are too few examples for a split {part!r}, {len(found)} in all; add some.")
