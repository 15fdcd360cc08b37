"""What tells weights and data from all others: SHA-256 of tensors, equal on every machine for equal bits.

Of each tensor, in the order of the names: name, type of number and axes, each followed by a byte of 0, and then the tensor's own
bytes in row-major order, as a CPU has them.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nas.training.task import Examples, Split


def digest_tensors(tensors: Mapping[str, Tensor]) -> str:
    """64 hexadecimal digits of `tensors`, which may lie on any device and in any layout.

    Raises:
        TypeError: one of them is no tensor.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} is no tensor but of type {type(value).__name__}")
        plain = value.detach().cpu().contiguous()
        axes = "×".join(map(str, plain.shape))
        digest.update(f"{name}\0{str(plain.dtype).removeprefix('torch.')}\0{axes}\0".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def digest_sources(sources: Mapping[Split, Any]) -> str | None:
    """64 hexadecimal digits of the examples by split; None where one cannot be told without reading all of it.

    Examples are told by their tensors; a data set that is read by number, by a text in its attribute `sha256`, if it has one.
    """
    digests = []
    for split, source in sorted(sources.items()):
        known = getattr(source, "sha256", None)
        if isinstance(source, Examples):
            known = digest_tensors({"inputs": source.inputs, "targets": source.targets})
        if not isinstance(known, str):
            return None
        digests.append(f"{split}\0{known}\0")
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def digest_network(model: nn.Module) -> str | None:
    """What tells its weights from others; None where its state is not of plain tensors alone."""
    try:
        return digest_tensors(model.state_dict())
    except (TypeError, RuntimeError):  # something else; a sparse tensor
        return None
