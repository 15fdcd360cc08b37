"""Rows of a picture, a series and a text, of which any tells the class, and a network that looks at all of them."""

from typing import Any

import torch

from nas.benchmark import Benchmark, Budget, Features, Image, Modalities, Objective, Recipe, Sequence, Signature, Tokens
from nas.evaluation import Evaluator
from nas.space import Architecture, parse_space
from nas.training import Classification, Examples, Split

CLASSES = 3
INPUT = Modalities.of(image=Image(1, 4, 4), series=Sequence(3, 2), text=Tokens(2, 5))

SPACE = parse_space("""
name: toy_rows
version: 1
accepts: modalities
layers:
  - modality_dropout: {rate: [0, 0.5]}
  - parallel: encoders
    merge: join
    branches:
      image: [modality: {name: image}, patch_embedding: {size: 2, features: 8}]
      series: [modality: {name: series}, embedding: {features: 8, dropout: 0.1}]
      text: [modality: {name: text}, embedding: {features: 8}]
  - shared_space: {weight: [0, 1], temperature: 0.2}
  - one_of: fusion
    options:
      modality_fusion: {kind: gated, features: 8}
      cross_modal_block: {heads: 2, ratio: 1}
  - head
""")


def rows(count: int, seed: int) -> Examples:
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % CLASSES
    image = torch.randn(count, 16, generator=generator) + 5 * torch.nn.functional.one_hot(targets, 16)
    series = torch.randn(count, 6, generator=generator) + 5 * torch.nn.functional.one_hot(targets, 6)
    text = torch.stack([targets + 1, torch.randint(1, 5, (count,), generator=generator)], dim=1)
    return Examples(torch.cat([image, series, text.float()], dim=1), targets)


def task() -> Classification:
    sizes: dict[Split, tuple[int, int]] = {"train": (48, 0), "validation": (24, 1), "test": (24, 2)}
    return Classification(lambda split: rows(*sizes[split]))


def benchmark(recipe: Recipe = Recipe(batch_size=8, learning_rate=0.01), **changes: Any) -> Benchmark:  # noqa: B008 - frozen
    asked: dict[str, Any] = {"protocol": "contrastive", "protocol_options": {"pairs": "class"}, **changes}
    return Benchmark(
        name="toy_rows",
        version=1,
        summary="rows",
        signature=Signature(asked.pop("input", INPUT), Features(CLASSES)),
        objectives=(Objective("validation_accuracy", "maximize"),),
        budget=Budget(epochs=2),
        final_budget=Budget(epochs=2),
        recipe=recipe,
        task="nowhere:nothing",
        source="made here",
        licence="none",
        **asked,
    )


def evaluator(recipe: Recipe = Recipe(batch_size=8, learning_rate=0.01), **changes: Any) -> Evaluator:  # noqa: B008
    return Evaluator(SPACE, benchmark(recipe, **changes), device="cpu")


def architecture(rate: float = 0.5, weight: float = 1, fusion: str = "modality_fusion") -> Architecture:
    return SPACE.architecture({"modality_dropout.rate": rate, "shared_space.weight": weight, "fusion": fusion})
