"""What torchrun starts in test_ranks.py: trainings of several processes; what came of each, as JSON, one file a process."""

import hashlib
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from graphs import task as circle
from little import AUGMENTED, RECIPE, TASK, examples, linear, network, trained
from torch import Tensor, nn

from nas.benchmark import Benchmark, Budget, Recipe
from nas.errors import NasError
from nas.models import build, plan
from nas.searching import resolve_benchmark
from nas.space import parse_space
from nas.training import Classification, Method, Ranks, Setup, Stepper, Task, joined, load_task, protocol_of, stages_of, train

DIGITS, GENERATION, UNKNOWN = map(resolve_benchmark, ("digits", "digits_generation", "unknown_digit"))
"""By their entry points: a script that is run by path may meet another package called `benchmarks`."""

SEVEN = examples(7)
PLAIN = Recipe(batch_size=16, learning_rate=0.01, optimizer="sgd", momentum=0.0)


class On(nn.Module):
    """A linear layer that does something before its `after`th batch of training on, in one process."""

    def __init__(self, here: bool, act: Callable[[Tensor], None], after: int = 0) -> None:
        super().__init__()
        self.inner = linear()
        self.left = after if here else -1
        self.act = act

    def forward(self, images_NCHW: Tensor) -> Tensor:
        if self.training and self.left == 0:
            self.act(images_NCHW)
        self.left -= self.training and self.left > 0
        out: Tensor = self.inner(images_NCHW)
        return out


def digest(model: nn.Module) -> str:
    held = b"".join(value.contiguous().numpy().tobytes() for value in model.state_dict().values())
    return hashlib.sha256(held).hexdigest()


def weights(ranks: Ranks) -> list[str]:
    """Two trainings of one seed, and one of another."""
    told = []
    for seed in (0, 0, 1):
        model = network(ranks.rank)  # unequal until they are levelled
        with ranks.working():
            trained(model, recipe=AUGMENTED, on=examples(41), seed=seed, ranks=ranks)
        told.append(digest(model))
    return told


def gradient(ranks: Ranks) -> float:
    """Of seven examples: the largest difference to the gradient that one process finds on all of them."""
    found = []
    for some in (ranks, Ranks()):
        model = linear()
        step = Stepper(model, Method(TASK, PLAIN), ranks=some)
        mine = some.share(torch.arange(7))
        with ranks.working() if some is ranks else Ranks().working():
            step(SEVEN.inputs[mine], SEVEN.targets[mine], of=7)
        found.append(torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None]))
    return float((found[0] - found[1]).abs().max() / found[1].abs().max())


def unused(ranks: Ranks) -> list[bool]:
    """Which of three layers have a gradient: one that all use, one that rank 1 alone uses, one that none uses."""

    class Sometimes(nn.ModuleList):
        def forward(self, images_NCHW: Tensor) -> Tensor:
            used = self[: 1 + ranks.rank]
            return torch.stack([layer(images_NCHW) for layer in used]).sum(0)

    model = Sometimes([linear(), linear(), linear()])
    step = Stepper(model, Method(TASK, PLAIN), ranks=ranks)
    mine = ranks.share(torch.arange(7))
    with ranks.working():
        step(SEVEN.inputs[mine], SEVEN.targets[mine], of=7)
    return [layer[1].weight.grad is not None for layer in model]


LAYERS: dict[str, tuple[Benchmark, str]] = {
    "fine_tune": (
        replace(DIGITS, protocol="fine_tune"),
        "[conv: {features: 4}, residual: {features: 4}, fine_tuning: {frozen: 0.5, decay: 0.8}, head]",
    ),
    "reconstruction": (UNKNOWN, "[corruption: {noise: 0.1}, linear: {features: 8}, activation, head]"),
    "link_prediction": (
        replace(UNKNOWN, protocol="link_prediction", signature=circle().signature),
        "[margin_loss: {negatives: 4}, distmult: {features: 8}, triple_penalty]",
    ),
    "adversarial": (
        GENERATION,
        "[project_to_image: {features: 4, halvings: 1}, image_head, discriminator: {width: 4, depth: 2, norm: spectral}, "
        "adversary: {loss: wgan_gp, discriminator_steps: 1}]",
    ),
}
"""Benchmark and layers of a candidate of each protocol whose batches can be shared."""


def candidate(ranks: Ranks, name: str, seed: int) -> nn.Module:
    """One of the protocol `name`, trained by `ranks` for three steps; what it draws differs between them."""
    benchmark, layers = LAYERS[name]
    task: Task = circle() if name == "link_prediction" else load_task(benchmark, None)
    space = parse_space(f"name: tiny\nversion: 1\naccepts: {benchmark.signature.kinds[0]}\nlayers: {layers}\n")
    architecture = space.architecture({})
    setup = Setup(
        benchmark=replace(benchmark, recipe=replace(benchmark.recipe, batch_size=7)),
        task=task,
        parts=plan(space, architecture, benchmark.signature),
        feed=lambda split: task.examples(split),
        budget=Budget(epochs=1, steps=3),
        seed=seed,
    )
    protocol = protocol_of(benchmark)(setup)
    model = build(space, architecture, benchmark.signature, seed=ranks.rank)  # unequal until they are levelled
    for stage in stages_of(protocol, model):
        with ranks.working():
            training = train(
                stage.trained, stage.method, stage.training, stage.validation, budget=stage.budget, seed=seed, ranks=ranks
            )
        stage.ended(training.figures, training.seconds)
    return model


def protocols(ranks: Ranks) -> dict[str, list[str]]:
    """Two trainings of one seed, and one of another, by each protocol whose batches can be shared."""
    return {name: [digest(candidate(ranks, name, seed)) for seed in (0, 0, 1)] for name in LAYERS}


def compared(ranks: Ranks) -> str:
    """Of examples that are compared with each other."""

    class Comparing(Method):
        splits = False

    try:
        Stepper(linear(), Comparing(TASK, PLAIN), ranks=ranks)
    except NasError as error:
        return str(error)
    return "nothing was raised"


def pruned(ranks: Ranks) -> list[Any]:
    with ranks.working():
        training = trained(linear(), ranks=ranks, report=lambda epoch: ranks.leads and epoch.epoch == 2)
    return [training.ended, len(training.curve)]


def small(ranks: Ranks) -> str:
    """Batches of one example, of which all but one process have none."""
    model = linear()
    with ranks.working():
        trained(model, recipe=Recipe(batch_size=1, learning_rate=0.01), on=examples(3), ranks=ranks)
    return digest(model)


def diverged(ranks: Ranks) -> list[Any]:
    def spoil(images_NCHW: Tensor) -> None:
        images_NCHW.mul_(float("nan"))

    with ranks.working():
        training = trained(On(ranks.rank == 1, spoil, after=4), ranks=ranks)
    return [training.ended, training.problem]


def raised(ranks: Ranks) -> str:
    def act(_: Tensor) -> None:
        raise ValueError("not today")

    return told_by(ranks, On(ranks.rank == 1, act, after=4))


def exhausted(ranks: Ranks) -> str:
    def act(_: Tensor) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    return told_by(ranks, On(ranks.rank == 1, act, after=4))


def halved(ranks: Ranks) -> list[str]:
    def act(images_NCHW: Tensor) -> None:
        if len(images_NCHW) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    with ranks.working():
        return list(trained(On(ranks.rank == 1, act), ranks=ranks).notes)


def unvalidated(ranks: Ranks) -> str:
    """The first process alone validates, and fails at it."""

    class Fails(Classification):
        def meter(self, device: torch.device) -> Any:
            raise ValueError(f"no figures on {device}")

    try:
        with ranks.working():
            train(linear(), Method(Fails(lambda _: SEVEN), RECIPE), SEVEN, SEVEN, budget=Budget(epochs=1), seed=0, ranks=ranks)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was raised"


def interrupted(ranks: Ranks) -> str:
    def act(_: Tensor) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    return told_by(ranks, On(ranks.leads, act, after=3))


def told_by(ranks: Ranks, model: nn.Module) -> str:
    try:
        with ranks.working():
            trained(model, ranks=ranks)
    except (Exception, KeyboardInterrupt) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was raised"


DONE = (
    weights,
    protocols,
    compared,
    gradient,
    unused,
    pruned,
    small,
    diverged,
    raised,
    exhausted,
    halved,
    unvalidated,
    interrupted,
)

if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined(wait_minutes=1) as ranks:
        told = {work.__name__: work(ranks) for work in DONE}
        Path(sys.argv[1], f"{ranks.rank}.json").write_text(json.dumps(told))
