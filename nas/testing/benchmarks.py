"""What a benchmark must keep to, rule by rule. Its data are read; where they are missing, DataMissing is raised."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from nas.benchmark import Benchmark, Features, Image, Modalities, Query, Sequence, Shape, Tokens
from nas.datasets import FolderBenchmark
from nas.models import build
from nas.protocols.matching import Retrieval
from nas.space import Layer, Space
from nas.testing import rules
from nas.testing.rules import Rule, unwritten
from nas.training import IGNORED, METRICS, Examples, Protocol, Setup, Split, Task, load_task, protocol_of, train

SPLITS: tuple[Split, ...] = ("train", "validation", "test")

MOST_TWINS = 0.01
"""The largest share of a split's examples that may stand in another one too: real data hold a few twins."""

TRAINED = 256
"""Training examples of the one epoch in which it is watched which data are read."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkTrial:
    """A benchmark, the folder its data lie in, and its README."""

    benchmark: Benchmark
    data: Path | None = None
    readme: Path | None = None

    @cached_property
    def task(self) -> Task:
        """With its data."""
        return load_task(self.benchmark, self.data)

    @cached_property
    def examples(self) -> dict[Split, Examples]:
        """Of each split."""
        return {split: self.task.examples(split) for split in SPLITS}


def readme_beside(benchmark: Benchmark) -> Path | None:
    """README.md beside the benchmark's task, or in its own folder; None where the task is nowhere."""
    if isinstance(benchmark, FolderBenchmark):
        return benchmark.readme
    try:
        spec = find_spec(benchmark.task.partition(":")[0])
    except (ImportError, ValueError):
        return None
    return Path(spec.origin).parent / "README.md" if spec is not None and spec.origin else None


def _said(trial: BenchmarkTrial) -> str | None:
    for field in ("name", "summary", "source", "licence"):
        if not str(getattr(trial.benchmark, field)).strip():
            return f"its {field} is empty."
    return None if trial.benchmark.objectives else "it has no objective to steer by."


def _inputs(trial: BenchmarkTrial) -> str | None:
    wanted = trial.benchmark.signature.input
    for split, examples in trial.examples.items():
        inputs = examples.inputs
        if tuple(inputs.shape[1:]) != wanted.axes:
            return f"{split} has inputs of {tuple(inputs.shape[1:])}, the signature says {wanted}."
        dtype = torch.int64 if isinstance(wanted, Tokens | Query) else torch.float32
        if inputs.dtype != dtype:
            return f"{split} has inputs of {inputs.dtype}; {wanted} is {dtype}."
        if isinstance(wanted, Tokens) and not 0 <= int(inputs.min()) <= int(inputs.max()) < wanted.vocabulary:
            return f"{split} has tokens from {inputs.min()} to {inputs.max()}, the signature says {wanted}."
        if isinstance(wanted, Query) and not _answerable(inputs, wanted):
            return f"{split} asks of entities or relations that there are not, the signature says {wanted}."
        if not isinstance(wanted, Tokens | Query) and not inputs.isfinite().all():
            return f"{split} has inputs that are not finite."
    return None


def _answerable(queries_N2: Tensor, wanted: Query) -> bool:
    counts = torch.tensor([wanted.entities, 2 * wanted.relations])
    return bool(((queries_N2 >= 0) & (queries_N2 < counts)).all())


def _targets(trial: BenchmarkTrial) -> str | None:
    wanted = trial.benchmark.signature.output
    for split, examples in trial.examples.items():
        targets = examples.targets
        if not len(examples) or len(targets) != len(examples.inputs):
            return f"{split} has {len(examples.inputs)} inputs and {len(targets)} targets."
        if isinstance(trial.task, Retrieval):  # a target is the number of a group, and no output's
            problem = None if targets.dtype == torch.int64 and targets.ndim == 1 else f"has groups of {targets.dtype}"
        else:
            problem = _numbers(targets, wanted) if targets.is_floating_point() else _classes(targets, wanted)
        if problem:
            return f"{split} {problem}, the signature wants {wanted}."
    return None


def _numbers(targets: Tensor, wanted: Shape) -> str | None:
    return None if tuple(targets.shape[1:]) == wanted.axes else f"has targets of {tuple(targets.shape[1:])}"


def _classes(targets: Tensor, wanted: Shape) -> str | None:
    axes = wanted.axes[:-1]  # a logit for each class, where a target is one class
    if tuple(targets.shape[1:]) != axes:
        return f"has targets of {tuple(targets.shape[1:])}"
    classes = wanted.axes[-1]
    counted = targets[targets != IGNORED] if axes else targets  # only a position can be left out
    if not len(counted):
        return "has no class that counts"
    low, high = int(counted.min()), int(counted.max())
    return None if 0 <= low <= high < classes else f"has classes from {low} to {high}"


def _apart(trial: BenchmarkTrial) -> str | None:
    prints = {split: _prints(examples) for split, examples in trial.examples.items()}
    for n, split in enumerate(SPLITS):
        for other in SPLITS[:n]:
            known = set(prints[other])
            twins = sum(one in known for one in prints[split])
            if twins > MOST_TWINS * len(prints[split]):
                return f"{twins:,} of {len(prints[split]):,} examples of {split} stand in {other} too."
    return None


def _prints(examples: Examples) -> list[int]:
    """A number for each example, equal where input and target are."""
    inputs = examples.inputs.flatten(1).contiguous().numpy()
    targets = examples.targets.reshape(len(examples), -1).contiguous().numpy()
    return [hash(one.tobytes() + other.tobytes()) for one, other in zip(inputs, targets, strict=True)]


def _same_again(trial: BenchmarkTrial) -> str | None:
    again = load_task(trial.benchmark, trial.data)
    for split in SPLITS:
        first, second = trial.examples[split], again.examples(split)
        if not (torch.equal(first.inputs, second.inputs) and torch.equal(first.targets, second.targets)):
            return f"{split} holds other examples when it is loaded again; draw them by a seed."
    return None


def _test_unread(trial: BenchmarkTrial) -> str | None:
    task = load_task(trial.benchmark, trial.data)
    read: list[Split] = []
    examples = task.examples

    def watched(split: Split) -> Examples:
        read.append(split)
        return examples(split)

    object.__setattr__(task, "examples", watched)  # so that what the task asks itself is seen too
    training, validation = task.examples("train"), task.examples("validation")
    budget = replace(trial.benchmark.budget, epochs=1, fraction=min(1.0, TRAINED / len(training)), seconds=None)
    validated = (objective for objective in trial.benchmark.objectives if objective.figure.startswith("validation_"))
    protocol = _protocol(trial.benchmark, task)
    train(
        protocol.trained(_linear(trial.benchmark)),
        protocol.method(),
        training,
        _some(validation),
        budget=budget,
        seed=0,
        objective=next(validated, None),
    )
    return "the test data are read while a model is trained; only finalists meet them." if "test" in read else None


def _figures(trial: BenchmarkTrial) -> str | None:
    validation = _some(trial.examples["validation"])
    figures = _protocol(trial.benchmark, trial.task).measure(_linear(trial.benchmark), validation, "validation")
    for objective in trial.benchmark.objectives:
        split, _, name = objective.figure.partition("_")
        if split == "validation" and objective.figure not in figures:
            return f"its objective {objective.figure!r} is not measured; the task gives {', '.join(figures)}."
        if split == "validation" and name in METRICS and objective.direction != METRICS[name].direction:
            return f"it would {objective.direction} {objective.figure!r}; better is to {METRICS[name].direction} it."
    return None


def _some(examples: Examples) -> Examples:
    """At least TRAINED of them if there are as many, from all over: of a split that is not trained on, no order is promised."""
    every = max(1, len(examples) // TRAINED)
    return Examples(examples.inputs[::every], examples.targets[::every])


def _told(trial: BenchmarkTrial) -> str | None:
    protocol_of(trial.benchmark).admit(trial.benchmark)  # which raises what is wrong
    return None


def _protocol(benchmark: Benchmark, task: Task) -> Protocol:
    """How candidates of `benchmark` are trained and measured, of a plan without choices of training."""
    setup = Setup(benchmark=benchmark, task=task, parts=(), feed=task.examples, budget=benchmark.budget, seed=0)
    return protocol_of(benchmark)(setup)


def _linear(benchmark: Benchmark) -> torch.nn.Module:
    """The smallest network that answers `benchmark`."""
    signature = benchmark.signature
    given, wanted = signature.input, signature.output
    if isinstance(given, Modalities):
        return torch.nn.Linear(given.axes[0], wanted.axes[-1])
    if isinstance(wanted, Sequence) and wanted.length != given.axes[0] and isinstance(given, Image | Sequence):
        return _Resized(given.channels, wanted)
    first = {Tokens: (Layer("embedding", {"features": 8}), Layer("head")), Query: (Layer("distmult", {"features": 8}),)}
    layers = first.get(type(given), (Layer("head"),))
    if isinstance(wanted, Image) and isinstance(given, Features):
        begin = Layer("project_to_image", {"features": 1, "halvings": 0, "norm": "none", "activation": "none"})
        layers = (begin, Layer("image_head", {"kernel": 1, "activation": "none"}))
    space = Space(name="linear", version=1, accepts=signature.kinds, layers=layers)
    return build(space, space.architecture({}), signature, seed=0)


class _Resized(torch.nn.Module):
    """A linear layer at each of the positions that are wanted, which those of the input, or its pixels, are averaged to."""

    def __init__(self, channels: int, wanted: Sequence) -> None:
        super().__init__()
        self.positions = torch.nn.AdaptiveAvgPool1d(wanted.length)
        self.linear = torch.nn.Linear(channels, wanted.channels)

    def forward(self, inputs: Tensor) -> Tensor:
        channels_NCL = inputs.flatten(2) if inputs.ndim == 4 else inputs.transpose(1, 2)
        return cast(Tensor, self.linear(self.positions(channels_NCL).transpose(1, 2)))


def _readme(trial: BenchmarkTrial) -> str | None:
    if trial.readme is None:
        return "its task is in no file, so that there is no folder to look in; give the README's path."
    return unwritten(trial.readme, "where the data come from, their licence and splits")


BENCHMARK_RULES: tuple[Rule[BenchmarkTrial], ...] = (
    Rule("it says what it is, where its data come from and under which licence", _said),
    Rule("inputs are as the signature says", _inputs),
    Rule("targets are as the signature says", _targets),
    Rule("no split holds examples of another", _apart),
    Rule("its examples are the same each time", _same_again),
    Rule("training reads no test data", _test_unread),
    Rule("its protocol knows what it is told", _told),
    Rule("what it steers by is measured", _figures),
    Rule("a README stands beside its task", _readme),
)


def check_benchmark(
    benchmark: Benchmark, *, data: Path | None = None, readme: Path | None = None
) -> Iterator[tuple[str, str | None]]:
    """Each rule of a benchmark with what is wrong, or None."""
    return rules.check(BENCHMARK_RULES, BenchmarkTrial(benchmark=benchmark, data=data, readme=readme or readme_beside(benchmark)))
