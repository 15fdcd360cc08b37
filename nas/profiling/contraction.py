"""Multiply-adds of an einsum, as torch takes it: two operands at a time."""

from collections.abc import Sequence
from math import prod

Sizes = dict[str, int]
"""Label → size of the axes of an operand. An axis of one position is as good as none, and is left out."""


def contraction(equation: str, shapes: Sequence[Sequence[int]], path: Sequence[int] | None = None) -> int:
    """Multiply-adds of `torch.einsum(equation, …)` for operands of `shapes`, taken from left to right.

    Each of two operands is first summed over what neither the other nor anything later has. What is left of both takes one
    multiply-add for each combination of its axes, if some of them are summed over; a product of elements costs none. With
    `path`, two places for each product, operands are taken in that order, and a product goes to the end (opt_einsum).
    """
    given, arrow, wanted = equation.replace(" ", "").partition("->")
    if not arrow:
        letters = given.replace(",", "").replace(".", "")
        wanted = "..." + "".join(letter for letter in letters if letters.count(letter) == 1)
    operands = [_sizes(labels, shape) for labels, shape in zip(given.split(","), shapes, strict=True)]
    macs = 0
    for step in range(len(operands) - 1):
        first, second = path[2 * step : 2 * step + 2] if path else (0, 1)
        left, right = operands[first], operands[second]
        operands = [operand for place, operand in enumerate(operands) if place not in (first, second)]
        later = {label for operand in operands for label in operand} | set(wanted) - {"."}
        if "..." in wanted:
            later |= {label for label in left | right if label.startswith(".")}
        both = {label: size for label, size in (left | right).items() if label in later or (label in left and label in right)}
        product = {label: size for label, size in both.items() if label in later}
        if len(product) < len(both):
            macs += prod(both.values())
        operands.insert(len(operands) if path else 0, product)
    return macs


def _sizes(labels: str, shape: Sequence[int]) -> Sizes:
    """Of one operand; the axes of "..." are counted from the last one."""
    before, dots, after = labels.partition("...")
    between = [f".{n}" for n in range(len(shape) - len(before) - len(after), 0, -1)] if dots else []
    return {label: size for label, size in zip([*before, *between, *after], shape, strict=True) if size != 1}
