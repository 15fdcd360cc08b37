"""Several networks of one architecture computed as one, their batches one after another along the first axis.

Small linear layers are one batched product of matrices, layer normalisation differs in its scale alone, and what has no weights
(activations, pooling, dropout, the product of attention) treats examples one by one and is called once for all. All else that
has weights or buffers is called once for each network, on its own rows, with what lies between two such: gathering rows and
parting them again costs more than a call saves. Layers fused so across trainings are those of Wang et al. 2021
(arXiv:2102.02344), who group convolutions too; on a CPU these, and `torch.vmap`, were slower than this in all but networks of a
few hundred weights, and `torch.vmap` has no rule for recurrent cells and fused attention there.

Axes: R networks, N examples of each, B = R·N rows, C channels, F features, M = rows and positions of one network.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

TOLERANCE = 1e-3
"""By how much outputs may differ from those of the networks alone, as a share of the largest."""


LARGEST_JOINED = 100_000
"""Weights of a linear layer up to which it is computed for all networks at once: stacking the weights of all costs more than it
saves where there are many."""


class Unstackable(Exception):
    """These networks cannot be computed as one; says why."""


class _TooSmall(Exception):
    """A module that does not turn rows into rows; the one around it is called as a whole."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.around = name.rpartition(".")[0]


class Stack(nn.Module):
    """The networks `models` as one, (R·N, …) → (R·N, …). It has no weights: it reads, and its gradients reach, those of `models`.

    They are in training mode or not by themselves; what has no weights is the stack's own.
    """

    def __init__(self, models: Sequence[nn.Module], wholes: frozenset[str] = frozenset()) -> None:
        """`wholes` names modules that are called once for each network, with all that is in them."""
        super().__init__()
        self.size = len(models)
        self.rows = _Rows()
        named = [dict(model.named_modules(remove_duplicate=False)) for model in models]
        known: dict[int, Any] = {}  # what deepcopy takes instead of copying
        for run in _parts(models[0], "", wholes):
            first, *others = ([modules[name] for modules in named] for name in run)
            parts = [nn.Sequential(*modules) for modules in zip(first, *others, strict=True)] if others else first
            known[id(first[0])] = _together(run[0], parts, self.rows)
            known |= {id(other[0]): nn.Identity() for other in others}
        self.network = deepcopy(models[0], known)

    def forward(self, inputs_B: Tensor) -> Tensor:
        """The outputs of each network for its rows."""
        self.rows.count = len(inputs_B)
        outputs_B: Tensor = self.network(inputs_B)
        return outputs_B


class _Rows:
    """How many rows the stack was given."""

    count: int


def find_wholes(models: Sequence[nn.Module], batches: Sequence[Tensor]) -> frozenset[str]:
    """The modules of networks that must be called as a whole, found by trying the stack in evaluation mode on a batch for each.

    The networks are left in evaluation mode.

    Raises:
        Unstackable: no stack gives what the networks give.
    """
    for model in models:
        model.eval()
    wholes: frozenset[str] = frozenset()
    with torch.no_grad():
        expected_B = torch.cat([model(inputs) for model, inputs in zip(models, batches, strict=True)])
        while "" not in wholes:
            try:
                found_B = Stack(models, wholes).eval()(torch.cat(list(batches)))
            except _TooSmall as module:
                wholes |= {module.around}
            except Exception as error:  # a network may raise anything where it is not given what it expects
                raise Unstackable(f"they are not computed side by side ({type(error).__name__}: {error})") from error
            else:
                if found_B.shape == expected_B.shape and close(found_B, expected_B):
                    return wholes
                raise Unstackable("an example's output depends on the others of its batch")
    raise Unstackable("no part of them turns examples into examples")


def close(found: Tensor, expected: Tensor) -> bool:
    """Whether `found` is `expected` but for rounding."""
    return bool(((found - expected).abs().max() <= TOLERANCE * expected.abs().max()).item())


def _parts(module: nn.Module, name: str, wholes: frozenset[str]) -> Iterator[list[str]]:
    """The names of the outermost modules that a stack has its own way to call; several where they follow each other."""
    if name in wholes or _is_joined(module) or _is_apart(module):
        yield [name]
        return
    run: list[str] = []
    """From a module that is called for each network to the last before one that is not."""
    ends = 0
    for child, inner in module.named_children():
        path = f"{name}.{child}" if name else child
        if type(module) is nn.Sequential and (path in wholes or _is_apart(inner)):
            run.append(path)
            ends = len(run)
        elif run and not _has_weights(inner):
            run.append(path)
        else:
            if run:
                yield run[:ends]
            run = []
            yield from _parts(inner, path, wholes)
    if run:
        yield run[:ends]


def _is_joined(module: nn.Module) -> bool:
    """Whether it is computed for all networks at once."""
    if type(module) is nn.LayerNorm:
        return len(module.normalized_shape) == 1 and module.elementwise_affine
    return type(module) is nn.Linear and module.weight.numel() <= LARGEST_JOINED


def _is_apart(module: nn.Module) -> bool:
    """Whether it is called for each network, with all that is in it."""
    if _is_joined(module) or not _has_weights(module):
        return False
    if any(True for _ in chain(module.parameters(recurse=False), module.buffers(recurse=False))):
        return True
    if not any(map(_is_joined, module.modules())):
        return True
    # torch's own composed modules, such as the encoder layer, look into their parts.
    return type(module).__module__.startswith("torch.nn.") and not isinstance(
        module, nn.Sequential | nn.ModuleList | nn.ModuleDict
    )


def _has_weights(module: nn.Module) -> bool:
    return any(True for _ in chain(module.parameters(), module.buffers()))


def _together(name: str, modules: Sequence[nn.Module], rows: _Rows) -> nn.Module:
    if not _is_joined(modules[0]):
        return _Each(name, modules, rows)
    return _Linears(modules) if isinstance(modules[0], nn.Linear) else _LayerNorms(modules)


class _Held(nn.Module):
    """The networks' modules of one name, which are not this one's, so that it has no weights."""

    def __init__(self, modules: Sequence[Any]) -> None:
        super().__init__()
        self.held = tuple(modules)  # torch registers modules, but not those in a tuple

    def _stacked(self, weight: str) -> Tensor:
        return torch.stack([getattr(module, weight) for module in self.held])


class _Linears(_Held):
    def forward(self, inputs: Tensor) -> Tensor:
        """(B, …, C) → (B, …, F)."""
        inputs_RMC = inputs.reshape(len(self.held), -1, inputs.shape[-1])
        weights_RCF = self._stacked("weight").mT
        if self.held[0].bias is None:
            outputs_RMF = torch.bmm(inputs_RMC, weights_RCF)
        else:
            outputs_RMF = torch.baddbmm(self._stacked("bias")[:, None], inputs_RMC, weights_RCF)
        return outputs_RMF.view(*inputs.shape[:-1], -1)


class _LayerNorms(_Held):
    def forward(self, inputs: Tensor) -> Tensor:
        """(B, …, C) → (B, …, C)."""
        first = self.held[0]
        normal_RMC = functional.layer_norm(inputs, first.normalized_shape, eps=first.eps).reshape(
            len(self.held), -1, inputs.shape[-1]
        )
        scales_R1C = self._stacked("weight")[:, None]
        if first.bias is None:
            return (normal_RMC * scales_R1C).view(inputs.shape)
        return torch.addcmul(self._stacked("bias")[:, None], normal_RMC, scales_R1C).view(inputs.shape)


class _Each(_Held):
    """Calls each network's module on its own rows."""

    def __init__(self, name: str, modules: Sequence[nn.Module], rows: _Rows) -> None:
        super().__init__(modules)
        self._name = name
        self._rows = rows

    def __getattr__(self, name: str) -> Any:
        """What modules around this one read of it, where it is alike in all networks."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            value = getattr(self.held[0], name)
        if isinstance(value, Tensor | nn.Module):
            raise _TooSmall(self._name)
        return value

    def forward(self, *given: Any, **named: Any) -> Tensor:
        """Rows → rows."""
        size = len(self.held)
        if not any(map(self._has_rows, (*given, *named.values()))):
            raise _TooSmall(self._name)
        shares = [self._shares(value) for value in given]
        named_shares = {key: self._shares(value) for key, value in named.items()}
        ends = [
            module(*(share[number] for share in shares), **{key: share[number] for key, share in named_shares.items()})
            for number, module in enumerate(self.held)
        ]
        if not all(isinstance(end, Tensor) and end.ndim and len(end) % (self._rows.count // size) == 0 for end in ends):
            raise _TooSmall(self._name)
        return torch.cat(ends)

    def _has_rows(self, value: object) -> bool:
        return isinstance(value, Tensor) and value.ndim > 0 and len(value) % self._rows.count == 0

    def _shares(self, value: Any) -> Sequence[Any]:
        return value.chunk(len(self.held)) if self._has_rows(value) else [value] * len(self.held)
