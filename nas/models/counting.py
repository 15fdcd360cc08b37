"""Parameters and multiply-adds of any network, counted on the meta device: no weight exists, nothing is computed.

The convention: `macs` are the multiply-adds of convolutions, matrix products, attention, recurrent cells and Fourier transforms
in one forward pass of one example; `flops` are twice that. Attention that looks back only counts as if it looked everywhere. A
transform of n points is 2.5 n log2(n) multiply-adds, of real numbers half of that; `nas.models.fourier` is the rule.
Normalisation, activations, softmax, pooling, embeddings, and sums and products of single elements are in neither; the operators
that cost nothing by this convention are named in `nas.models.costless`. One of unknown cost is told, not taken for 0.
"""

from collections import Counter
from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from nas.benchmark import Query, Shape, Tokens
from nas.models.costless import COSTLESS
from nas.models.fourier import transforms
from nas.models.layers.kind import Cost
from nas.models.meta import Remembering, weightless


def example(shape: Shape, device: torch.device | str, batch_size: int = 1) -> torch.Tensor:
    """A batch of zeros of `shape`, the axes of one example after the batch's; tokens and queries are int64."""
    dtype = torch.int64 if isinstance(shape, Tokens | Query) else torch.float32
    return torch.zeros(batch_size, *shape.axes, dtype=dtype, device=device)


def count(build: Callable[[], nn.Module], shape: Shape) -> Cost:
    """What the network that `build` makes costs for one example of `shape`, by torch's formulas on meta.

    On the meta device torch takes no fused path, so that attention and recurrent cells are counted too.
    """
    model = weightless(build)
    with torch.no_grad(), Remembering(), MultiplyAdds() as counter:
        model(example(shape, "meta"))
    return Cost(params=parameters(model), macs=counter.macs)


def parameters(model: nn.Module) -> int:
    """Trainable parameters; one that stands in several places counts once."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


class MultiplyAdds(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, the multiply-adds of what runs are added up by the formulas of torch's FlopCounterMode.

    It gives the same figures in a fraction of the time, as it keeps no account of modules; it knows products with a vector and
    Fourier transforms, of which torch's has no formula; and it tells what it does not know.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = 0
        self.uncounted: Counter[str] = Counter()
        """Operators without a formula that are not `COSTLESS`, and how often each ran."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        formula = _FORMULAS.get(func._overloadpacket)
        if formula is None and _is_made_of_others(func):  # within inference mode torch leaves taking it apart to us
            with self:
                return func.decompose(*args, **kwargs)
        gives = func(*args, **kwargs)
        if formula is not None:
            self.macs += formula(*args, **kwargs, out_val=gives) // 2
        elif not _is_costless(func):
            self.uncounted[func._overloadpacket.__name__] += 1
        return gives


aten = torch.ops.aten


def _by_shapes(macs: Callable[..., int]) -> Callable[..., int]:
    return lambda *args, **_: 2 * macs(*(given.shape for given in args if isinstance(given, torch.Tensor)))


def _quickly(formula: Callable[..., int]) -> Callable[..., int]:
    """One of torch's formulas, handed shapes without the search for tensors in everything that is given."""
    of_shapes: Callable[..., int] | None = getattr(formula, "__wrapped__", None)
    if of_shapes is None:
        return formula

    def flops(*args: Any, out_val: Any, **kwargs: Any) -> int:
        return of_shapes(*map(_shape, args), out_shape=_shape(out_val), **kwargs)

    return flops


def _shape(value: Any) -> Any:
    return value.shape if isinstance(value, torch.Tensor) else value


_TORCHS = {operator: _quickly(formula) for operator, formula in FlopCounterMode(display=False).flop_registry.items()}

_FORMULAS = {
    **_TORCHS,
    aten._scaled_dot_product_flash_attention_for_cpu: _TORCHS[aten._scaled_dot_product_flash_attention],
    aten.mv: _by_shapes(lambda matrix, _: prod(matrix)),
    aten.addmv: _by_shapes(lambda _, matrix, __: prod(matrix)),
    aten.dot: _by_shapes(lambda left, _: prod(left)),
    aten.vdot: _by_shapes(lambda left, _: prod(left)),
    aten.addbmm: _by_shapes(lambda _, left, right: prod(left) * right[-1]),
    aten._fft_r2c: lambda given, axes, *_, **__: 2 * transforms(given.shape, axes, real=True),
    aten._fft_c2r: lambda _, axes, *__, out_val, **___: 2 * transforms(out_val.shape, axes, real=True),
    aten._fft_c2c: lambda given, axes, *_, **__: 2 * transforms(given.shape, axes, real=False),
}
"""Operator → FLOPs of a call. Torch's counter lacks fused attention on the CPU, products with a vector, a sum of products, and
Fourier transforms."""


@cache
def _is_costless(func: Any) -> bool:
    return func.is_view or func._overloadpacket.__name__.removesuffix("_") in COSTLESS


@cache
def _is_made_of_others(func: Any) -> bool:
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd")
