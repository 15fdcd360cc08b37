"""What makes a module, as an expression of Python: a call of its class with all that distinguishes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WIDTH = 100
"""Columns of a line, where that can be; a formatter of a wider line changes nothing."""


@dataclass
class Call:
    """A class or function that is called."""

    name: str
    args: "tuple[Expression, ...]" = ()
    named: "dict[str, Expression]" = field(default_factory=dict)


@dataclass(frozen=True)
class Name:
    """What stands for itself: a class, such as nn.ReLU, or any piece of Python on one line."""

    text: str


@dataclass(frozen=True)
class Layers:
    """Modules by name, as a dictionary with a remark above each."""

    items: "Mapping[Any, Expression]"
    remarks: Mapping[Any, str] = field(default_factory=dict)


Expression = Call | Name | Layers | tuple[Any, ...] | list[Any] | str | int | float | None


def render(expression: Expression, indent: int = 0, taken: int = 0) -> str:
    """The expression as text, its lines after the first indented; `taken` columns of the first line are in use after it begins.

    What fits on a line stands on one; else each part has a line.
    """
    line = _line(expression)
    if line is not None and indent + taken + len(line) <= WIDTH:
        return line
    inner = indent + 4
    space = " " * inner
    if isinstance(expression, Call):
        parts = [f"{space}{render(one, inner, 1)},\n" for one in expression.args]
        parts += [f"{space}{name}={render(one, inner, len(name) + 2)},\n" for name, one in expression.named.items()]
        return f"{expression.name}(\n{''.join(parts)}{' ' * indent})"
    if isinstance(expression, Layers):
        lines = []
        for key, one in expression.items.items():
            if remark := expression.remarks.get(key):
                lines.append(f"{space}# {remark}\n")
            begin = f"{_literal(key)}: "
            lines.append(f"{space}{begin}{render(one, inner, len(begin) + 1)},\n")
        return f"{{\n{''.join(lines)}{' ' * indent}}}"
    if isinstance(expression, tuple | list):
        begin, end = "()" if isinstance(expression, tuple) else "[]"
        return f"{begin}\n" + "".join(f"{space}{render(one, inner, 1)},\n" for one in expression) + f"{' ' * indent}{end}"
    return line or repr(expression)


def _line(expression: Expression) -> str | None:
    """The expression on one line; None where it has remarks."""
    if isinstance(expression, Name):
        return expression.text
    if isinstance(expression, Call):
        parts = [_line(one) for one in expression.args]
        parts += [_prefixed(f"{name}=", _line(one)) for name, one in expression.named.items()]
        return _joined(f"{expression.name}(", parts, ")")
    if isinstance(expression, Layers):
        if expression.remarks:
            return None
        return _joined("{", [_prefixed(f"{_literal(key)}: ", _line(one)) for key, one in expression.items.items()], "}")
    if isinstance(expression, tuple):
        only = "," if len(expression) == 1 else ""
        return _joined("(", [_line(one) for one in expression], f"{only})")
    if isinstance(expression, list):
        return _joined("[", [_line(one) for one in expression], "]")
    return _literal(expression)


def _prefixed(prefix: str, line: str | None) -> str | None:
    return None if line is None else prefix + line


def _joined(begin: str, parts: list[str | None], end: str) -> str | None:
    whole = [part for part in parts if part is not None]
    return None if len(whole) < len(parts) else begin + ", ".join(whole) + end


def _literal(value: Any) -> str:
    """A plain value as formatters write it."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "float('inf')".replace("'", '"') if value > 0 else '-float("inf")'
    return repr(value)
