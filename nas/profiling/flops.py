"""A second opinion on the multiply-adds of a network, by fvcore on a traced pass; the first is `nas.models.counting`.

Where the two differ the record says so, and it lists the operators that fvcore met and could not count.
"""

import warnings
from collections import Counter

import torch
from torch import nn

from nas.benchmark import Shape
from nas.models import example

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # fvcore scripts a loss at import, which torch has deprecated
    from fvcore.nn import FlopCountAnalysis


_MATRIX_OPERATORS = {"conv", "linear", "matmul", "addmm", "bmm", "einsum"}
"""fvcore's names of the operators that `macs` are of; it counts one FLOP a multiply-add."""


def second_opinion(model: nn.Module, shape: Shape) -> tuple[int, dict[str, int]]:
    """Multiply-adds of `model` by fvcore, which traces a real pass on the CPU, and the operators that it cannot count.

    The model is traced in evaluation mode, so that its running statistics stay as they are.

    Returns:
        The multiply-adds that compare with `Cost.macs`, and operator → how often it ran uncounted.
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
