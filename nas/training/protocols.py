"""How a benchmark's candidates become trained networks: in one stage or several, each by a method of its own.

    network → stage → (its method, on its examples, with its budget) → stage → … → the trained network

A benchmark names its protocol, ours or another team's, by the entry points of `nas.protocols`. Whatever the protocol, one loop
trains: checkpoints, continuation, limits, patience, seeds, memory and divergence are its concern and no protocol's.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, TypeVar

import torch
from torch import nn

from nas import registry
from nas.benchmark import Benchmark, Budget, Objective
from nas.device import Precision
from nas.errors import BenchmarkError, RegistryError, did_you_mean, quote
from nas.models import Part, TrainingKind, is_of_training, steps
from nas.records import Picture
from nas.training.feeding import Feed
from nas.training.method import Method
from nas.training.task import Examples, Split, Task

Kind = TypeVar("Kind", bound=TrainingKind)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a protocol is handed of a candidate."""

    benchmark: Benchmark
    task: Task
    parts: tuple[Part, ...]
    """The candidate's plan, with the layers that say how it is trained."""
    feed: Callable[[Split], Feed | Examples]
    """The benchmark's examples, on the device or streamed to it."""
    budget: Budget
    """Of the stage that the search varies; what comes before has budgets of its own, in the benchmark's `protocol_options`."""
    seed: int
    precision: Precision = "float32"
    objective: Objective | None = None
    """What patience waits for, a figure of validation."""
    data: Path | None = None
    """The folder that the benchmark's data lie in, None for where the benchmark knows to look."""
    store: Path | None = None
    """A folder for what candidates of one study share, such as pre-trained trunks; None where there is none, and in all processes
    but the first of those that train a candidate together."""
    processes: int = 1
    """That train a candidate together."""
    asked: set[type[TrainingKind]] = field(default_factory=set, compare=False, repr=False)
    """What `training` was asked for."""

    @property
    def idle(self) -> tuple[str, ...]:
        """The paths of layers that say how it is trained, and that nothing has asked for."""
        read = tuple(self.asked)
        return tuple(one.path for one in steps(self.parts) if is_of_training(one) and not isinstance(one.placed.kind, read))

    def training(self, kind: type[Kind]) -> Kind | None:
        """The candidate's layer of `kind`, which says how it is trained; None where there is none. The last counts."""
        self.asked.add(kind)
        found = [step.placed.kind for step in steps(self.parts) if isinstance(step.placed.kind, kind)]
        return found[-1] if found else None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One training of what becomes the candidate's network, or of a part of it."""

    trained: nn.Module
    """What is trained in place, on the device: the network itself, or a module that holds it or its layers."""
    method: Method
    training: Feed | Examples
    validation: Feed | Examples
    budget: Budget
    name: str = ""
    """Of the stage, for checkpoints and notes; the last stage, which a search steers by, has none."""
    objective: Objective | None = None
    """What patience waits for."""
    forward_flops: float | None = None
    """Of one example, where they are not the network's own."""
    needed: Callable[[], AbstractContextManager[bool]] = field(default=lambda: nullcontext(True))
    """Entered before the stage is trained and left after it was, or was not: gives whether there is anything to train. It gives
    False where what the stage trains came ready from elsewhere."""
    ended: Callable[[Mapping[str, float], float], None] = field(default=lambda _, __: None)
    """Told the stage's validation figures and its training seconds, once it is complete."""


class Protocol:
    """Supervised learning: one stage, in which the network learns from its benchmark's examples. Others override."""

    stackable: ClassVar[bool] = True
    """Whether a candidate may be trained from several seeds at once, which knows one network and the task's loss alone. Where it
    may not, several seeds train one after another."""

    shared: ClassVar[bool] = True
    """Whether several processes may train a candidate, each on its share of every batch. Not so where a stage does what one
    process alone can do. In all of them the stages are asked for, in the same order; `Stage.needed` is entered by the first
    alone, and what it finds goes for all."""

    ends_plain: ClassVar[bool] = False
    """Whether a protocol that is not `stackable` ends in one network that answers its task's inputs as under supervision, so that
    what is made of it afterwards may be trained on with labels alone."""

    scored: ClassVar[bool] = True
    """Whether zero-cost scores, which know the network as it is built and the task's loss of it, tell of what is learned."""

    taught: ClassVar[bool] = True
    """Whether what is learned last may be the answers of a recipe's teachers, as `Method.loss` has it."""

    hardened: ClassVar[bool] = True
    """Whether what is learned last may be learned of attacked and of corrupted examples, as `Method.loss` and `Method.prepare`
    have it."""

    options: ClassVar[Collection[str]] = ()
    """What a benchmark's `protocol_options` may tell it, by name. What they tell beside that is refused."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.figures: dict[str, float] = {}
        """Of the training, by what the protocol learned: costs of what is not in the network, of stages before the last."""
        self.notes: list[str] = []

    @classmethod
    def admit(cls, benchmark: Benchmark) -> None:
        """Refuse a `benchmark` that asks for what the protocol does not declare, or that does not pass its `check`.

        Raises:
            BenchmarkError: an option is unknown, missing or wrong, or the recipe asks for examples that are not learned from.
        """
        name, protocol = benchmark.name, benchmark.protocol
        for option in benchmark.protocol_options:
            if not cls.options:
                raise BenchmarkError(
                    f"{name}: the protocol {quote(protocol)} has no options, got {quote(option)}; leave protocol_options out."
                )
            if option not in cls.options:
                raise BenchmarkError(
                    f"{name}: the protocol {quote(protocol)} has no option {quote(option)}. {did_you_mean(option, cls.options)}"
                )
        changes = (option for option in ("adversarial", "corrupt") if getattr(benchmark.recipe, option))
        if not cls.hardened and (asked := next(changes, None)):
            raise BenchmarkError(
                f"{name}: the protocol {quote(protocol)} trains on examples as they are; leave {asked} out of the recipe."
            )
        cls.check(benchmark)

    @classmethod
    def check(cls, benchmark: Benchmark) -> None:
        """Look at what `benchmark` tells the protocol, before there is a candidate and before a study's name is taken.

        Of its `protocol_options` there are none but `options`.

        Raises:
            BenchmarkError: an option is missing or wrong, or the benchmark is none for this protocol.
        """

    def costs(self) -> Mapping[str, float]:
        """Figures that are known before a weight exists, beside the network's own: of a discriminator, of a trunk's training."""
        return {}

    @property
    def equipment_bytes(self) -> int:
        """How much larger `equip` makes the network's file."""
        return 0

    def equip(self, network: nn.Module) -> None:
        """Hand a network that was just built what it needs of the data beside its weights, such as a graph's links."""

    def method(self) -> Method:
        """That of the last stage, by which the network is measured."""
        setup = self.setup
        return Method(setup.task, setup.benchmark.recipe, setup.benchmark.signature.output.axes[-1])

    def trained(self, network: nn.Module) -> nn.Module:
        """What the last stage trains: `network` itself, or a module that holds it and what it learns beside."""
        return network

    def stages(self, network: nn.Module) -> Iterator[Stage]:
        """The stages, each to be trained before the next is asked for; what comes of the last is `network`, trained.

        What else they hold is drawn from torch's generators, which whoever asks has seeded.

        Raises:
            BenchmarkError: the candidate cannot be trained so.
        """
        setup = self.setup
        yield Stage(
            trained=self.trained(network),
            method=self.method(),
            training=setup.feed("train"),
            validation=setup.feed("validation"),
            budget=setup.budget,
            objective=setup.objective,
        )

    def pictures(self) -> Sequence[Picture]:
        """What the trained network makes, for people to look at; asked for of finalists alone."""
        return ()

    def measure(self, network: nn.Module, examples: Feed | Examples, split: str) -> dict[str, float]:
        """The figures of a trained network, named after `split`: "test_accuracy"."""
        return self.method().measure(network, examples, split, self.setup.precision)


def protocol_of(benchmark: Benchmark) -> type[Protocol]:
    """The protocol that `benchmark` names.

    Raises:
        RegistryError: there is none of that name, or it is no Protocol.
    """
    found = registry.load(registry.PROTOCOLS, benchmark.protocol)
    if not (isinstance(found, type) and issubclass(found, Protocol)):
        raise RegistryError(
            f"The protocol {quote(benchmark.protocol)} must be a subclass of nas.training.Protocol, got {quote(found)}."
        )
    return found


def stages_of(protocol: Protocol, network: nn.Module) -> Iterable[Stage]:
    """The protocol's stages, with what they hold drawn from the candidate's seed; the global random state stays as it was."""
    walk = protocol.stages(network)
    number = 0
    while True:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(protocol.setup.seed * 1_000 + number)
            try:
                stage = next(walk)
            except StopIteration:
                return
        yield stage
        number += 1
