"""What a trunk learns from examples without labels, before it is fine-tuned on labels: a pretext.

    trunk → (trunk + a head that is thrown away) → trained by the pretext's Method on its examples → the trunk

A pretext is a plugin: its entry point in `nas.pretexts` is the name that a benchmark's `protocol_options` give it, its fields are
the options that they may set beside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, ValidationError
from torch import nn
from torch.utils.data import Dataset

from nas import registry
from nas.benchmark import Recipe, Shape
from nas.errors import BenchmarkError, ModelError, RegistryError, did_you_mean, quote
from nas.models import Cost, LayerKind, Part, Step, TrainingKind, steps
from nas.models.costing import total
from nas.models.layers.fine_tuning import FineTuning
from nas.models.layers.head import Head
from nas.training import Examples, Method, Setup

Source = Examples | Dataset[Any]
"""Examples in memory, or a data set that is read by number."""


@dataclass(frozen=True)
class Trunk:
    """The layers of a plan that a pre-training trains: those before the boundary where the network's head begins."""

    parts: tuple[Part, ...]
    """Without the layers that only say how the network is trained."""
    given: Shape
    """What the network is fed."""
    gives: Shape
    """What stands between trunk and head."""

    @classmethod
    def of(cls, parts: Sequence[Part], given: Shape) -> "Trunk":
        """The trunk of a plan: what comes before its `fine_tuning`, where it has one, else before its last layer, a `head`.

        Raises:
            ModelError: there is no trunk.
        """
        at = next((n for n, part in enumerate(parts) if _is_of(part, FineTuning)), len(parts) - 1)
        if not _is_of(parts[at], (FineTuning, Head)):
            raise ModelError("A network that is pre-trained ends in a `head`, which is left out then; end it in one.")
        before = tuple(part for part in parts[:at] if not _is_of(part, TrainingKind))
        if not sum(step.placed.cost.params for step in steps(before)):
            raise ModelError("No layer with weights stands before the head, so that nothing can be pre-trained; add one.")
        return cls(before, given, before[-1].gives)

    @cached_property
    def cost(self) -> Cost:
        """Of one forward pass of one example, by the layers' formulas."""
        return total(self.parts)

    def within(self, network: nn.Sequential) -> nn.Sequential:
        """The trunk of the `network` that was built by the plan; its modules are the network's own."""
        return network[: len(self.parts)]

    def beyond(self, network: nn.Sequential) -> nn.Sequential:
        """The rest of the network."""
        return network[len(self.parts) :]


def _is_of(part: Part, kind: type[LayerKind] | tuple[type[LayerKind], ...]) -> bool:
    return isinstance(part, Step) and isinstance(part.placed.kind, kind)


@runtime_checkable
class Unlabelled(Protocol):
    """A task that has examples without labels, beside or instead of those that it has labels for."""

    def unlabelled(self, split: Literal["train", "validation"]) -> Source:
        """Examples whose targets mean nothing; those of "validation" are not in "train", and none is in a test.

        Texts may be longer than the benchmark's.
        """


class Pretext(BaseModel):
    """What a trunk is trained for where no labels are read; its fields are its options.

    Losses draw what they mask or change from torch's global generators, or in `Method.prepare` from the one that it is handed;
    `Method.measure` draws from a generator of its own, so that epochs can be compared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    passes: ClassVar[int] = 1
    """How often the trunk is given an example, or a piece of one, in a step."""

    def examples(self, setup: Setup, split: Literal["train", "validation"]) -> Source:
        """What it learns from: the task's unlabelled examples, or where it has none its labelled ones, labels unread."""
        task = setup.task
        return task.unlabelled(split) if isinstance(task, Unlabelled) else task.examples(split)

    def module(self, trunk: Trunk, body: nn.Sequential) -> nn.Module:
        """What is trained: `body`, the trunk's own modules, with a head that is thrown away afterwards.

        Raises:
            ModelError: the pretext cannot be learned by such a trunk; says why, and what would mend it.
        """
        raise NotImplementedError(f"{type(self).__name__}.module")

    def method(self, trunk: Trunk, setup: Setup, recipe: Recipe) -> Method:
        """How `module` is trained, and what is measured on the examples of "validation"."""
        raise NotImplementedError(f"{type(self).__name__}.method")

    def forward_flops(self, trunk: Trunk) -> float:
        """Of what `module` does for one example of a training step; where an example passes twice, of both passes."""
        return trunk.cost.flops


def make_pretext(name: str, options: Mapping[str, Any]) -> Pretext:
    """The pretext called `name` with its options.

    Raises:
        RegistryError: there is none of that name, or it is no Pretext.
        BenchmarkError: an option is unknown, or wrong.
    """
    kind = registry.load(registry.PRETEXTS, name)
    if not (isinstance(kind, type) and issubclass(kind, Pretext)):
        raise RegistryError(f"The pretext {quote(name)} must be a subclass of nas.protocols.Pretext, got {quote(kind)}.")
    for option in options:
        if option not in kind.model_fields:
            raise BenchmarkError(
                f"The pretext {quote(name)} has no option {quote(option)}. {did_you_mean(option, kind.model_fields)}"
            )
    try:
        return kind(**options)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BenchmarkError(f"The pretext {name}.{first['loc'][0]}: {first['msg']}, got {quote(first['input'])}.") from None
