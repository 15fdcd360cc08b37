"""How candidates are trained, by how many examples there are and of what: what one would begin with by hand."""

import math
from dataclasses import dataclass, field
from typing import Any

from nas.benchmark import Budget, Objective, Recipe
from nas.datasets.declaration import AnyKind, Captions, Links, Pictures, Rows, Sounds, TextPairs, Texts

STEPS = {"images": 300, "audio": 300, "text": 400, "table": 400, "text_pairs": 700, "captions": 300}
"""Steps of the optimiser in a search's evaluation, about."""

LINKS = 90_000
"""Triples of a knowledge graph that are learned in a search's evaluation, about, each as often as there are epochs."""

FINAL = 3
"""A finalist has so many times the steps."""

FEWEST_EPOCHS = 4

FORGOTTEN = 0.15
"""Share of a target's characters that networks are not shown in training, so that the source is read."""

MOST_EPOCHS = {
    "images": (40, 150),
    "audio": (40, 120),
    "text": (12, 24),
    "table": (40, 150),
    "text_pairs": (20, 40),
    "captions": (40, 120),
}
"""In a search, and of a finalist: words are soon known by heart."""

UNEVEN = 3.0
"""Where the largest class has more than so many times the examples of the smallest, all classes count alike."""


@dataclass(frozen=True)
class Chosen:
    """What a benchmark says of training, and of what counts."""

    budget: Budget
    final_budget: Budget
    recipe: Recipe
    objective: Objective
    metrics: tuple[str, ...]
    protocol_options: dict[str, int | float] = field(default_factory=dict)


def choose(prepare: AnyKind, train: int, unevenness: float | None) -> Chosen:
    """For `train` training examples; `unevenness` is how many times the smallest class the largest is, None without classes."""
    if isinstance(prepare, Links):  # as the knowledge graphs that are installed have it
        epochs = max(2, min(30, round(LINKS / train)))
        recipe = Recipe(batch_size=256, learning_rate=0.01, weight_decay=0.0)
        return Chosen(Budget(epochs=epochs), Budget(epochs=2 * epochs), recipe, Objective("validation_mrr", "maximize"), ())
    batch = 32 if train < 1_000 else 64 if train < 10_000 else 128
    steps: float = STEPS[prepare.kind]
    seen = prepare.pixels if isinstance(prepare, Captions) else prepare
    if isinstance(seen, Pictures):  # a step on a large picture costs more
        steps *= min(1.0, 32 / math.sqrt(seen.height * seen.width))
    an_epoch = train / batch
    fraction = 1.0
    if FEWEST_EPOCHS * an_epoch > 1.5 * steps:
        fraction = max(0.01, round(steps / (FEWEST_EPOCHS * an_epoch), 2))
    most, most_final = MOST_EPOCHS[prepare.kind]
    epochs = max(FEWEST_EPOCHS, min(most, round(steps / (an_epoch * fraction))))
    final = max(FEWEST_EPOCHS if fraction < 1 else 2 * epochs, min(most_final, round(FINAL * steps / an_epoch)))
    metrics: tuple[str, ...]
    if isinstance(prepare, TextPairs):
        objective, metrics = Objective("validation_chrf", "maximize"), ()
    elif isinstance(prepare, Captions):
        objective, metrics = Objective("validation_recall_at_5", "maximize"), ()
    elif unevenness is None:
        objective, metrics = Objective("validation_rmse", "minimize"), ("mae", "r2")
    elif unevenness > UNEVEN:
        objective, metrics = Objective("validation_balanced_accuracy", "maximize"), ("balanced_accuracy", "f1")
    else:
        objective, metrics = Objective("validation_accuracy", "maximize"), ()
    smoothing = 0.05 if unevenness is not None else 0.0
    recipe = Recipe(batch_size=min(batch, max(8, train // 4)), **{"label_smoothing": smoothing, **_recipe(prepare)})
    options = {"forgotten": FORGOTTEN} if isinstance(prepare, TextPairs) else {}
    return Chosen(Budget(epochs=epochs, fraction=fraction), Budget(epochs=final), recipe, objective, metrics, options)


def _recipe(prepare: Pictures | Sounds | Texts | Rows | TextPairs | Captions) -> dict[str, Any]:
    """What the kind asks for, as the benchmarks that are installed have it."""
    if isinstance(prepare, Pictures):
        return {"learning_rate": 4e-3, "weight_decay": 0.02, "shift": max(1, min(prepare.height, prepare.width) // 24)}
    if isinstance(prepare, Sounds):
        return {"learning_rate": 4e-3, "weight_decay": 0.02, "shift": prepare.length // 8}
    if isinstance(prepare, Texts):
        return {"learning_rate": 3e-3, "weight_decay": 0.05, "gradient_norm": 1.0}
    if isinstance(prepare, TextPairs):  # on `emoji_names` Muon learned as much in half the steps
        more = {"optimizer": "muon", "label_smoothing": 0.1}
        return {"learning_rate": 1e-2, "weight_decay": 0.05, "gradient_norm": 1.0, **more}
    if isinstance(prepare, Captions):
        return {"learning_rate": 4e-3, "weight_decay": 0.05, "gradient_norm": 1.0}
    return {"learning_rate": 3e-3, "weight_decay": 0.01}
