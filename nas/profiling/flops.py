"""A second opinion on the multiply-adds of a network, by fvcore on a traced pass; the first is `nas.models.counting`.

fvcore sees the operators that a forward pass calls, before torch takes them apart, and knows a few by itself. The others are
told here by name: those that cost multiply-adds, with a formula of their shapes, and those that by our convention cost none
(`nas.models.costless`). What is in neither list is told with the figure. Where the two opinions differ the record
says so.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import prod

import torch
from torch import nn

from nas.models import COSTLESS
from nas.profiling.contraction import contraction
from nas.profiling.fourier import FOURIER
from nas.profiling.inputs import Inputs, batch_of
from nas.profiling.layers import Counts
from nas.profiling.traced import Value, is_list, numbers, shape, shapes

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # fvcore scripts a loss at import, which torch has deprecated
    from fvcore.nn import FlopCountAnalysis


def second_opinion(model: nn.Module, inputs: Inputs) -> tuple[int, dict[str, int]]:
    """Multiply-adds of `model` by fvcore, which traces a real pass where the model is, and the operators that it cannot count.

    The model is traced in evaluation mode, so that its running statistics stay as they are, and without the fused path of
    torch's attention, which would hide what it is made of.

    Returns:
        The multiply-adds that compare with `Cost.macs`, and operator → how often it ran uncounted.

    Raises:
        ModelError: `inputs` are of no kind that is known.
    """
    modes = {module: module.training for module in model.modules()}
    device = next(model.parameters(), torch.empty(0)).device
    analysis = FlopCountAnalysis(model.eval(), batch_of(inputs, device))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.clear_op_handles().set_op_handle(**dict.fromkeys(_costless_names()), **_HANDLES)
    try:
        with torch.no_grad(), _unfused():
            by_operator: Counter[str] = analysis.by_operator()
            unknown: Counter[str] = analysis.unsupported_ops()
    finally:
        for module, training in modes.items():
            module.training = training
    return sum(map(int, by_operator.values())), {name.removeprefix("aten::"): times for name, times in sorted(unknown.items())}


def check_macs(model: nn.Module, inputs: Inputs, counts: Counts) -> tuple[int | None, Mapping[str, int], tuple[str, ...]]:
    """The multiply-adds of `model` by fvcore, None where it cannot trace it; the operators that neither counter knows, in torch's
    names where it cannot; and what to note where they do not confirm `counts`.
    """
    try:
        theirs, uncounted = second_opinion(model, inputs)
    except Exception as error:  # tracing may fail where running does not
        note = f"fvcore could not trace it ({type(error).__name__}); multiply-adds are counted by torch alone."
        return None, counts.uncounted, (note,)
    if theirs == counts.macs:
        return theirs, uncounted, ()
    return theirs, uncounted, (f"fvcore counts {theirs:,} multiply-adds, torch {counts.macs:,}; the figure is torch's.",)


@contextmanager
def _unfused() -> Iterator[None]:
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _costless_names() -> Iterator[str]:
    for name in COSTLESS:
        yield f"aten::{name}"
        yield f"aten::{name}_"


def _convolution(inputs: list[Value], outputs: list[Value]) -> int:
    """Each weight is used once for every pixel that comes out, or, where the convolution is transposed, that goes in."""
    given, weight, transposed = inputs[0], inputs[1], inputs[6].toIValue()
    pixels = shape(given if transposed else outputs[0])
    return pixels[0] * prod(pixels[2:]) * prod(shape(weight))


def _linear(inputs: list[Value], outputs: list[Value]) -> int:  # noqa: ARG001 - one signature for all handles
    return prod(shape(inputs[0])) * (shape(inputs[1])[0] if len(shape(inputs[1])) == 2 else 1)


def _product(first: int, outputs_each: int | None = None) -> Callable[[list[Value], list[Value]], int]:
    """Of a product of tensors: the `first` operand's last axis is summed over for each number that comes out.

    Where the operator adds products to one another, `outputs_each` is the axis of the first operand over which it does.
    """

    def macs(inputs: list[Value], outputs: list[Value]) -> int:
        left = shape(inputs[first])
        return prod(shape(outputs[0])) * left[-1] * (1 if outputs_each is None else left[outputs_each])

    return macs


def _tensordot(inputs: list[Value], outputs: list[Value]) -> int:
    left, axes = shape(inputs[0]), numbers(inputs[2])
    return prod(shape(outputs[0])) * prod(left[axis] for axis in axes)


def _einsum(inputs: list[Value], outputs: list[Value]) -> int:  # noqa: ARG001
    return contraction(inputs[0].toIValue(), shapes(inputs[1]), numbers(inputs[2]))


def _attention(inputs: list[Value], outputs: list[Value]) -> int:
    """Scores of all pairs of queries and keys, and sums of values that are weighed by them; what a mask leaves out counts too."""
    keys, size = shape(inputs[1])[-2], shape(inputs[0])[-1]
    *queries, values = shape(outputs[0])
    return prod(queries) * keys * (size + values)


def _recurrent(inputs: list[Value], outputs: list[Value]) -> int:  # noqa: ARG001
    """Each matrix of each layer and direction is used once a position; biases, which are vectors, are not counted.

    Inputs are numbers, state, weights; or, of packed sequences, numbers of all positions in one axis, how many examples each
    position has, state, weights.
    """
    packed = is_list(inputs[3])
    positions = prod(shape(inputs[0])[:-1])
    return positions * sum(prod(matrix) for matrix in shapes(inputs[3 if packed else 2]) if len(matrix) == 2)


def _cell(inputs: list[Value], outputs: list[Value]) -> int:  # noqa: ARG001
    """One step of a recurrent cell: input, state, and the two matrices."""
    given = shape(inputs[0])
    return prod(given[:-1]) * sum(prod(shape(matrix)) for matrix in inputs[2:4])


_HANDLES = {
    "aten::_convolution": _convolution,
    "aten::linear": _linear,
    "aten::matmul": _product(0),
    "aten::mm": _product(0),
    "aten::bmm": _product(0),
    "aten::mv": _product(0),
    "aten::dot": _product(0),
    "aten::vdot": _product(0),
    "aten::inner": _product(0),
    "aten::addmm": _product(1),
    "aten::addmv": _product(1),
    "aten::baddbmm": _product(1),
    "aten::addbmm": _product(1, outputs_each=0),
    "aten::tensordot": _tensordot,
    "aten::einsum": _einsum,
    "aten::scaled_dot_product_attention": _attention,
    "aten::lstm": _recurrent,
    "aten::gru": _recurrent,
    "aten::rnn_tanh": _recurrent,
    "aten::rnn_relu": _recurrent,
    "aten::lstm_cell": _cell,
    "aten::gru_cell": _cell,
    "aten::rnn_tanh_cell": _cell,
    "aten::rnn_relu_cell": _cell,
    **{f"aten::{name}": macs for name, macs in FOURIER.items()},
}
"""Operator → multiply-adds of a call, of the values that go in and come out."""
