"""How many bytes of tensors are alive at once, operator by operator, on the CPU or, where nothing is computed, on meta."""

import weakref
from collections.abc import Callable
from typing import Any, Self

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Storages(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, the storages that operators give are added up, and each is subtracted when it is freed; views have none."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive = 0
        """Bytes now."""
        self.peak = 0
        """Bytes at most, up to now."""
        self._known: dict[int, _Watched] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        gives = func(*args, **(kwargs or {}))
        if not func.is_view:
            for leaf in (gives,) if isinstance(gives, torch.Tensor) else tree_leaves(_kept(func, args, gives)):
                if isinstance(leaf, torch.Tensor):
                    self._add(leaf.untyped_storage())
        return gives

    def _add(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._known:
            self._known[key] = _Watched(storage, self._freed, key, size)
            self.alive += size
            self.peak = max(self.peak, self.alive)

    def _freed(self, watched: "_Watched") -> None:
        del self._known[watched.key]
        self.alive -= watched.size


def _kept(func: Any, args: Any, gives: Any) -> Any:
    """What an operator gives that takes memory: batch statistics, which meta makes in inference too, are empty elsewhere."""
    training = 5
    return gives[0] if func is torch.ops.aten.native_batch_norm.default and not args[training] else gives


class _Watched(weakref.ref[Any]):
    """A storage, its place in memory, and its bytes."""

    __slots__ = ("key", "size")
    key: int
    size: int

    def __new__(cls, storage: Any, freed: Callable[["_Watched"], None], key: int, size: int) -> Self:  # noqa: ARG004
        return super().__new__(cls, storage, freed)

    def __init__(self, storage: Any, freed: Callable[["_Watched"], None], key: int, size: int) -> None:
        super().__init__(storage, freed)  # type: ignore[call-arg]
        self.key, self.size = key, size
