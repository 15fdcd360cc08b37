"""How many bytes of tensors are alive at once, operator by operator, on the CPU or, where nothing is computed, on meta."""

import weakref
from typing import Any

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
        self._known: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        gives = func(*args, **(kwargs or {}))
        if not func.is_view:
            for leaf in (gives,) if isinstance(gives, torch.Tensor) else tree_leaves(gives):
                if isinstance(leaf, torch.Tensor):
                    self._add(leaf.untyped_storage())
        return gives

    def _add(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return

        def freed(_: object) -> None:
            self._known.pop(key, None)
            self.alive -= size

        self._known[key] = weakref.ref(storage, freed)
        self.alive += size
        self.peak = max(self.peak, self.alive)
