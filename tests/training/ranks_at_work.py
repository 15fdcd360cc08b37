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
import toy_rows
import toy_texts
from graphs import task as circle
from little import AUGMENTED, RECIPE, TASK, equal, examples, linear, network, trained
from torch import Tensor, nn

from nas.benchmark import Benchmark, Budget, Features, Objective, Recipe, Signature
from nas.errors import NasError
from nas.models import build, plan
from nas.protocols.matching import Retrieval
from nas.searching import resolve_benchmark
from nas.space import parse_space
from nas.training import (
    IGNORED,
    Checkpoints,
    Classification,
    Comparing,
    Loop,
    Method,
    OtherFailed,
    Ranks,
    Setup,
    Stepper,
    Tagging,
    Task,
    joined,
    load_task,
    protocol_of,
    stages_of,
    train,
)
from nas.training.checkpoints import read_document

DIGITS, GENERATION, UNKNOWN = map(resolve_benchmark, ("digits", "digits_generation", "unknown_digit"))
"""By their entry points: a script that is run by path may meet another package called `benchmarks`."""

SEVEN = examples(7)
STEADY = Recipe(batch_size=7, learning_rate=0.05, optimizer="sgd", momentum=0.9)
"""By which rounding stays small: where a slope is nothing but rounding, AdamW makes a step of it."""
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


def pretrained(benchmark: Benchmark, pretext: str, **options: Any) -> Benchmark:
    """The benchmark, for candidates that learn the pretext for three steps of seven examples first."""
    given = {"pretext": pretext, "options": options, "epochs": 1, "steps": 3}
    return replace(benchmark, protocol="pretrain_then_fine_tune", protocol_options=given)


TEXTS = "[embedding: {features: 8}, encoder_block: {heads: 2, ratio: 1}, head]"

ROWS = (
    "{parallel: encoders, merge: join, branches: {image: [modality: {name: image}, patch_embedding: {size: 2, features: 8}], "
    "series: [modality: {name: series}, embedding: {features: 8}], text: [modality: {name: text}, embedding: {features: 8}]}}"
)

FUSED = "modality_fusion: {features: 8}, head"

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
    "masked_patches": (pretrained(DIGITS, "masked_patches"), "[conv: {features: 4}, head]"),
    "simclr": (pretrained(DIGITS, "simclr"), "[conv: {features: 4, norm: none}, head]"),
    "masked_tokens": (pretrained(toy_texts.BENCHMARK, "masked_tokens", share=0.4), TEXTS),
    "same_text": (pretrained(toy_texts.BENCHMARK, "same_text", fewest=2), TEXTS),
    "contrastive": (
        toy_rows.benchmark(),
        f"[modality_dropout: {{rate: 0.4}}, {ROWS}, shared_space: {{weight: 0.7, temperature: 0.2}}, {FUSED}]",
    ),
    "classified_rows": (toy_rows.benchmark(), f"[modality_dropout: {{rate: 0.4}}, {ROWS}, {FUSED}]"),
    "retrieval": (
        replace(
            toy_rows.benchmark(), protocol="retrieval", protocol_options={}, signature=Signature(toy_rows.INPUT, Features(12))
        ),
        f"[{ROWS}, shared_vectors]",
    ),
}
"""Benchmark and layers of a candidate of each protocol, and of each pretext."""

ALIKE = ("simclr", "masked_tokens", "same_text", "contrastive", "classified_rows", "retrieval")
"""Of these the ones that draw by `nas.chance` alone, so that one process trains them to the same weights but for rounding."""

TASKS: dict[str, Callable[[], Task]] = {
    "link_prediction": circle,
    "masked_tokens": toy_texts.ToyTexts,
    "same_text": toy_texts.ToyTexts,
    "contrastive": toy_rows.task,
    "classified_rows": toy_rows.task,
    "retrieval": lambda: Retrieval(toy_rows.task().examples, modalities=toy_rows.INPUT.names),
}


def candidate(ranks: Ranks, name: str, seed: int, recipe: Recipe | None = None) -> nn.Module:
    """One of the protocol `name`, trained by `ranks` for three steps; what it draws differs between them."""
    benchmark, layers = LAYERS[name]
    benchmark = replace(benchmark, recipe=recipe or benchmark.recipe)
    task = TASKS.get(name, lambda: load_task(benchmark, None))()
    space = parse_space(f"name: tiny\nversion: 1\naccepts: {benchmark.signature.kinds[0]}\nlayers: {layers}\n")
    architecture = space.architecture({})
    setup = Setup(
        benchmark=benchmark if recipe else replace(benchmark, recipe=replace(benchmark.recipe, batch_size=7)),
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
    """Two trainings of one seed, and one of another, by each protocol in which each process draws for itself."""
    return {name: [digest(candidate(ranks, name, seed)) for seed in (0, 0, 1)] for name in LAYERS if name not in ALIKE}


def alike(ranks: Ranks) -> dict[str, list[Any]]:
    """How far the weights of three steps are from those of one process, how far two of its seeds are apart, and a digest."""
    told: dict[str, list[Any]] = {}
    for name in ALIKE:
        some, alone, other = (candidate(one, name, seed, STEADY) for one, seed in ((ranks, 0), (Ranks(), 0), (Ranks(), 1)))
        apart = [float((vector(one) - vector(alone)).abs().max()) for one in (some, other)]
        told[name] = [*apart, digest(some)]
    return told


def vector(model: nn.Module) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def counted(ranks: Ranks) -> list[float]:
    """Of five texts of unequal length: how far gradient and loss are from those of one process on all of them."""
    targets_NL = torch.full((5, 4), IGNORED)
    for row, length in enumerate((4, 3, 1, 1, 0)):
        targets_NL[row, :length] = torch.arange(length) % 3
    inputs_NLC = torch.rand(5, 4, 6, generator=torch.Generator().manual_seed(0))
    losses, found = [], []
    for some in (ranks, Ranks()):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = nn.Linear(6, 3)
        step = Stepper(model, Method(Tagging(lambda _: SEVEN), PLAIN), ranks=some)
        mine = some.share(torch.arange(5))
        with some.working():
            loss = step(inputs_NLC[mine], targets_NL[mine], of=5)
            losses.append(some.total(loss * len(mine) / 5).item())
        found.append(vector_of_gradients(model))
    return [abs(losses[0] - losses[1]), float((found[0] - found[1]).abs().max())]


def vector_of_gradients(model: nn.Module) -> Tensor:
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])


def gathered(ranks: Ranks) -> list[bool]:
    """Of batches of five, two and one: whether all is there, and the gradient of this process's part is its own."""
    told = []
    for of in (5, 2, 1):
        numbers_N3 = torch.arange(3.0 * of).view(of, 3)
        own_N3 = ranks.share(numbers_N3).clone().requires_grad_()
        with ranks.working():
            mine = (own_N3, ranks.share(numbers_N3[:, 0] > 3)) if len(own_N3) else ()
            whole_N3, above_N = ranks.gather(mine, of, torch.device("cpu"))
        told.append(torch.equal(whole_N3, numbers_N3) and torch.equal(above_N, numbers_N3[:, 0] > 3))
        if len(own_N3):
            whole_N3.square().sum().backward()
            told.append(torch.equal(own_N3.grad, 2 * own_N3.detach()))
    return told


def lonely(ranks: Ranks) -> str:
    """Batches of one example, which is compared with nothing in one process, and in the other there is none."""
    return digest(candidate(ranks, "retrieval", 0, replace(STEADY, batch_size=1)))


def resumed(ranks: Ranks) -> list[Any]:
    """Trainings that are left within an epoch and gone on with, and one that never was: are the weights the same?"""
    folder = Path(sys.argv[1], "kept")
    recipe = replace(AUGMENTED, ema=0.9, patience=3)

    def weights_of(some: Ranks = ranks, **given: Any) -> tuple[nn.Module, list[str]]:
        model, best = network(ranks.rank), Objective("validation_accuracy", "maximize")
        with some.working():
            notes = trained(model, recipe=recipe, on=examples(41), objective=best, ranks=some, **given).notes
        return model, [note for note in notes if "heckpoint" in note]

    def leave(loop: Loop) -> None:
        kept.on_step(loop)
        if loop.at.step == 5:
            raise ValueError("left")

    whole, _ = weights_of()
    kept = Checkpoints(folder if ranks.leads else folder / "nobody's", 0.0)
    left = "nothing was raised"
    try:
        weights_of(begin=kept.begin, on_step=leave)
    except (ValueError, OtherFailed) as error:
        left = str(error)
    kept = Checkpoints(folder if ranks.leads else folder / "nobody's", 1e9)
    again, notes = weights_of(begin=kept.begin, on_step=kept.on_step)
    _, passed = weights_of(Ranks(), begin=Checkpoints(folder, 1e9).begin)
    return [left, equal(whole, again), notes, passed[:1], (folder / "nobody's").exists()]


def compared(ranks: Ranks) -> str:
    """Of examples that are compared with each other, nobody knows where."""

    class Alien(Method):
        splits = False

    try:
        Stepper(linear(), Alien(TASK, PLAIN), ranks=ranks)
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


def uncompared(ranks: Ranks) -> str:
    """One process has no memory for its part of a batch that the other waits to compare."""

    class Siblings(Comparing):
        def encode(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor]:
            if ranks.rank == 1:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return (network(inputs),)

        def compare(self, *encoded: Tensor) -> Tensor:
            return encoded[0].var()

    try:
        with ranks.working():
            train(linear(), Siblings(TASK, RECIPE), SEVEN, SEVEN, budget=Budget(epochs=1), seed=0, ranks=ranks)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was raised"


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


def interrupted(ranks: Ranks) -> list[Any]:
    """With checkpoints; of them the steps that had been taken, as the first process finds them."""

    def act(_: Tensor) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    kept = Checkpoints(Path(sys.argv[1], "interrupted"), 1e9)
    raised = told_by(ranks, On(ranks.leads, act, after=3), begin=kept.begin, on_step=kept.on_step)
    return [raised, [read_document(path)["data"]["at"]["step"] for path in kept.folder.glob("*.json") if ranks.leads]]


def told_by(ranks: Ranks, model: nn.Module, **given: Any) -> str:
    try:
        with ranks.working():
            trained(model, ranks=ranks, **given)
    except (Exception, KeyboardInterrupt) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was raised"


DONE = (
    weights,
    protocols,
    alike,
    compared,
    counted,
    gathered,
    lonely,
    resumed,
    gradient,
    unused,
    pruned,
    small,
    diverged,
    raised,
    exhausted,
    uncompared,
    halved,
    unvalidated,
    interrupted,
)

if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined(wait_minutes=1) as ranks:
        told = {work.__name__: work(ranks) for work in DONE}
        Path(sys.argv[1], f"{ranks.rank}.json").write_text(json.dumps(told))
