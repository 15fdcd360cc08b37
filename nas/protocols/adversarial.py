"""A generator learns against a discriminator (Goodfellow et al. 2014, arXiv:1406.2661).

    discriminator, on its own batch → … → generator → discriminator …        one batch a step

The network that is searched, measured, kept and exported is the generator alone; its benchmark feeds rows of noise, and wants
pictures. The discriminator is a layer `discriminator` of the space, the rest of how both are trained a layer `adversary`.
In training noise is drawn anew for every step; what stands in the rows of the examples is what validation and test look at.

Axes: N examples, Z numbers of noise, K classes, C channels, H height, W width.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.benchmark import Benchmark, Features, Image, Recipe
from nas.device import Precision, place
from nas.errors import BenchmarkError
from nas.models import steps
from nas.models.layers.adversarial import Adversary, Discriminator
from nas.protocols.samples import Samples
from nas.records import Picture
from nas.training import Examples, Feed, Method, Move, Protocol, Setup, Stage, Task, as_feed, evaluate, make_optimizer

PENALTY = 10.0
"""Weight of the gradient's penalty (Gulrajani et al. 2017, arXiv:1704.00028, sec. 4)."""

FEW = 0.1
"""A recall below it is told as a collapse onto few modes."""

LOOKED_THROUGH = 400
"""Rows of validation from which those of samples are taken."""

PASSES_OF_PENALTY = 2
"""What a gradient of a gradient costs of the discriminator, in passes forward and backward."""


class Adversaries(nn.Module):
    """A generator and its discriminator, trained as one."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator


class Adversarial(Method):
    """One step of the discriminator a batch, and after so many as are asked for one of the generator."""

    whole: ClassVar[bool] = False

    def __init__(self, task: Task, recipe: Recipe, adversary: Adversary, latent: int, epochs: int) -> None:
        """Rows are `latent` numbers of noise, then the class; a training has so many `epochs` at the most."""
        super().__init__(task, recipe)
        self.samples = Samples(epochs, latent)
        self.kept = self.samples.kept
        self.adversary = adversary
        self.latent = latent
        self.losses = LOSSES[adversary.loss]

    @property
    def identity(self) -> Mapping[str, Any]:
        """How the two are trained."""
        return {**super().identity, **self.adversary.model_dump(), "latent": self.latent}

    def optimizers(self, trained: nn.Module) -> Mapping[str, torch.optim.Optimizer]:
        """One for each network, of one kind; the discriminator's learns at a rate of its own."""
        both = {part: make_optimizer(trained.get_submodule(part), self.recipe) for part in ("discriminator", "generator")}
        for group in both["discriminator"].param_groups:
            group["lr_scale"] = self.adversary.rate_ratio
        return both

    def moves(self, step: int) -> Sequence[Move]:
        """The generator moves between two steps of the discriminator, so that the curve's loss is always the discriminator's."""
        tells = Move("discriminator", self.discriminators_loss)
        if step and step % self.adversary.discriminator_steps == 0:
            return (Move("generator", self.generators_loss), tells)
        return (tells,)

    def prepare(self, inputs: Tensor, targets: Tensor, chance: torch.Generator) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """The batch as it is."""
        return inputs, targets

    def measure(self, trained: nn.Module, examples: Feed | Examples, split: str, precision: Precision) -> dict[str, float]:
        """The figures of the generator; in training samples are taken too."""
        if not isinstance(trained, Adversaries):
            return evaluate(trained, self.task, examples, split, precision)
        feed = as_feed(examples, next(trained.parameters()).device)
        rows_NF, _ = next(feed.batches([torch.arange(min(len(feed), LOOKED_THROUGH))]))
        self.samples.take(trained.generator, rows_NF)
        return evaluate(trained.generator, self.task, feed, split, precision)

    def discriminators_loss(self, trained: nn.Module, rows_NF: Tensor, real_NCHW: Tensor) -> Tensor:
        """Of real pictures, and of as many that are generated for it."""
        assert isinstance(trained, Adversaries)  # noqa: S101 - what the protocol trains
        classes_NK = self._classes(rows_NF)
        with torch.no_grad():
            made_NCHW = trained.generator(self._with_new_noise(rows_NF))
        told = trained.discriminator(real_NCHW, classes_NK), trained.discriminator(made_NCHW, classes_NK)
        loss = self.losses[0](*told)
        if self.adversary.loss == "wgan_gp":
            loss = loss + PENALTY * slope_penalty(trained.discriminator, real_NCHW, made_NCHW, classes_NK)
        return loss

    def generators_loss(self, trained: nn.Module, rows_NF: Tensor, real_NCHW: Tensor) -> Tensor:  # noqa: ARG002
        """Of pictures that are generated for it."""
        assert isinstance(trained, Adversaries)  # noqa: S101
        with _at_rest(trained.discriminator):
            told_N = trained.discriminator(trained.generator(self._with_new_noise(rows_NF)), self._classes(rows_NF))
            return self.losses[1](told_N)

    def _with_new_noise(self, rows_NF: Tensor) -> Tensor:
        noise_NZ = torch.randn(len(rows_NF), self.latent, device=rows_NF.device, dtype=rows_NF.dtype)
        return torch.cat((noise_NZ, rows_NF[:, self.latent :]), dim=1)

    def _classes(self, rows_NF: Tensor) -> Tensor | None:
        return rows_NF[:, self.latent :] if rows_NF.shape[1] > self.latent else None


class AdversarialProtocol(Protocol):
    """One stage, in which both networks learn; the space's layers say how, or else their defaults."""

    stackable: ClassVar[bool] = False
    taught: ClassVar[bool] = False
    scored: ClassVar[bool] = False
    hardened: ClassVar[bool] = False
    options: ClassVar[Collection[str]] = ("latent", "classifier_sha256")

    def __init__(self, setup: Setup) -> None:
        """Look at what the benchmark feeds and wants.

        Raises:
            BenchmarkError: it feeds no rows of noise, wants no pictures, or does not say how much of a row is noise.
        """
        super().__init__(setup)
        benchmark = setup.benchmark
        self.check(benchmark)
        given, wanted = benchmark.signature.input, benchmark.signature.output
        assert isinstance(given, Features)  # noqa: S101 - as checked
        assert isinstance(wanted, Image)  # noqa: S101
        self.image = wanted
        self.latent: int = benchmark.protocol_options["latent"]
        self.samples: Samples | None = None
        """Of the training."""
        self.classes = given.count - self.latent
        self.discriminator = setup.training(Discriminator) or Discriminator()
        self.adversary = setup.training(Adversary) or Adversary()
        if known := benchmark.protocol_options.get("classifier_sha256"):
            self.notes.append(f"Distances are in the features of the fixed classifier {known}.")

    @classmethod
    def check(cls, benchmark: Benchmark) -> None:
        """Look at what the benchmark feeds and wants, and at how much of that is noise."""
        given, wanted = benchmark.signature.input, benchmark.signature.output
        if not isinstance(given, Features) or not isinstance(wanted, Image):
            raise BenchmarkError(f"{benchmark.name}: adversaries make pictures of rows of noise, got {given} and {wanted}.")
        latent = benchmark.protocol_options.get("latent")
        if type(latent) is not int or not 0 < latent <= given.count:
            raise BenchmarkError(
                f"{benchmark.name}: protocol_options say by `latent` how many of a row's {given.count} numbers are noise, "
                f"got {latent!r}."
            )

    def costs(self) -> Mapping[str, float]:
        """The discriminator's."""
        cost = self.discriminator.network_cost(self.image, self.classes)
        return {"discriminator_params": cost.params, "discriminator_macs": cost.macs}

    def method(self) -> Adversarial:
        """Of the candidate's losses and rates."""
        setup = self.setup
        return Adversarial(setup.task, setup.benchmark.recipe, self.adversary, self.latent, setup.budget.epochs)

    def stages(self, network: nn.Module) -> Iterator[Stage]:
        """One, in which `network`, the generator, learns beside a discriminator."""
        for stage in super().stages(network):
            assert isinstance(stage.method, Adversarial)  # noqa: S101 - as `method` says
            self.samples = stage.method.samples
            yield replace(stage, forward_flops=self.forward_flops(), ended=self.look_for_collapse)

    def trained(self, network: nn.Module) -> Adversaries:
        """The generator, and a new discriminator where it lies."""
        device = next(network.parameters()).device
        return Adversaries(network, place(self.discriminator.network(self.image, self.classes), device))

    def pictures(self) -> Sequence[Picture]:
        """What it made of the same noise after the first epoch, halfway, and in the end."""
        return self.samples.pictures() if self.samples else ()

    def forward_flops(self) -> float:
        """A third of what training costs by example: its share of the discriminator's steps and of the generator's."""
        generator = 2 * sum(step.placed.cost.macs for step in steps(self.setup.parts))
        discriminator = 2 * self.discriminator.network_cost(self.image, self.classes).macs
        passes = 2 + (PASSES_OF_PENALTY if self.adversary.loss == "wgan_gp" else 0)
        each = generator / 3 + passes * discriminator
        return each + (generator + discriminator) / self.adversary.discriminator_steps

    def look_for_collapse(self, figures: Mapping[str, float], seconds: float) -> None:  # noqa: ARG002 - one signature for all
        """Note that the generator makes pictures of few kinds, where it does."""
        covered, recall = (figures.get(f"validation_{name}", 1.0) for name in ("class_coverage", "recall"))
        if covered < 1 or recall < FEW:
            self.notes.append(f"Mode collapse: {covered:.0%} of the classes are generated, recall is {recall:.3f}.")


def slope_penalty(discriminator: nn.Module, real_NCHW: Tensor, made_NCHW: Tensor, classes_NK: Tensor | None = None) -> Tensor:
    """Mean of (|∇D| − 1)² at a point drawn between each real picture and a generated one (Gulrajani et al. 2017, alg. 1)."""
    share_N111 = torch.rand(len(real_NCHW), 1, 1, 1, device=real_NCHW.device)
    between_NCHW = torch.lerp(made_NCHW.to(real_NCHW.dtype), real_NCHW, share_N111).requires_grad_()
    told_N = discriminator(between_NCHW, classes_NK)
    (slope_NCHW,) = torch.autograd.grad(told_N.sum(), between_NCHW, create_graph=True)
    lengths_N: Tensor = torch.linalg.vector_norm(slope_NCHW.flatten(1), dim=1)
    return (lengths_N - 1).square().mean()


LOSSES: Mapping[str, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "non_saturating": (
        lambda real_N, made_N: functional.softplus(-real_N).mean() + functional.softplus(made_N).mean(),
        lambda made_N: functional.softplus(-made_N).mean(),
    ),
    "hinge": (
        lambda real_N, made_N: functional.relu(1 - real_N).mean() + functional.relu(1 + made_N).mean(),
        lambda made_N: -made_N.mean(),
    ),
    "wgan_gp": (lambda real_N, made_N: made_N.mean() - real_N.mean(), lambda made_N: -made_N.mean()),
}
"""The discriminator's, of what it tells of real and of generated pictures, and the generator's; a penalty comes on top."""


@contextmanager
def _at_rest(network: nn.Module) -> Iterator[None]:
    """Within it, no gradient is asked for of the weights of `network`, which saves a third of the way back through it."""
    held = [weight for weight in network.parameters() if weight.requires_grad]
    try:
        for weight in held:
            weight.requires_grad_(False)
        yield
    finally:
        for weight in held:
            weight.requires_grad_(True)
