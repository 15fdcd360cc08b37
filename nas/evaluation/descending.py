"""What it takes to make one trial of another: its parents with their weights, the method about the protocol, and what is told."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from nas.benchmark import Signature
from nas.device import place
from nas.models import build, example
from nas.profiling.energy import measure_energy
from nas.profiling.interleaving import rank_by_latency
from nas.records import Derived, Descent
from nas.space import Space
from nas.training import (
    Derivation,
    Lineage,
    Method,
    Protocol,
    Setup,
    Unsupported,
    as_feed,
    read_weights,
    said_of,
    write_tensors,
)


def lineage_of(space: Space, signature: Signature, setup: Setup, descent: Descent, device: torch.device) -> Lineage:
    """The parents of a child with their weights, on `device`, and what else its method is handed.

    Raises:
        ModelError: a file of weights is of another network.
        Unsupported: a file is gone.
    """
    networks = []
    for parent in descent.parents:
        network = build(space, space.architecture(parent.choices), signature, seed=parent.seed)
        if parent.weights is not None:
            try:
                read_weights(network, parent.weights)
            except OSError as error:
                raise Unsupported(f"The weights of its parent cannot be read: {error.strerror}.") from error
        networks.append(place(network, device).eval())
    return Lineage(
        setup=setup,
        parents=tuple(networks),
        training=as_feed(setup.feed("train"), device),
        device=device,
        inputs=example(signature.input, device),
    )


def by_method(protocol: type[Protocol], derivation: Derivation, lineage: Lineage) -> type[Protocol]:
    """`protocol` with the method's say in how a step is made; figures are measured as everywhere."""

    class OfDerivation(protocol):  # type: ignore[misc,valid-type]  # a class that is known when it runs
        def method(self) -> Method:
            return derivation.method(super().method(), lineage)

    return OfDerivation


def begun(derivation: Derivation, descent: Descent) -> Derived:
    """What is told of a child before anything is known of it."""
    return Derived(
        method=descent.method,
        options=descent.options,
        words=descent.words(derivation.words),
        parent=descent.parents[0].evaluation,
        beside=tuple(parent.evaluation for parent in descent.parents[1:]),
        plain=derivation.plain,
    )


def told(derived: Derived, derivation: Derivation, network: nn.Module, lineage: Lineage, descent: Descent) -> Derived:
    """With what is measured of the child beside its parent: the time of a pass, in turns, its energy where a counter of it can be
    read, and what the method tells of itself.
    """
    parent = descent.parents[0].weights
    standing = rank_by_latency([lineage.parents[0], network], lineage.inputs)
    places = {one.network: one for one in standing.places}
    joules = [measure_energy(one, lineage.inputs) for one in (lineage.parents[0], network)]
    return replace(
        derived,
        parent_file_bytes=parent.stat().st_size if parent is not None and parent.is_file() else None,
        parent_turn_ms=places[0].p10_ms,
        turn_ms=places[1].p10_ms,
        tied=standing.places[0].tied,
        parent_turn_mj=joules[0].millijoules if joules[0] else None,
        turn_mj=joules[1].millijoules if joules[1] else None,
        figures=dict(derivation.figures(network)),
    )


def keep(kept: Mapping[str, Tensor], path: Path, network: nn.Module) -> int:
    """Write what is kept of `network` to `path`; returns the bytes of the file.

    Raises:
        OSError: it cannot be written.
    """
    write_tensors(kept, path, said_of(network))
    return path.stat().st_size


def stored_bytes(kept: Mapping[str, Tensor]) -> int:
    """Of these tensors, without what a file says about them."""
    return sum(value.nbytes for value in kept.values())


def file_bytes(kept: Mapping[str, Tensor]) -> int:
    """Of the file that these tensors would be."""
    return len(safetensors.torch.save({name: value.detach().cpu().contiguous().clone() for name, value in kept.items()}))


def options_of(derivation: Derivation) -> dict[str, Any]:
    """All of them, as plain data."""
    return derivation.model_dump(mode="json")
