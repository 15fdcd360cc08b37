"""How a trial is made of another: a method, its options, and what it does to a network before, in and after training.

    parent's weights → begin → (its own training, with the method's loss and recipe) → finish → what is measured and kept

Our own and other teams' come by the entry points of `nas.derivations`. A method that only trains otherwise (against attacks, in
private) says so by its `recipe`; one that quantises or prunes says what it does to the weights.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from safetensors import SafetensorError
from torch import Tensor, nn

from nas import registry
from nas.benchmark import Budget, Recipe, Signature
from nas.errors import ModelError, RegistryError, SearchError, did_you_mean, quote
from nas.records import Derived
from nas.space import Architecture, Space
from nas.training.feeding import Feed
from nas.training.method import Method
from nas.training.protocols import Setup
from nas.training.weights import read_weights, suit_file

Family = Literal["compression", "training"]


class Unsupported(Exception):
    """A method cannot serve this network, or not on this device; the message says why, as a sentence."""


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What a method is handed beside the network that it works at."""

    setup: Setup
    """The benchmark with the method's recipe, its task and examples, the budget and the seed."""
    parents: tuple[nn.Module, ...]
    """Trained networks, in evaluation mode, on the device: the parent first. Without weights where the method needs none."""
    training: Feed
    """Examples to train on or calibrate with, on the device or streamed to it."""
    device: torch.device
    inputs: Tensor
    """One example, a batch of 1, on the device."""


class Derivation(BaseModel):
    """A method; its fields are its options. What it does not override leaves things as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    summary: ClassVar[str] = ""
    """In a line, for a list of methods."""
    family: ClassVar[Family] = "training"
    """Whether it makes networks smaller or faster, or trains them otherwise."""
    needs_weights: ClassVar[bool] = True
    """Whether the parent's trained weights must be there."""
    plain: ClassVar[bool] = True
    """Whether what is kept are the weights of an architecture as it is built."""
    slopes: ClassVar[bool] = True
    """Whether gradients by the input pass through what it makes, which attacks follow."""
    taught: ClassVar[bool] = False
    """Whether it can learn from others beside its parent."""

    @property
    def words(self) -> str:
        """Its options for people, as far as they are not as usual; empty where all are."""
        usual = {name: field.default for name, field in type(self).model_fields.items()}
        told = {name: value for name, value in self.model_dump().items() if value != usual[name]}
        return ", ".join(f"{name} {value}" for name, value in told.items())

    @property
    def hindrance(self) -> str:
        """Why what it makes cannot be handed over as a folder, in a clause; empty where it can."""
        return ""

    def check(self, device: torch.device) -> None:
        """See whether it can be done on this device with what is installed.

        Raises:
            Unsupported: it cannot.
        """

    def child(self, space: Space, architecture: Architecture, signature: Signature) -> Architecture:  # noqa: ARG002
        """The architecture that it makes of the parent's.

        Raises:
            SearchError: it cannot make one.
        """
        return architecture

    def recipe(self, recipe: Recipe) -> Recipe:
        """How the child is trained, given how finalists are."""
        return recipe

    def budget(self, final: Budget) -> Budget | None:  # noqa: ARG002
        """Of the child's training, given that of finalists; None where nothing is trained."""
        return None

    def begin(self, network: nn.Module, lineage: Lineage) -> nn.Module:
        """What is trained next, of a fresh network of the child's architecture: here with the parent's weights.

        Raises:
            Unsupported: it cannot be done to this network.
        """
        if self.needs_weights:
            network.load_state_dict(lineage.parents[0].state_dict())
        return network

    def method(self, method: Method, lineage: Lineage) -> Method:  # noqa: ARG002
        """How it is trained, given how the benchmark's protocol does it."""
        return method

    def finish(self, network: nn.Module, lineage: Lineage) -> nn.Module:  # noqa: ARG002
        """What is measured and kept, of what came out of training.

        Raises:
            Unsupported: it cannot be done to this network.
        """
        return network

    def kept(self, network: nn.Module) -> Mapping[str, Tensor]:
        """What a file keeps of what `finish` gave; plain tensors."""
        return network.state_dict()

    def restored(self, network: nn.Module, path: Path, inputs: Tensor) -> nn.Module:  # noqa: ARG002
        """What `finish` gave, again, of a fresh `network` and the file that `kept` went into.

        Raises:
            ModelError: the file is of another network.
            OSError: it cannot be read.
        """
        read_weights(network, path)
        return network

    def figures(self, network: nn.Module) -> Mapping[str, float]:  # noqa: ARG002
        """What it tells of itself, of what `finish` gave: the share of weights that are zero, for example."""
        return {}


def derivation_of(name: str, options: Mapping[str, Any]) -> Derivation:
    """The method called `name`, with these options.

    Raises:
        RegistryError: there is none of that name, or it is no Derivation.
        SearchError: it has no such option, or one is of the wrong kind.
    """
    found = registry.load(registry.DERIVATIONS, name)
    if not (isinstance(found, type) and issubclass(found, Derivation)):
        raise RegistryError(f"The derivation {quote(name)} must be a subclass of nas.training.Derivation, got {quote(found)}.")
    try:
        return found(**options)
    except ValidationError as error:
        told = sorted(error.errors(include_url=False, include_input=False), key=lambda one: one["type"] != "extra_forbidden")
        first = told[0]  # a wrong name may be that of what is missing
        place = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            known = [*found.model_fields]
            hint = did_you_mean(place, known) if known else "It has none."
            raise SearchError(f"{name} has no option {quote(place)}. {hint}") from None
        if first["type"] == "missing":
            way = "--recipe OPTION=VALUE" if found is Retrain else f"--set {place}=VALUE"
            raise SearchError(f"{name} needs {place}; give {way}.") from None
        given = f", got {quote(options[place])}" if place in options else ""
        raise SearchError(f"{name}: {place or 'its options'}: {first['msg'].removeprefix('Value error, ')}{given}.") from None


def restored(derived: Derived, network: nn.Module, path: Path, inputs: Tensor) -> nn.Module:
    """What a Record tells of, again: of a fresh `network` of its architecture and the file that it is kept in.

    Raises:
        ModelError: the file holds other weights than the method keeps.
        OSError: it cannot be read.
    """
    derivation = derivation_of(derived.method, derived.options)
    suit_file(network, path)
    try:
        return derivation.restored(network, path, inputs).eval()
    except (KeyError, RuntimeError, SafetensorError) as error:  # other tensors than the method keeps
        raise ModelError(f"{path.name} holds other weights than {derived.words} keeps; build that network.") from error


class Retrain(Derivation):
    """The same architecture, trained from the same seed by another recipe: against attacks, in private, and so on."""

    summary: ClassVar[str] = "the same architecture, trained in full by another recipe (--recipe OPTION=VALUE)"
    needs_weights: ClassVar[bool] = False

    changes: dict[str, Any] = Field(min_length=1)
    """What is to be other than in the benchmark's recipe, option by option."""

    @property
    def words(self) -> str:
        """What is other."""
        return ", ".join(f"{name} {value}" for name, value in self.changes.items())

    def recipe(self, recipe: Recipe) -> Recipe:
        """With the changes.

        Raises:
            SearchError: an option is unknown or of the wrong kind.
        """
        known = [field.name for field in fields(Recipe)]
        for name in self.changes:
            if name not in known:
                raise SearchError(f"A recipe has no option {quote(name)}. {did_you_mean(name, known)}")
        try:
            return TypeAdapter(Recipe).validate_python(asdict(recipe) | self.changes)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise SearchError(f"recipe: {first['loc'][0]}: {first['msg']}.") from None

    def budget(self, final: Budget) -> Budget:
        """That of finalists."""
        return final
