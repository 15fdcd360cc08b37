"""Texts of few words, of which many are without labels: is there more of the one word in them or of the other?"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from nas.benchmark import Benchmark, Budget, Features, Objective, Recipe, Signature, Tokens
from nas.evaluation import Evaluator
from nas.space import Architecture, Space, parse_space
from nas.training import Classification, Examples

LENGTH, VOCABULARY = 8, 12

BENCHMARK = Benchmark(
    name="toy_texts",
    version=1,
    summary="few words",
    signature=Signature(Tokens(LENGTH, VOCABULARY), Features(2)),
    objectives=(Objective("validation_accuracy", "maximize"),),
    budget=Budget(epochs=2),
    final_budget=Budget(epochs=2),
    recipe=Recipe(batch_size=8, learning_rate=0.01),
    task="toy_texts:load",
    source="made here",
    licence="none",
    protocol="pretrain_then_fine_tune",
    protocol_options={"pretext": "masked_tokens", "epochs": 2, "recipe": {"batch_size": 16}},
)

SPACE = """
name: toy_encoder
version: 1
accepts: tokens
layers:
  - embedding: {features: 8, dropout: 0.1}
  - encoder_block: {heads: 2, ratio: 1, positions: rotary, causal: [false, true]}
  - norm: {kind: layer}
  - fine_tuning: {frozen: [0, 0.5, 1], decay: [1, 0.5], rank: [0, 2]}
  - head: {pool: [average, max]}
"""


def texts(count: int, seed: int) -> Examples:
    generator = torch.Generator().manual_seed(seed)
    tokens_NL = torch.randint(2, VOCABULARY, (count, LENGTH), generator=generator)
    tokens_NL[:, 0] = 0
    return Examples(tokens_NL, ((tokens_NL == 2).sum(1) > (tokens_NL == 3).sum(1)).long())


class ToyTexts(Classification):
    def __init__(self) -> None:
        sizes = {"train": (24, 0), "validation": (40, 1), "test": (40, 2)}
        super().__init__(lambda split: texts(*sizes[split]))

    def unlabelled(self, split: str) -> Examples:
        return texts(64 if split == "train" else 32, 3 if split == "train" else 4)


def benchmark(**options: Any) -> Benchmark:
    given: Mapping[str, Any] = {**BENCHMARK.protocol_options, **options}
    return replace(BENCHMARK, protocol_options=given)


def space(text: str = SPACE) -> Space:
    return parse_space(text)


def architecture(**chosen: Any) -> Architecture:
    """The first answer to everything, but for what is `chosen` by the last word of a choice's name."""
    return space().walk(lambda name, domain: chosen.get(name.split(".")[-1], next(iter(domain))))


def evaluator(store: Path | None = None, on: Benchmark | None = None) -> Evaluator:
    return Evaluator(space(), on or benchmark(), device="cpu", store=store)
