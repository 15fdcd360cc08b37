"""A space as plain data: YAML ↔ tree.

name: mixer
version: 1
accepts: image
choices: {width: [16, 32]}               # shared; read as $width
layers:
  - conv: {features: $width, kernel: 3}  # a layer: its kind and options; a list is a choice
    name: stem                           # needed only where two siblings are of one kind
  - repeat: block
    times: {int: [1, 3]}                 # a range; also {int: [8, 64], step: 8}, {int: …, log: true}, {real: [0, 0.5]}
    choices: {kernel: [3, 5]}            # made anew in each repetition
    layers:
      - one_of: kind
        options:
          residual: {features: $width, kernel: $kernel}
          plain: [conv: {features: $width}, conv: …]     # a sequence under a name of its own
          skip: []
  - parallel: mix                        # branches side by side; an empty one is the input itself
    merge: add                           # or concatenate, join, multiply; may be a choice
    branches:
      body: [conv: {features: $width}]
      skip: []
  - cell: cell                           # a graph of 4 nodes; each edge is one of the operations
    nodes: 4
    operations: {conv: {features: $width}, identity: {}, zero: {}}
  - head
limits: ["params <= 200e3"]
"""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from nas.documents import Document, Path_, read_file, read_text, to_yaml
from nas.errors import DocumentError, SpaceError, did_you_mean, quote
from nas.space.domain import Categorical, Domain, Integer, Real, Value
from nas.space.limits import Limit
from nas.space.space import Space
from nas.space.tree import Broken, Cell, Layer, Node, OneOf, Option, Parallel, Ref, Repeat, as_option

_KEYS = ("name", "version", "accepts", "summary", "choices", "layers", "limits")
_REPEAT = ("repeat", "times", "choices", "layers")
_ONE_OF = ("one_of", "by", "options")
_PARALLEL = ("parallel", "merge", "branches")
_CELL = ("cell", "nodes", "by", "operations")


def read_space(source: Path | str) -> Space:
    """The space declared in the YAML file at `source`.

    Raises:
        DocumentError: the file cannot be read, or breaks a rule; names file, line and path.
    """
    return _Parser(read_file(Path(source))).space()


def parse_space(text: str, source: str = "<text>") -> Space:
    """The space declared by the YAML in `text`; `source` is what messages call it.

    Raises:
        DocumentError: the text breaks a rule; names line and path.
    """
    return _Parser(read_text(text, source)).space()


def space_from_data(data: Mapping[str, Any], source: str = "<data>") -> Space:
    """The space that `space_to_data` wrote.

    Raises:
        DocumentError: the data breaks a rule; names the path.
    """
    return _Parser(Document(source, data, {})).space()


def space_from_document(document: Document) -> Space:
    """The space that `document` declares, such as a part of a larger one; complaints name its lines.

    Raises:
        DocumentError: the declaration breaks a rule; names line and path.
    """
    return _Parser(document).space()


def space_to_data(space: Space) -> dict[str, Any]:
    """`space` as plain data, ready for YAML or JSON; `space_from_data` gives an equal space."""
    accepts = space.accepts[0] if len(space.accepts) == 1 else list(space.accepts)
    data: dict[str, Any] = {"name": space.name, "version": space.version, "accepts": accepts}
    if space.summary:
        data["summary"] = space.summary
    if space.choices:
        data["choices"] = {name: _option_data(domain) for name, domain in space.choices.items()}
    data["layers"] = [_node_data(node) for node in space.layers]
    if space.limits:
        data["limits"] = [str(limit) for limit in space.limits]
    return data


def space_to_yaml(space: Space) -> str:
    """`space` as the text of a YAML file."""
    return to_yaml(space_to_data(space))


@lru_cache(maxsize=64)
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def digest(space: Space) -> str:
    """Sixteen hexadecimal digits that change when anything changes what an answer means; summary and limits do not."""
    data = space_to_data(space)
    meaning = {key: value for key, value in data.items() if key not in {"summary", "limits"}}
    return _digest(json.dumps(meaning, separators=(",", ":")))


def _option_data(option: Option) -> Any:
    if isinstance(option, Categorical):
        return list(option.values)
    if isinstance(option, Integer):
        extra: dict[str, Any] = {"step": option.step} if option.step != 1 else {}
        return {"int": [option.low, option.high], **extra, **({"log": True} if option.log else {})}
    if isinstance(option, Real):
        return {"real": [option.low, option.high], **({"log": True} if option.log else {})}
    return str(option) if isinstance(option, Ref) else option


def _node_data(node: Node) -> Any:
    if isinstance(node, Layer):
        options = {key: _option_data(option) for key, option in node.options.items()}
        return {node.kind: options, **({"name": node.name} if node.name != node.kind else {})}
    if isinstance(node, Repeat):
        data: dict[str, Any] = {"repeat": node.name, "times": _option_data(node.times)}
        if node.choices:
            data["choices"] = {name: _option_data(domain) for name, domain in node.choices.items()}
        return {**data, "layers": [_node_data(inner) for inner in node.layers]}
    if isinstance(node, Parallel):
        branches = {name: [_node_data(inner) for inner in branch] for name, branch in node.branches.items()}
        return {"parallel": node.name, "merge": _option_data(node.merge), "branches": branches}
    by = {"by": str(node.by)} if node.by is not None else {}
    if isinstance(node, Cell):
        return {"cell": node.name, "nodes": node.nodes, **by, "operations": _alternatives_data(node.operations)}
    return {"one_of": node.name, **by, "options": _alternatives_data(node.options)}


def _alternatives_data(options: Mapping[str, Layer | tuple[Node, ...]]) -> dict[str, Any]:
    return {
        name: {key: _option_data(value) for key, value in option.options.items()}
        if isinstance(option, Layer)
        else [_node_data(inner) for inner in option]
        for name, option in options.items()
    }


class _Parser:
    """Turns one document into a space; every complaint carries the place that it is about."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def fail(self, path: Path_, message: str) -> DocumentError:
        return self.document.error(path, message)

    def space(self) -> Space:
        data = self.mapping(self.document.value, (), _KEYS)
        for key in ("name", "version", "accepts", "layers"):
            if key not in data:
                raise self.fail((), f"a space needs {key!r}; add it at the top.")
        limits = self.sequence(data.get("limits", []), ("limits",))
        summary = data.get("summary", "")
        if not isinstance(summary, str):
            raise self.fail(("summary",), f"must be text, got {quote(summary)}.")
        try:
            return Space(
                name=data["name"],
                version=data["version"],
                accepts=data["accepts"],
                summary=" ".join(summary.split()),
                choices=self.choices(data.get("choices", {}), ("choices",)),
                layers=self.nodes(data["layers"], ("layers",)),
                limits=tuple(self.limit(text, ("limits", n)) for n, text in enumerate(limits)),
                origin=self.document,
            )
        except Broken as error:
            raise self.fail(error.path, error.rule) from None

    def limit(self, text: Any, path: Path_) -> Limit:
        try:
            return Limit.parse(text)
        except SpaceError as error:
            raise self.fail(path, str(error)) from None

    def nodes(self, value: Any, path: Path_) -> tuple[Node, ...]:
        return tuple(self.node(item, (*path, n)) for n, item in enumerate(self.sequence(value, path)))

    def node(self, value: Any, path: Path_) -> Node:
        if isinstance(value, str):
            value = {value: None}
        if not isinstance(value, dict) or not value:
            raise self.fail(path, f"a layer reads like `- conv: {{kernel: 3}}`, got {quote(value)}.")
        if "repeat" in value:
            return self.repeat(self.mapping(value, path, _REPEAT), path)
        if "one_of" in value:
            return self.one_of(self.mapping(value, path, _ONE_OF), path)
        if "parallel" in value:
            return self.parallel(self.mapping(value, path, _PARALLEL), path)
        if "cell" in value:
            return self.cell(self.mapping(value, path, _CELL), path)
        kinds = [key for key in value if key != "name"]
        if len(kinds) != 1:
            extra = ", ".join(quote(kind) for kind in kinds[1:]) or "none"
            raise self.fail(path, f"a layer has one kind and at most a `name`; further keys: {extra}. Begin each layer with `-`.")
        return self.layer(kinds[0], value[kinds[0]], (*path, kinds[0]), name=value.get("name"), name_path=(*path, "name"))

    def layer(self, kind: str, value: Any, path: Path_, name: Any = None, name_path: Path_ = ()) -> Layer:
        options = self.mapping({} if value is None else value, path)
        if name is not None and not isinstance(name, str):
            raise self.fail(name_path, f"a name must be text, got {quote(name)}.")
        return Layer(kind, {key: self.option(option, (*path, key)) for key, option in options.items()}, name or "")

    def repeat(self, data: dict[str, Any], path: Path_) -> Repeat:
        for key in ("times", "layers"):
            if key not in data:
                raise self.fail(path, f"a repeat needs {key!r}.")
        return Repeat(
            name=data["repeat"],
            times=self.option(data["times"], (*path, "times")),
            choices=self.choices(data.get("choices", {}), (*path, "choices")),
            layers=self.nodes(data["layers"], (*path, "layers")),
        )

    def one_of(self, data: dict[str, Any], path: Path_) -> OneOf:
        options = self.alternatives(data.get("options"), (*path, "options"))
        return OneOf(data["one_of"], options, self.by(data.get("by"), path))

    def parallel(self, data: dict[str, Any], path: Path_) -> Parallel:
        branches = self.mapping(data.get("branches"), (*path, "branches"))
        return Parallel(
            name=data["parallel"],
            merge=self.option(data.get("merge", "add"), (*path, "merge")),
            branches={name: self.nodes(value, (*path, "branches", name)) for name, value in branches.items()},
        )

    def cell(self, data: dict[str, Any], path: Path_) -> Cell:
        if "nodes" not in data:
            raise self.fail(path, "a cell needs 'nodes'.")
        operations = self.alternatives(data.get("operations"), (*path, "operations"))
        return Cell(data["cell"], data["nodes"], operations, self.by(data.get("by"), path))

    def alternatives(self, value: Any, path: Path_) -> dict[str, Layer | tuple[Node, ...]]:
        options: dict[str, Layer | tuple[Node, ...]] = {}
        for name, option in self.mapping(value, path).items():
            place = (*path, name)
            options[name] = self.nodes(option, place) if isinstance(option, list) else self.layer(name, option, place)
        return options

    def by(self, value: Any, path: Path_) -> Any:
        if value is not None and not (isinstance(value, str) and value.startswith("$")):
            raise self.fail((*path, "by"), f"`by` must be a reference such as $kind, got {quote(value)}.")
        return as_option(value)

    def choices(self, value: Any, path: Path_) -> dict[str, Domain | Value]:
        return {name: self.option(option, (*path, name)) for name, option in self.mapping(value, path).items()}  # type: ignore[misc]

    def option(self, value: Any, path: Path_) -> Option:
        """A constant, a list of choices, a range or a reference."""
        try:
            if isinstance(value, dict):
                return self.range(value, path)
            return as_option(value)  # type: ignore[no-any-return]
        except SpaceError as error:
            raise self.fail(path, str(error)) from None

    def range(self, value: dict[str, Any], path: Path_) -> Domain:
        kind = "int" if "int" in value else "real"
        data = self.mapping(value, path, ("int", "step", "log") if kind == "int" else ("real", "log"))
        bounds = data.get(kind)
        if not isinstance(bounds, list) or len(bounds) != 2:
            raise self.fail(path, f"a range reads like {{int: [1, 4]}} or {{real: [0, 0.5]}}, got {quote(value)}.")
        if not isinstance(data.get("log", False), bool):
            raise self.fail((*path, "log"), f"must be true or false, got {quote(data['log'])}.")
        return Integer(*bounds, **_without(data, "int")) if kind == "int" else Real(*bounds, **_without(data, "real"))

    def mapping(self, value: Any, path: Path_, known: tuple[str, ...] | None = None) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise self.fail(path, f"must be a mapping (`key: value`), got {quote(value)}.")
        for key in value:
            if not isinstance(key, str):
                raise self.fail(path, f"a key must be text, got {quote(key)}.")
            if known is not None and key not in known:
                raise self.fail((*path, key), f"unknown key. {did_you_mean(key, known)}")
        return dict(value)

    def sequence(self, value: Any, path: Path_) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise self.fail(path, f"must be a list (`- item`), got {quote(value)}.")
        return list(value)


def _without(data: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != key}
