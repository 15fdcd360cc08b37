"""Retrieval without classes: a network learns one space for several modalities, and is measured by what one finds by another.

An example is a row of all its modalities, and its target the number of its group: what belongs together, such as a picture with
several captions, has one number. A network ends in a vector a modality, side by side.

Axes: N examples, M modalities, D numbers of a vector, F = M · D.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nas.benchmark import Modalities
from nas.device import Precision
from nas.errors import BenchmarkError
from nas.models.layers.modality import SharedSpace
from nas.protocols.contrastive import contrastive_loss
from nas.protocols.retrieval import Recall, belonging
from nas.training import Comparing, Examples, Feed, Meter, Method, Protocol, Setup
from nas.training.augmentation import augment_rows
from nas.training.kinds import Loaded
from nas.training.validating import evaluate

TEMPERATURE = 0.1
"""By which cosines are divided where no `shared_space` of a candidate says it."""


@dataclass(frozen=True)
class Retrieval(Loaded):
    """What belongs together in a space of several modalities: a contrastive loss, and recall at 1, 5 and 10."""

    modalities: tuple[str, ...] = field(kw_only=True)
    """In the order of their vectors."""
    temperature: float = TEMPERATURE
    by_direction: bool = False
    """Whether recall is told of each direction, beside the means."""

    def vectors(self, outputs_NF: Tensor) -> Tensor:
        """A vector a modality, (N, M, D)."""
        return outputs_NF.reshape(len(outputs_NF), len(self.modalities), -1)

    def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:  # noqa: ARG002 - the same for every task
        """Of vectors (N, F) and groups (N,): how badly each of a batch picks, among another modality's, what belongs to it."""
        vectors_NMD = self.vectors(outputs)
        present_NM = torch.ones(vectors_NMD.shape[:2], dtype=torch.bool, device=outputs.device)
        return contrastive_loss(vectors_NMD, present_NM, belonging(targets, by_class=True), self.temperature)

    def meter(self, device: torch.device) -> Meter:  # noqa: ARG002
        """Of vectors (N, F) and groups (N,)."""
        return _Unflattened(self, Recall(self.modalities, by_class=True, by_direction=self.by_direction))


@dataclass(frozen=True)
class _Unflattened:
    task: Retrieval
    recall: Recall

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in a batch."""
        self.recall.update(self.task.vectors(outputs), targets)

    def compute(self) -> dict[str, float]:
        """All figures."""
        return self.recall.compute()


class Pairing(Comparing):
    """Learning of one space: a batch's examples are compared with each other, so that no part of it stands for the whole."""

    def __init__(self, task: Retrieval, setup: Setup) -> None:
        super().__init__(task, setup.benchmark.recipe)
        self.given = setup.benchmark.signature.input
        self.temperature = task.temperature

    def encode(self, network: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors (N, F) and groups (N,)."""
        return network(inputs), targets

    def compare(self, *encoded: Tensor) -> Tensor:
        """The task's loss."""
        outputs_NF, groups_N = encoded
        return self.task.loss(outputs_NF, groups_N, self.recipe.label_smoothing)

    def augmented(self, inputs: Tensor, chance: torch.Generator) -> Tensor:
        """Pictures and sequences of the rows, as the recipe changes them."""
        assert isinstance(self.given, Modalities)  # noqa: S101 - the protocol has looked
        return augment_rows(inputs, self.given, self.recipe, chance)

    @property
    def identity(self) -> Mapping[str, Any]:
        """With what decides about the loss."""
        return {**super().identity, "temperature": self.temperature}


class Matching(Protocol):
    """Supervised learning of what belongs together; a candidate's `shared_space` says by which temperature."""

    stackable: ClassVar[bool] = False
    taught: ClassVar[bool] = False
    hardened: ClassVar[bool] = False

    def __init__(self, setup: Setup) -> None:
        """Look at what is asked for.

        Raises:
            BenchmarkError: the task is none of retrieval, or the benchmark has one input.
        """
        super().__init__(setup)
        if not isinstance(setup.task, Retrieval) or not isinstance(setup.benchmark.signature.input, Modalities):
            raise BenchmarkError(
                f"The protocol 'retrieval' is for tasks of the kind Retrieval on several modalities, got "
                f"{type(setup.task).__name__} on {setup.benchmark.signature.input}."
            )
        space = setup.training(SharedSpace)
        self.task = replace(setup.task, temperature=space.temperature) if isinstance(space, SharedSpace) else setup.task

    def method(self) -> Method:
        """That of the only stage."""
        return Pairing(self.task, self.setup)

    def measure(self, network: nn.Module, examples: Feed | Examples, split: str) -> dict[str, float]:
        """The figures of a finalist, in every direction."""
        precision: Precision = self.setup.precision
        return evaluate(network, replace(self.task, by_direction=True), examples, split, precision)
