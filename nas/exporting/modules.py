"""A network's modules as expressions: torch's by their own arguments, known ones by plain blocks, all others taken apart.

A module of somebody else's may say how it is made by a method `plain_form()`, which gives a class that uses torch alone, at the
top of a module, and the arguments to call it with. Without it, it is taken apart: its class is written with `forward` as it is,
and all that is set on the module as arguments.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from nas.errors import ExportError, quote
from nas.exporting.blocks.chain import Chain
from nas.exporting.expressions import Call, Expression, Layers, Name, render
from nas.exporting.known import ACTIVATIONS, KNOWN, NORMALISED
from nas.exporting.lifting import Book, methods
from nas.training import is_grouped

SMALL = 32
"""Numbers of a constant that are written out; one of more lies beside the weights."""

WAY_OUT = "Give its class a method `plain_form()` that gives a class in plain torch and its arguments."

_PLAIN = frozenset(vars(nn.Module()))
"""What is set on every module."""

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@dataclass
class _Apart:
    """A class that is written anew: what is set on its modules, and where it is called."""

    kinds: dict[str, str]
    """What is set → "value", "module", "parameter", "buffer" (of the state) or "constant"."""
    calls: list[Call] = field(default_factory=list)


class Modules:
    """Writes the modules of one network into a book, and keeps the numbers that a book cannot hold."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.constants: dict[str, Tensor] = {}
        """Numbers that are neither weights nor written out, by the buffer's name in the network."""
        self._apart: dict[tuple[type, tuple[tuple[str, str], ...]], _Apart] = {}

    def expression(self, module: nn.Module, path: str) -> Expression:
        """What makes `module`, which stands at `path` of the network.

        Raises:
            ExportError: nothing does.
        """
        if any(getattr(module, name) for name in _HOOKS) or hasattr(module, "parametrizations"):
            raise ExportError(f"The module {path} has hooks or parametrisations, which source cannot say; remove them.")
        kind = type(module)
        write = KNOWN.get(kind)
        if write is not None and not (kind in NORMALISED and is_grouped(module)):
            return write(self, module, path)
        if form := getattr(module, "plain_form", None):
            cls, given = form()
            return Call(self.book.lift(cls), named={name: self.value(one, f"{path}.{name}") for name, one in given.items()})
        if kind.__module__.startswith("torch.nn."):
            return self.of_torch(module, path)
        if kind in ACTIVATIONS:
            return Call(self.activation(module, path).text)
        return self.apart(module, path)

    def call(self, cls: type, *args: Expression, **named: Any) -> Call:
        """A call of a plain block, which the book then holds; arguments at their defaults are left out."""
        defaults = inspect.signature(cls).parameters
        left = {name: one for name, one in named.items() if not _same(one, defaults[name].default)}
        return Call(self.book.lift(cls), args, left)

    def activation(self, module: nn.Module, path: str) -> Name:
        """The class of an activation without options.

        Raises:
            ExportError: it is none.
        """
        self.book.need("torch", "nn")
        if type(module) not in ACTIVATIONS or getattr(module, "negative_slope", 0.01) != 0.01 or _tanh_gelu(module):
            raise ExportError(f"The activation {path} is {quote(module)}, which is none that a plain block takes. {WAY_OUT}")
        return Name(ACTIVATIONS[type(module)])

    def children(self, module: nn.Module, path: str) -> dict[str, Expression]:
        """What makes each child."""
        return {name: self.expression(child, _below(path, name)) for name, child in module.named_children()}

    def child(self, module: nn.Module, name: str, path: str) -> Expression:
        """What makes one child; None where there is none, or it passes on what it is given."""
        child = getattr(module, name)
        return None if child is None or isinstance(child, nn.Identity) else self.expression(child, _below(path, name))

    def value(self, value: Any, path: str) -> Expression:
        """A module or a plain value."""
        return self.expression(value, path) if isinstance(value, nn.Module) else _plain(value, path)

    def of_torch(self, module: nn.Module, path: str) -> Expression:
        """A module of torch's, by the arguments of its class.

        Raises:
            ExportError: it has no public name, or does not keep an argument.
        """
        kind = type(module)
        self.book.need("torch", "nn")
        if getattr(nn, kind.__name__, None) is not kind:
            raise ExportError(f"The module {path} is torch's {kind.__name__}, which has no public name. {WAY_OUT}")
        if isinstance(module, nn.Sequential):
            return self.sequential(module, path)
        if isinstance(module, nn.ModuleList):
            return Call("nn.ModuleList", ([*self.children(module, path).values()],))
        if isinstance(module, nn.ModuleDict):
            return Call("nn.ModuleDict", (Layers(self.children(module, path)),))
        args: list[Expression] = []
        named: dict[str, Expression] = {}
        base = nn.RNNBase if isinstance(module, nn.RNNBase) else kind
        for name, parameter in inspect.signature(base).parameters.items():
            several = parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
            if several or name in {"device", "dtype", "mode"} or name.startswith("_"):
                continue
            if not hasattr(module, name):
                raise ExportError(f"The module {path}, torch's {kind.__name__}, does not keep its argument {name!r}. {WAY_OUT}")
            value = getattr(module, name)
            if name == "bias" and not isinstance(value, bool):
                value = value is not None
            value = _single(value)
            if parameter.default is parameter.empty and not named:
                args.append(_plain(value, _below(path, name)))
            elif not _same(value, parameter.default) and not (
                name == "stride" and parameter.default is None and value == _single(module.kernel_size)
            ):
                named[name] = _plain(value, _below(path, name))
        if isinstance(module, nn.RNN) and module.nonlinearity != "tanh":
            named["nonlinearity"] = module.nonlinearity
        return Call(f"nn.{kind.__name__}", tuple(args), named)

    def sequential(self, module: nn.Sequential, path: str, remarks: Mapping[str, str] | None = None) -> Expression:
        """Modules one after the other; those with names of their own by name, with a remark above each."""
        children = self.children(module, path)
        if not remarks and list(children) == [str(n) for n in range(len(children))]:
            self.book.need("torch", "nn")
            return Call("nn.Sequential", tuple(children.values()))
        return Call(self.book.lift(Chain), (Layers(children, remarks or {}),))

    def apart(self, module: nn.Module, path: str) -> Call:
        """A module that nobody says how to make: all that is set on it as arguments.

        Raises:
            ExportError: something of it cannot be written.
        """
        kind = type(module)
        found: dict[str, tuple[str, Expression]] = {}
        try:
            if kind.__mro__[1] is not nn.Module and kind.__mro__[1].__module__.partition(".")[0] == "torch":
                raise ExportError(f"it is made of torch's {kind.__mro__[1].__name__}.")
            methods(kind)
            for name, value in vars(module).items():
                if name not in _PLAIN:
                    found[name] = ("value", _plain(value, name))
            for name, parameter in module._parameters.items():
                found[name] = ("parameter", None if parameter is None else Name(f"torch.zeros({_axes(parameter)})"))
            for name, buffer in module._buffers.items():
                found[name] = self._buffer(module, name, buffer, path)
        except ExportError as error:
            raise ExportError(f"The module {path}, a {kind.__name__}, cannot be written as source: {error} {WAY_OUT}") from error
        for name, child in module._modules.items():
            found[name] = ("module", None if child is None else self.expression(child, _below(path, name)))
        call = Call(kind.__name__, (), {name: expression for name, (_, expression) in found.items()})
        kinds = {name: what for name, (what, _) in found.items()}
        self._apart.setdefault((kind, tuple(kinds.items())), _Apart(kinds)).calls.append(call)
        return call

    def _buffer(self, module: nn.Module, name: str, buffer: Tensor | None, path: str) -> tuple[str, Expression]:
        self.book.need("torch")
        lasts = name not in module._non_persistent_buffers_set
        what = "buffer" if lasts else "constant"
        if buffer is None:
            return what, None
        if not lasts and buffer.numel() <= SMALL and buffer.dtype in {torch.float32, torch.int64, torch.bool}:
            return what, Name(f"torch.tensor({buffer.tolist()!r})")
        if not lasts:
            self.constants[_below(path, name)] = buffer
        dtype = "" if buffer.dtype == torch.float32 else f", dtype={buffer.dtype}"
        return what, Name(f"torch.zeros({_axes(buffer)}{dtype})")

    def finish(self) -> None:
        """Write the classes of what was taken apart.

        Raises:
            ExportError: one of their methods uses what cannot be taken over.
        """
        for (kind, _), found in self._apart.items():
            name, number = kind.__name__, 1
            while self.book.has(name):  # another class, or the same with other things set on it
                number += 1
                name = f"{kind.__name__}{number}"
            try:
                self._write(kind, name, found)
            except ExportError as error:
                raise ExportError(f"The class {kind.__name__} cannot be written as source: {error} {WAY_OUT}") from error

    def _write(self, kind: type, name: str, found: _Apart) -> None:
        parameters, body = [], ["super().__init__()"]
        for argument, what in found.kinds.items():
            values = [call.named[argument] for call in found.calls]
            equal = what == "value" and all(_same(one, values[0]) for one in values) and not isinstance(values[0], list | Name)
            if equal:
                for call in found.calls:
                    del call.named[argument]
            parameters.append(f"{argument}: {_annotation(what, values)}" + (f" = {render(values[0])}" if equal else ""))
            body.append(_SET[what].format(name=argument))
        for call in found.calls:
            call.name = name
        module, nodes, texts = methods(kind)
        doc = inspect.cleandoc(vars(kind).get("__doc__") or f"{name}.").replace("\n", "\n    ")
        signature = f"self, *, {', '.join(parameters)}" if parameters else "self"
        if len(signature) > 80:
            signature = "\n        self,\n        *,\n" + "".join(f"        {one},\n" for one in parameters) + "    "
        lines = [f"class {name}(nn.Module):", f'    """{doc}"""', "", f"    def __init__({signature}) -> None:"]
        lines += [f"        {line}" for line in body]
        for text in texts.values():
            lines += ["", *(f"    {line}".rstrip() for line in text.splitlines())]
        self.book.need("torch", "nn")
        if any(what in {"buffer", "constant", "parameter"} for what in found.kinds.values()):
            self.book.need("torch")
            self.book.need("torch", "Tensor")
        self.book.define(name, (kind, tuple(found.kinds.items())), "\n".join(lines), nodes.values(), module)


_SET: Mapping[str, str] = {
    "value": "self.{name} = {name}",
    "module": "self.{name} = {name}",
    "parameter": "self.{name} = None if {name} is None else nn.Parameter({name})",
    "buffer": 'self.register_buffer("{name}", {name})',
    "constant": 'self.register_buffer("{name}", {name}, persistent=False)',
}
"""How an argument of each kind is set on the module."""


def _annotation(what: str, values: list[Expression]) -> str:
    if what != "value":
        plain = "nn.Module" if what == "module" else "Tensor"
        return f"{plain} | None" if any(value is None for value in values) else plain
    names = {"None" if value is None else "object" if isinstance(value, Name) else type(value).__name__ for value in values}
    return " | ".join(sorted(names, key=lambda name: (name == "None", name)))


def _plain(value: Any, path: str) -> Expression:
    """A plain value, checked.

    Raises:
        ExportError: it is none that source can say.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        inside = [_plain(one, path) for one in value]
        return tuple(inside) if isinstance(value, tuple) else inside
    if isinstance(value, dict) and all(isinstance(key, str | int) for key in value):
        return Layers({key: _plain(one, path) for key, one in value.items()})
    if isinstance(value, torch.dtype):
        return Name(str(value))
    raise ExportError(f"its {path.rpartition('.')[2]} is {quote(value)}, which is no plain value.")


def _single(value: Any) -> Any:
    """One number for equal ones: a kernel of (3, 3) is one of 3."""
    alike = isinstance(value, tuple) and value and all(isinstance(one, int) and one == value[0] for one in value)
    return value[0] if alike else value


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _axes(tensor: Tensor) -> str:
    return ", ".join(map(str, tensor.shape)) if tensor.dim() else "()"


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _tanh_gelu(module: nn.Module) -> bool:
    return getattr(module, "approximate", "none") != "none"
