"""Weights in files: plain safetensors, each there whole or not at all, whenever the process or the machine stops.

A file says of itself if its network has group normalisation where its architecture says batch normalisation, and if layers were
cut to widths that its architecture does not say, so that whoever reads it need not know how it came about.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from nas.errors import ModelError, quote
from nas.files import write_whole
from nas.training.digests import digest_tensors
from nas.training.grouping import group, is_grouped
from nas.training.packing import unpacked
from nas.training.reshaping import cut_of, reshape

GROUPED = {"batch_norm": "group"}
CUT = "cut"
"""Name of what a file says of tensors that are smaller than the architecture has them."""


def write_weights(model: nn.Module, path: Path) -> str:
    """Write `model`'s weights and buffers, by their names, to `path`; returns the file's SHA-256.

    Weights that share memory are written once for each name. A file that was there is replaced in one step.

    Raises:
        OSError: the file cannot be written; what was there is as it was.
        TypeError: the model's state is not of tensors alone.
    """
    return write_tensors(model.state_dict(), path, said_of(model))


def read_weights(model: nn.Module, path: Path) -> None:
    """Give `model` the weights in the file at `path`, on the device and in the layout that its own have.

    They may be packed there, as in what was made of a finalist; see `nas.training.packing`.

    Raises:
        ModelError: the file is no safetensors file, or holds the weights of another network; `model` is as it was.
        OSError: the file cannot be read.
    """
    try:
        tensors = safetensors.torch.load(path.read_bytes())
    except SafetensorError as error:
        raise ModelError(f"{path.name} is no whole safetensors file ({error}); write it again with write_weights.") from error
    suit_file(model, path)
    try:
        tensors = unpacked(tensors, model.state_dict())
    except RuntimeError as error:
        raise ModelError(f"{path.name} holds the weights of another network, packed; build that one.") from error
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    for name in _lists(model) & own.keys() & found.keys():
        own[name] = (found[name][0], *own[name][1:]) if found[name] else own[name]
    if own != found:
        name = next(name for name in [*own, *found] if own.get(name) != found.get(name))
        shapes = " and ".join(f"{side.get(name, 'absent')} {where}" for side, where in ((found, "there"), (own, "here")))
        raise ModelError(f"{path.name} holds the weights of another network: {quote(name)} is {shapes}; build that one.")
    model.load_state_dict(tensors)


def digest_file(path: Path) -> str:
    """What `digest_tensors` tells of the tensors in the file at `path`, in whatever form they are kept.

    Raises:
        ModelError: the file is no safetensors file.
        OSError: it cannot be read.
    """
    try:
        return digest_tensors(safetensors.torch.load(path.read_bytes()))
    except SafetensorError as error:
        raise ModelError(f"{path.name} is no whole safetensors file ({error}).") from error


def suit_file(model: nn.Module, path: Path) -> None:
    """Give `model` the normalisation and the widths that the file at `path` says its network has.

    Raises:
        ModelError: it says widths of another network.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        header = file.read(int.from_bytes(file.read(8), "little"))
    try:
        said = json.loads(header).get("__metadata__", {})
    except ValueError:  # no safetensors file, which whoever reads its tensors says
        return
    if said.items() >= GROUPED.items():
        group(model)
    if CUT in said and not cut_of(model):
        try:
            shapes = {str(name): tuple(map(int, shape)) for name, shape in json.loads(said[CUT]).items()}
        except (AttributeError, TypeError, ValueError) as error:
            raise ModelError(f"{path.name} says no widths that can be read; write it again with write_weights.") from error
        reshape(model, shapes)


def _lists(model: nn.Module) -> set[str]:
    """Buffers that may be longer than they were built, since they are of the data: a graph's links. Their modules make room."""
    return {f"{path}.{name}".lstrip(".") for path, module in model.named_modules() for name in getattr(module, "lists", ())}


def said_of(model: nn.Module) -> dict[str, str]:
    """What a file of its weights says of `model` beside them."""
    cut = {CUT: json.dumps({name: list(shape) for name, shape in cut_of(model).items()})} if cut_of(model) else {}
    return (GROUPED if is_grouped(model) else {}) | cut


def write_tensors(tensors: Mapping[str, Tensor], path: Path, said: Mapping[str, str] | None = None) -> str:
    """Write `tensors` to a safetensors file at `path`; returns the file's SHA-256. Their strides are not in it.

    What is `said` of their network stands in it too; see `said_of`.

    Raises:
        OSError: the file cannot be written; what was there is as it was.
        TypeError: one of them is no tensor.
    """
    data = safetensors.torch.save(_apart(tensors), metadata={"format": "pt", **(said or {})})
    write_whole(data, path)
    return hashlib.sha256(data).hexdigest()


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, contiguous, no two in the same memory; copied only where they are not so already."""
    apart: dict[str, Tensor] = {}
    taken: set[int] = set()
    for name, value in tensors.items():
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} is no tensor but of type {type(value).__name__}")
        plain = value.detach().cpu().contiguous()
        storage = plain.untyped_storage()
        if storage.data_ptr() in taken or storage.nbytes() != plain.nbytes:
            plain = plain.clone()
        taken.add(plain.untyped_storage().data_ptr())
        apart[name] = plain
    return apart
