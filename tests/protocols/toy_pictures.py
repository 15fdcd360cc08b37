"""Small trunks of every kind, and small pictures of which few have labels."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from nas.benchmark import Benchmark, Budget, Features, Image, Objective, Recipe, Shape, Signature, Waveform
from nas.evaluation import Evaluator
from nas.models import build, plan
from nas.profiling import latency
from nas.protocols.pretext import Trunk
from nas.space import Architecture, parse_space
from nas.training import Examples, FewLabels

GIVEN: Mapping[str, Shape] = {
    "pictures": Image(1, 8, 8),
    "patches": Image(1, 8, 10),
    "averaged": Image(1, 8, 10),
    "sounds": Waveform(length=400, channels=1, rate=8_000),
    "spectrograms": Waveform(length=800, channels=1, rate=8_000),
    "vectors": Features(6),
    "pooled": Image(1, 8, 8),
}

LAYERS = {
    "pictures": ["conv: {features: 4, kernel: 3, stride: 2}"],
    "patches": [
        "patch_embedding: {size: 4, features: 8, pad: true}",
        "class_token",
        "position: {kind: learned}",
        "encoder_block: {heads: 2, ratio: 1}",
    ],
    "averaged": ["patch_embedding: {size: 4, features: 8, pad: true}", "encoder_block: {heads: 2, ratio: 1}"],
    "sounds": ["conv1d: {features: 4, kernel: 7, stride: 4}", "pool1d: {kind: max, size: 2}"],
    "spectrograms": [
        "log_mel: {mels: 8, window_ms: 20, hop_ms: 10}",
        "spectrogram_augment: {frequency: 0.2, time: 0.2}",
        "conv: {features: 4, kernel: 3, stride: 2}",
    ],
    "vectors": ["linear: {features: 3}"],
    "pooled": ["conv: {features: 4, kernel: 3, stride: 2}", "global_pool"],
}
ACCEPTS = {Image: "image", Waveform: "waveform", Features: "features"}

BENCHMARK = Benchmark(
    name="toy_pictures",
    version=1,
    summary="bright or dark",
    signature=Signature(GIVEN["pictures"], Features(2)),
    objectives=(Objective("validation_accuracy", "maximize"),),
    budget=Budget(epochs=2),
    final_budget=Budget(epochs=2),
    recipe=Recipe(batch_size=8, learning_rate=0.01),
    task="toy_pictures:load",
    source="made here",
    licence="none",
    protocol="pretrain_then_fine_tune",
)


def space_of(kind: str) -> Any:
    layers = "\n".join(f"  - {layer}" for layer in LAYERS[kind])
    return parse_space(f"name: toy\nversion: 1\naccepts: {ACCEPTS[type(GIVEN[kind])]}\nlayers:\n{layers}\n  - head\n")


def architecture(kind: str = "pictures") -> Architecture:
    return space_of(kind).walk(lambda _, domain: next(iter(domain)))


def trunk_of(kind: str) -> tuple[Trunk, nn.Sequential, Shape]:
    """The trunk of a small network, its modules, and what it is fed."""
    signature = Signature(GIVEN[kind], Features(2))
    space, chosen = space_of(kind), architecture(kind)
    trunk = Trunk.of(plan(space, chosen, signature), GIVEN[kind])
    return trunk, trunk.within(build(space, chosen, signature, seed=0)), GIVEN[kind]


def pictures(split: str) -> Examples:
    generator = torch.Generator().manual_seed(len(split))
    targets = torch.arange(32) % 2
    return Examples(torch.rand(32, 1, 8, 8, generator=generator) + targets[:, None, None, None], targets)


def evaluator(pretext: str, **options: Any) -> Evaluator:
    given = {"pretext": pretext, "epochs": 2, **options, "recipe": {"batch_size": 16, **options.get("recipe", {})}}
    return Evaluator(space_of("pictures"), replace(BENCHMARK, protocol_options=given), device="cpu")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time is spent on latency, and the task is of these pictures, of which 16 have labels."""
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr("nas.evaluation.candidate.load_task", lambda *_: FewLabels(pictures, labelled=16))
