"""Parameters, multiply-adds and FLOPs of a network, counted on the meta device: no weight exists, nothing is computed.

The convention: `macs` are the multiply-adds of convolutions, matrix products, attention and recurrent cells in one
forward pass of one example; `flops` are twice that. Normalisation, activations, pooling, sums and embeddings are in neither.
fvcore counts again on a traced pass: where the two differ the record says so, and it lists what fvcore met and could not count.
"""

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nas.benchmark import Shape, Tokens

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # fvcore scripts a loss at import, which torch has deprecated
    from fvcore.nn import FlopCountAnalysis


@dataclass(frozen=True, kw_only=True)
class Count:
    """What one forward pass of one example costs."""

    params: int
    """Trainable parameters."""
    macs: int
    flops: int
    """Twice `macs`."""


def example(shape: Shape, device: torch.device | str, batch_size: int = 1) -> torch.Tensor:
    """A batch of zeros of `shape`, the axes of one example after the batch's; tokens are int64."""
    dtype = torch.int64 if isinstance(shape, Tokens) else torch.float32
    return torch.zeros(batch_size, *shape.axes, dtype=dtype, device=device)


def count(build: Callable[[], nn.Module], shape: Shape) -> Count:
    """Parameters and FLOPs of the network that `build` makes, for one example of `shape`, by torch's counter on meta.

    On the meta device torch takes no fused path, so that attention and recurrent cells are counted too.
    """
    with torch.device("meta"):
        model = build().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(example(shape, "meta"))
    flops = counter.get_total_flops()
    return Count(params=parameters(model), macs=flops // 2, flops=flops)


def parameters(model: nn.Module) -> int:
    """Trainable parameters; one that stands in several places counts once."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


_MATRIX_OPERATORS = {"conv", "linear", "matmul", "addmm", "bmm", "einsum"}
"""fvcore's names of the operators that `macs` are of; it counts one FLOP a multiply-add."""


def second_opinion(model: nn.Module, shape: Shape) -> tuple[int, dict[str, int]]:
    """Multiply-adds of `model` by fvcore, which traces a real pass on the CPU, and the operators that it cannot count.

    The model is traced in evaluation mode, so that its running statistics stay as they are.

    Returns:
        The multiply-adds that compare with `Count.macs`, and operator → how often it ran uncounted.
    """
    was_training = model.training
    analysis = FlopCountAnalysis(model.eval(), example(shape, "cpu"))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with torch.no_grad():
        by_operator: Counter[str] = analysis.by_operator()
        unsupported: Counter[str] = analysis.unsupported_ops()
    model.train(was_training)
    macs = sum(number for name, number in by_operator.items() if name in _MATRIX_OPERATORS)
    return int(macs), {name.removeprefix("aten::"): times for name, times in sorted(unsupported.items())}
