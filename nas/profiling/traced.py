"""What a trace holds of the tensors and numbers that an operator is given."""

from typing import Any

Value = Any
"""A tensor, number or list in the trace (torch._C.Value)."""


def shape(value: Value) -> list[int]:
    """Of a tensor."""
    sizes: list[int] = value.type().sizes()
    return sizes


def shapes(value: Value) -> list[list[int]]:
    """Of a list of tensors."""
    return [shape(part) for part in parts(value)]


def numbers(value: Value) -> list[int]:
    """Of a list of numbers; of None none."""
    return [part.toIValue() for part in parts(value)]


def parts(value: Value) -> list[Value]:
    """What a list is made of; nothing for None."""
    return list(value.node().inputs())


def is_list(value: Value) -> bool:
    """Whether it is a list, and not a number, a tensor or None."""
    return bool(value.type().kind() == "ListType")


def is_complex(value: Value) -> bool:
    """Whether a tensor is of complex numbers."""
    return bool(value.type().dtype().is_complex)
