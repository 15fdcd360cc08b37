"""What any network costs, layer by layer, from one pass on the meta device: no weight exists, nothing is computed."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._pytree import tree_leaves

from nas.models import MultiplyAdds, Remembering, weightless
from nas.profiling.fused import FusedAttention
from nas.profiling.inputs import Inputs, batch_of
from nas.profiling.storages import Storages

Network = nn.Module | Callable[[], nn.Module]
"""A network, or what makes one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A module's own share: what its children do and own stands in their rows."""

    name: str
    """Its qualified name; "" for the network itself."""
    kind: str
    """Its class."""
    calls: int
    """How often it ran; 0 where its parent reads its weights and does its work, as MultiheadAttention does for `out_proj`."""
    output: tuple[int, ...] | None
    """Shape of the first tensor that it gave when it last ran, the batch's axis first; None where it did not run."""
    output_bytes: int
    """Of all tensors that it gave, in all its calls."""
    params: int
    """Trainable parameters that it owns; what several modules own is the first one's."""
    params_total: int
    """With frozen ones."""
    macs: int
    """Multiply-adds that it does itself, in all its calls; see `nas.models.counting`."""

    @property
    def flops(self) -> int:
        """Twice `macs`."""
        return 2 * self.macs


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a network costs for one example, or for the tensors that were given."""

    params: int
    """Trainable parameters; one that stands in several places counts once."""
    params_total: int
    """With frozen ones."""
    macs: int
    """Multiply-adds of one forward pass in evaluation mode; see `nas.models.counting`."""
    weight_bytes: Mapping[str, int]
    """Of the parameters, by type, such as "float32"."""
    buffer_bytes: Mapping[str, int]
    """Of what is kept beside them, such as running means, by type."""
    activation_bytes: int
    """Most bytes of tensors alive at once during the pass: the input, and what layers give until nothing needs it any more.
    Weights, buffers and scratch memory within an operator are not in it. Attention is fused, as it is on devices; recurrent
    layers are taken apart into their steps, and their fused kernels ask for up to a few times as much."""
    uncounted: Mapping[str, int]
    """Operators whose cost is not known, and how often each ran; see `MultiplyAdds`."""
    layers: tuple[Layer, ...]
    """In the order in which the network holds them; their parameters and multiply-adds add up to the network's."""

    @property
    def flops(self) -> int:
        """Twice `macs`."""
        return 2 * self.macs

    @property
    def size_bytes(self) -> int:
        """Of parameters and buffers."""
        return sum(self.weight_bytes.values()) + sum(self.buffer_bytes.values())


def count_layers(network: Network, inputs: Inputs) -> Counts:
    """What `network` costs in evaluation mode, for one example of a shape or size, or for the tensors given; see `on_meta`.

    The rows are the modules without children, and those that own weights or do multiply-adds beside their children's.

    Raises:
        ModelError: `inputs` are of no kind that is known.
    """
    model = on_meta(network)
    counter, storages = MultiplyAdds(), Storages()
    with torch.no_grad(), Remembering(), storages, counter, FusedAttention(), _watched(model, counter) as shares:
        model(*batch_of(inputs, "meta"))
    layers, weights = tuple(_rows(model, shares)), list(model.parameters())
    return Counts(
        params=sum(layer.params for layer in layers),
        params_total=sum(layer.params_total for layer in layers),
        macs=counter.macs,
        weight_bytes=bytes_by_type(weights),
        buffer_bytes=bytes_by_type(model.buffers()),
        activation_bytes=storages.peak,
        uncounted=dict(sorted(counter.uncounted.items())),
        layers=layers,
    )


def on_meta(network: Network) -> nn.Module:
    """`network` on the meta device, in evaluation mode; the one given stays as it is.

    What makes a network makes it there, so that no weight exists. Where its constructor computes with numbers, which meta has
    not, it is made as it is and moved.
    """
    if not isinstance(network, nn.Module):
        try:
            return weightless(network).to("meta")  # what was made elsewhere, such as a table out of NumPy, comes after
        except (RuntimeError, TypeError, ValueError):
            with torch.random.fork_rng(devices=[]):
                network = network()
    ghosts: dict[int, Any] = {}
    for tensor in chain(network.parameters(), network.buffers()):
        ghost = torch.empty_like(tensor, device="meta")
        ghosts[id(tensor)] = nn.Parameter(ghost, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else ghost
    return copy.deepcopy(network, ghosts).eval()  # which takes the ghosts for copies of what they stand for


def bytes_by_type(tensors: Iterable[Tensor]) -> dict[str, int]:
    """Bytes of `tensors` by their type, such as "float32"."""
    sizes: dict[str, int] = {}
    for tensor in tensors:
        kind = str(tensor.dtype).removeprefix("torch.")
        sizes[kind] = sizes.get(kind, 0) + tensor.numel() * tensor.element_size()
    return sizes


@dataclass(slots=True)
class _Share:
    """What one module did, as it gathers."""

    calls: int = 0
    output: tuple[int, ...] | None = None
    output_bytes: int = 0
    macs: int = 0


@contextmanager
def _watched(model: nn.Module, counter: MultiplyAdds) -> Iterator[dict[nn.Module, _Share]]:
    """Within it, what `counter` counts is noted as the share of the module that is running, and not of those it runs in."""
    shares = {module: _Share() for module in model.modules()}
    running: list[nn.Module] = []
    noted = 0

    def note() -> None:
        nonlocal noted
        if running:
            shares[running[-1]].macs += counter.macs - noted
        noted = counter.macs

    def begin(module: nn.Module, _: Any) -> None:
        if module in shares:  # what the network calls and does not hold is the share of who calls it
            note()
            running.append(module)

    def end(module: nn.Module, _: Any, gives: Any) -> None:
        if module not in shares:
            return
        note()
        running.pop()
        share = shares[module]
        tensors = [leaf for leaf in ((gives,) if isinstance(gives, Tensor) else tree_leaves(gives)) if isinstance(leaf, Tensor)]
        share.calls += 1
        share.output = tuple(tensors[0].shape) if tensors else None
        share.output_bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    hooks = register_module_forward_pre_hook(begin), register_module_forward_hook(end)  # two in all, not two a module
    try:
        yield shares
    finally:
        for hook in hooks:
            hook.remove()


def _rows(model: nn.Module, shares: Mapping[nn.Module, _Share]) -> Iterator[Layer]:
    owned: set[nn.Parameter] = set()
    for name, module in model.named_modules():
        share = shares[module]
        own = [parameter for parameter in module.parameters(recurse=False) if parameter not in owned]
        owned.update(own)
        is_leaf = next(module.children(), None) is None
        if own or share.macs or (is_leaf and share.calls):
            yield Layer(
                name=name,
                kind=type(module).__name__,
                calls=share.calls,
                output=share.output,
                output_bytes=share.output_bytes,
                params=sum(parameter.numel() for parameter in own if parameter.requires_grad),
                params_total=sum(parameter.numel() for parameter in own),
                macs=share.macs,
            )
