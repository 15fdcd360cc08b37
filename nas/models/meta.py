"""Networks on the meta device, where tensors have shapes and no numbers: built without weights, and run in little time.

Nothing is computed on meta, but torch works out many shapes in Python, which takes longer than to compute a small network.
So what an operator gives is remembered by what it is given.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

MOST_REMEMBERED = 20_000
"""Calls of operators that are remembered at once; then all are forgotten."""


def weightless(build: Callable[[], nn.Module]) -> nn.Module:
    """The network that `build` makes, on the meta device and in evaluation mode: no weight exists, and none is drawn."""
    with torch.device("meta"), _Undrawn():
        return build().eval()


class _Undrawn(TorchFunctionMode):
    """Within it, weights on meta, which hold nothing, are not filled: drawing them takes as long as the rest of building."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _FILLING:
            filled = args[0] if args else kwargs["tensor"]
            if filled.is_meta:
                return filled
        return func(*args, **(kwargs or {}))


_FILLING = {
    *(nn.init.uniform_, nn.init.normal_, nn.init.constant_, nn.init.kaiming_uniform_, nn.init.kaiming_normal_),
    *(Tensor.uniform_, Tensor.normal_, Tensor.fill_, Tensor.zero_, Tensor.erfinv_, Tensor.clamp_),
}


class Remembering(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, an operator on meta that is given shapes, types and options as before gives what it gave then, made anew.

    Views are always made by torch, and so is whatever shares memory with what it is made of, so that a tensor's storage is
    its own exactly where torch would make it so.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        known, key = (_ask, None) if func.is_view else _recall(func, args, kwargs)
        if known is not None:
            return known(func, args, kwargs)
        gives = func(*args, **kwargs)
        if len(_REMEMBERED) >= MOST_REMEMBERED:
            _REMEMBERED.clear()
        _REMEMBERED[key] = _recipe(func, gives, args, kwargs)
        return gives


Recipe = Callable[[Any, Any, Any], Any]
"""Operator, arguments and options → what it gives."""

_REMEMBERED: dict[Any, Recipe] = {}


def _recall(func: Any, args: Any, kwargs: Any) -> tuple[Recipe | None, Any]:
    """How to make what an operator gives, None where it is not known yet, and what to remember it by."""
    try:
        key = (func, *map(_form, args), *((name, _form(value)) for name, value in kwargs.items()))
        return _REMEMBERED.get(key), key
    except TypeError:  # of something that has no form, such as a tensor with numbers in it
        return _ask, None


def _form(value: Any) -> Any:
    """What of an argument the answer's shape can hang on; raises TypeError where that cannot be said."""
    if isinstance(value, Tensor):
        if not value.is_meta or type(value) not in (Tensor, nn.Parameter):
            raise TypeError("not a plain tensor on meta")
        return value.shape, value.stride(), value.dtype
    if isinstance(value, list | tuple):
        return tuple(map(_form, value))
    return value.__class__, value  # since 1, 1.0 and True are equal, and give tensors of different types


def _recipe(func: Any, gives: Any, args: Any, kwargs: Any) -> Recipe:
    if func._schema.is_mutable:
        keeps_shape = torch.Tag.inplace in func.tags and torch.Tag.inplace_view not in func.tags and gives is args[0]
        return _same if keeps_shape else _ask
    tensors = [leaf for leaf in tree_leaves(gives) if isinstance(leaf, Tensor)]
    storages = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
    for tensor in tensors:
        storage = tensor.untyped_storage()._cdata
        if not tensor.is_meta or storage in storages:
            return _ask
        storages.add(storage)
    if isinstance(gives, Tensor):
        shape, stride, dtype = gives.shape, gives.stride(), gives.dtype
        return lambda *_: torch.empty_strided(shape, stride, dtype=dtype, device="meta")
    forms = tree_map_only(Tensor, lambda tensor: _Form(tensor.shape, tensor.stride(), tensor.dtype), gives)
    return lambda *_: tree_map_only(_Form, _Form.make, forms)


def _ask(func: Any, args: Any, kwargs: Any) -> Any:
    return func(*args, **kwargs)


def _same(func: Any, args: Any, kwargs: Any) -> Any:  # noqa: ARG001 - one signature for all
    return args[0]


class _Form:
    def __init__(self, shape: Any, stride: Any, dtype: torch.dtype) -> None:
        self.shape, self.stride, self.dtype = shape, stride, dtype

    def make(self) -> Tensor:
        return torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device="meta")
