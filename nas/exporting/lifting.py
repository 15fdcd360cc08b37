"""Classes and functions as text: what a file needs to hold so that they work without the modules that they were written in.

A definition is taken over as it was written, with everything of its own modules that it uses, and with imports for what torch and
Python's standard library have. What another package has is taken over too, as far as it is written in Python.
"""

import ast
import builtins
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any

from nas.errors import ExportError

THERE = frozenset({"torch", *sys.stdlib_module_names})
"""Packages that are where the file is used."""

_REMARKS = re.compile(r"  # (?:noqa|type: ignore)[^\n]*$", re.MULTILINE)
"""Words to this project's tools, which are nothing to a reader elsewhere."""


class Book:
    """Definitions in the order in which a file needs them, and the imports above them; `reserved` names are the file's own."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self.imports: dict[str, set[str]] = {}
        """Module → the names taken from it; "" stands for the module itself."""
        self.values: dict[str, str] = {}
        """Name → its definition, of plain values, which stand before all else."""
        self.pieces: dict[str, str] = {}
        """Name → its definition, of all else."""
        self.axes: dict[str, str] = {}
        """What a letter at the end of a tensor's name stands for, as far as the modules tell that definitions are from."""
        self._owners: dict[str, object] = dict.fromkeys(reserved, "the file itself")
        self._sources: dict[str, str] = {}
        """Name → the module that it is imported from."""

    def lift(self, thing: type | Callable[..., Any]) -> str:
        """Take over a class or function with all that it uses; returns its name in the file.

        Raises:
            ExportError: it has no source, or uses what cannot be taken over.
        """
        module, name = _home(thing)
        self._take(module, name)
        return name

    def define(self, name: str, owner: object, text: str, nodes: Iterable[ast.AST], module: ModuleType) -> None:
        """Write a definition of one's own that uses what `nodes` of `module` use.

        Raises:
            ExportError: another thing has that name in the file, or what it uses cannot be taken over.
        """
        if name in self._owners and self._owners[name] == owner:
            return
        if self.has(name):
            raise ExportError(f"Two different things of one file are called {name!r}; rename one of them.")
        self._owners[name] = owner
        uses = [used for used in _used(nodes) if used != name and not hasattr(builtins, used)]
        for used in uses:
            self._take(module, used)
        self.axes |= {letter: words for letter, words in _axes(module).items() if letter not in self.axes}
        plain = not uses and not text.startswith(("class ", "def ", "@"))
        (self.values if plain else self.pieces)[name] = _REMARKS.sub("", text)

    def has(self, name: str) -> bool:
        """Whether something is called so."""
        return name in self._owners or name in self._sources

    def need(self, module: str, name: str = "") -> None:
        """Import `name` ("name as other" too) from `module`, or the module itself.

        Raises:
            ExportError: something else is called so.
        """
        called = name.rpartition(" ")[2] or module.partition(".")[0]
        source = f"{module}:{name}" if name else called
        if called in self._owners or self._sources.get(called, source) != source:
            raise ExportError(f"Two different things of one file are called {called!r}; rename one of them.")
        self._sources[called] = source
        self.imports.setdefault(module, set()).add(name)

    def text(self) -> str:
        """The definitions, one after the other."""
        values = "\n".join(self.values.values())
        return "\n\n\n".join(piece.strip("\n") for piece in [*([values] if values else []), *self.pieces.values()])

    def legend(self) -> str:
        """What the letters at the ends of tensors' names stand for, of those that the definitions use."""
        used = set("".join(re.findall(r"\b[a-z_0-9]+_([A-Z]{1,4})\b", self.text())))
        return ", ".join(f"{letter} {words}" for letter, words in self.axes.items() if letter in used)

    def _take(self, module: ModuleType, name: str) -> None:
        scan = _scan(module)
        if name in scan.imports:
            root, source, original = scan.imports[name]
            if root in THERE:
                self._import(source, original, name)
                return
            found = getattr(module, name, None)
            if isinstance(found, type | FunctionType):
                home, own = _home(found)
                if own == name:
                    self._take(home, own)
                    return
            elif isinstance(found, int | float | str):
                self.values.setdefault(name, f"{name} = {found!r}")
                return
            raise ExportError(f"{module.__name__} uses {name!r} of the package {root!r}, which the file cannot take over.")
        if name not in scan.definitions:
            raise ExportError(f"{module.__name__} uses {name!r}, which is not defined at the top of that module.")
        nodes = scan.definitions[name]
        text = "\n\n\n".join(scan.text(node) for node in nodes)
        self.define(name, (module.__name__, name), text, nodes, module)

    def _import(self, source: str, original: str, name: str) -> None:
        if not original:
            if name != source.partition(".")[0]:
                raise ExportError(f"The module {source!r} is imported as {name!r}; import it by its own name.")
            self.need(source)
        else:
            self.need(source, original if original == name else f"{original} as {name}")


def methods(cls: type) -> tuple[ModuleType, dict[str, ast.FunctionDef], dict[str, str]]:
    """What `forward` of a module's class needs beside what is set on the module: methods and their text, by name.

    Raises:
        ExportError: the class has no source, or one of them is inherited in a way that cannot be taken apart.
    """
    module, _ = _home(cls)
    found: dict[str, ast.FunctionDef] = {}
    texts: dict[str, str] = {}
    wanted = ["forward"]
    while wanted:
        name = wanted.pop(0)
        owner = next((base for base in cls.__mro__ if name in vars(base)), None)
        if name in found or owner is None or owner.__module__.partition(".")[0] == "torch":
            continue
        home, own = _home(owner)
        if home is not module:
            raise ExportError(f"{cls.__name__}.{name} is inherited from another module, {home.__name__}.")
        scan = _scan(home)
        (body,) = (node for node in scan.definitions.get(own, ()) if isinstance(node, ast.ClassDef))
        node = next((node for node in body.body if isinstance(node, ast.FunctionDef) and node.name == name), None)
        if node is None:
            continue  # a value of the class, which stands on its instances too
        if any(isinstance(inner, ast.Name) and inner.id == "super" for inner in ast.walk(node)):
            raise ExportError(f"{cls.__name__}.{name} calls super().")
        found[name], texts[name] = node, scan.text(node)
        wanted += [inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute) and _is_self(inner.value)]
    if "forward" not in found:
        raise ExportError(f"{cls.__name__} has no forward of its own.")
    return module, found, texts


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def imports_text(imports: dict[str, set[str]]) -> str:
    """Import statements, the standard library's first, as isort orders them."""
    sections: dict[bool, list[str]] = {False: [], True: []}
    for source in sorted(imports):
        if "" in imports[source]:
            sections[source.partition(".")[0] == "torch"].append(f"import {source}")
    for source in sorted(imports):
        if names := sorted(imports[source] - {""}, key=_like_isort):
            sections[source.partition(".")[0] == "torch"].append(f"from {source} import {', '.join(names)}")
    return "\n\n".join("\n".join(lines) for lines in sections.values() if lines)


def _like_isort(name: str) -> tuple[int, str]:
    """Constants, classes, the rest."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2, name)


@dataclass(frozen=True)
class _Scan:
    """What stands at the top of a module."""

    lines: list[str]
    definitions: dict[str, list[ast.stmt]]
    """Name → what defines it: several where it is overloaded, or a constant has a word about it."""
    imports: dict[str, tuple[str, str, str]]
    """Name → the package it is of, the module it is from, and what it is called there; empty where it is the module."""

    def text(self, node: ast.stmt) -> str:
        if isinstance(node, ast.Assign) and not hasattr(node, "lineno"):  # one of several that a line defines
            return f"{ast.unparse(node.targets[0])} = {ast.unparse(node.value)}"
        begin = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])
        return textwrap.dedent("\n".join(self.lines[begin - 1 : node.end_lineno]))


@lru_cache(maxsize=64)
def _scan(module: ModuleType) -> _Scan:
    try:
        source = inspect.getsource(module)
    except (OSError, TypeError) as error:
        raise ExportError(f"{module.__name__} has no source that could be read.") from error
    definitions: dict[str, list[ast.stmt]] = {}
    imports: dict[str, tuple[str, str, str]] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            definitions.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    definitions[target.id] = [node]
                elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    definitions |= {name.id: [ast.Assign([name], value)] for name, value in _pairs(target, node.value)}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                imports[name] = (alias.name.partition(".")[0], alias.name, "")
        elif isinstance(node, ast.ImportFrom):
            source_name = _absolute(module, node)
            for alias in node.names:
                imports[alias.asname or alias.name] = (source_name.partition(".")[0], source_name, alias.name)
    return _Scan(source.splitlines(), definitions, imports)


def _pairs(names: ast.Tuple, values: ast.Tuple) -> Iterator[tuple[ast.Name, ast.expr]]:
    """Each name of `A, B = 1, 2` with its value; none where one of them stands for several."""
    if len(names.elts) == len(values.elts) and not any(isinstance(one, ast.Starred) for one in (*names.elts, *values.elts)):
        for name, value in zip(names.elts, values.elts, strict=True):
            if isinstance(name, ast.Name):
                yield name, value


def _absolute(module: ModuleType, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = (module.__package__ or "").split(".")
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def _home(thing: Any) -> tuple[ModuleType, str]:
    """The module that defines a class or function at its top, and its name there."""
    module, name = sys.modules.get(thing.__module__), thing.__qualname__
    if module is None or vars(module).get(name) is not thing:
        raise ExportError(f"{thing.__module__}.{name} is not defined at the top of a module, where its source could be read.")
    return module, name


def _used(nodes: Iterable[ast.AST]) -> list[str]:
    """Names that `nodes` read and do not bind themselves, in the order in which they first read them."""
    read: dict[str, None] = {}
    bound: set[str] = set()
    for node in nodes:
        for inner in _walk(node):
            if isinstance(inner, ast.Name):
                if isinstance(inner.ctx, ast.Load):
                    read.setdefault(inner.id)
                else:
                    bound.add(inner.id)
            elif isinstance(inner, ast.arg):
                bound.add(inner.arg)
            elif isinstance(inner, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler) and inner.name:
                bound.add(inner.name)
            elif isinstance(inner, ast.Import | ast.ImportFrom):
                bound |= {alias.asname or alias.name.partition(".")[0] for alias in inner.names}
    return [name for name in read if name not in bound]


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Every node below, those of annotations that are written as texts too."""
    for inner in ast.walk(node):
        yield inner
        for annotation in (getattr(inner, "annotation", None), getattr(inner, "returns", None)):
            if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
                yield from ast.walk(ast.parse(annotation.value, mode="eval"))


@lru_cache(maxsize=64)
def _axes(module: ModuleType) -> dict[str, str]:
    """What the module's docstring says that axes are called: "Axes: N examples, C channels."."""
    _, told, words = (module.__doc__ or "").partition("Axes:")
    if not told:
        return {}
    parts = re.split(r"[,.]\s+", " ".join(words.partition("\n\n")[0].split()).rstrip("."))
    pairs = (part.partition(" ") for part in parts)
    return {letter: rest for letter, _, rest in pairs if len(letter) == 1 and letter.isupper()}
