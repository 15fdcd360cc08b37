"""A YAML file → plain values, with the line that each came from; and back.

Only plain data is read (mappings with text keys, sequences, text, numbers, booleans, null), under limits on size, depth and
nodes after aliases, so that a hostile file costs a second and a message.
"""

import re
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    MappingEndEvent,
    MappingStartEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.representer import SafeRepresenter

from nas.errors import DocumentError, quote

MAX_BYTES = 200_000
MAX_DEPTH = 40
MAX_NODES = 10_000

Path_ = tuple[str | int, ...]
"""Keys and positions from the root of a document to a place inside it."""


@dataclass(frozen=True)
class Document:
    """Plain values and where they stand."""

    source: str
    """What the user calls the document: a file's path, or a name for text or data from Python."""
    value: Any
    lines: dict[Path_, int]
    """Path → line, counted from 1; empty for data that came from no file."""

    def error(self, path: Path_, message: str) -> DocumentError:
        """`message` with file, line and path before it."""
        line = next((self.lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in self.lines), None)
        place = f"{self.source}:{line}" if line else self.source
        return DocumentError(f"{place}: {dotted(path)}: {message}" if path else f"{place}: {message}")


def dotted(path: Path_) -> str:
    """`("layers", 0, "conv")` as `layers[0].conv`."""
    text = ""
    for part in path:
        shown = part if isinstance(part, str) and part.isprintable() else repr(part)
        text += f"[{part}]" if isinstance(part, int) else f".{shown}" if text else shown
    return text if len(text) <= 200 else text[:197] + "..."


def read_file(path: Path) -> Document:
    """The document in the file at `path`.

    Raises:
        DocumentError: the file cannot be read, is no YAML, or breaks a limit.
    """
    source = str(path)
    try:
        with path.open("rb") as file:  # a device has no size, and may have no end
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise DocumentError(f"{source}: a document has at most {MAX_BYTES:,} bytes, this one has more.")
        text = data.decode("utf-8")
    except OSError as error:
        raise DocumentError(f"{source}: cannot be read: {error.strerror or type(error).__name__}.") from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{source}: is not UTF-8 text (byte {error.start}).") from error
    return read_text(text, source)


def read_text(text: str, source: str) -> Document:
    """The document written in `text`; `source` is what messages call it.

    Raises:
        DocumentError: the text is no YAML, or breaks a limit.
    """
    yaml = YAML(typ="safe", pure=True)
    try:
        _check_depth(YAML(typ="safe", pure=True), text, source)
        yaml.composer.warn_double_anchors = False  # YAML allows an anchor to be set anew
        root = yaml.compose(text)
        if root is None:
            raise DocumentError(f"{source}: the document is empty.")
        reader = _Reader(yaml, source)
        return Document(source, reader.plain(root, ()), reader.lines)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}" if mark else source
        said = [part for part in (error.context, error.problem) if part]
        problem = " ".join(", ".join(said).split()) or "cannot be parsed"
        raise DocumentError(f"{place}: not valid YAML: {problem[:160]}.") from error
    except (YAMLError, ValueError, OverflowError, RecursionError) as error:  # OverflowError: the escape of no character
        reason = " ".join(str(error).split())[:160]
        raise DocumentError(f"{source}: not valid YAML: {reason}.") from error


def to_yaml(data: Any) -> str:
    """Plain data as the text of a YAML file, from which the same is read again."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = None
    yaml.width = 2**31  # folded, some texts would be read as others
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # annotated as None
    stream = StringIO()
    yaml.dump(data, stream)
    return stream.getvalue()


class _Representer(SafeRepresenter):
    """Puts all text but plain words in double quotes: ruamel leaves some bare that it then reads as something else (`?>`)."""

    def represent_str(self, data: str) -> ScalarNode:
        node: ScalarNode = self.represent_scalar("tag:yaml.org,2002:str", data, style=None if _WORD.fullmatch(data) else '"')
        return node


_WORD = re.compile(r"\$?[A-Za-z][A-Za-z0-9_]*")
_Representer.add_representer(str, _Representer.represent_str)


def _check_depth(yaml: YAML, text: str, source: str) -> None:
    depth = 0
    for nodes, event in enumerate(yaml.parse(text)):
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            depth += 1
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise DocumentError(f"{source}:{event.start_mark.line + 1}: nested deeper than {MAX_DEPTH} levels.")
        if nodes > 2 * MAX_NODES:
            raise DocumentError(f"{source}: has more than {MAX_NODES:,} nodes.")


_TAG = "tag:yaml.org,2002:"
_COLLECTIONS = {"seq", "map"}
_SCALARS = {"null", "bool", "int", "float", "str", "timestamp", "merge", "value"}


class _Reader:
    def __init__(self, yaml: YAML, source: str) -> None:
        self.constructor = yaml.constructor
        self.source = source
        self.lines: dict[Path_, int] = {}
        self.nodes = 0

    def plain(self, node: Node, path: Path_) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES or len(path) > MAX_DEPTH:
            raise DocumentError(f"{self.source}: has more than {MAX_NODES:,} nodes once its aliases are filled in.")
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        if isinstance(node, ScalarNode):
            return self._scalar(node, line)
        if isinstance(node, SequenceNode | MappingNode) and str(node.tag).removeprefix(_TAG) not in _COLLECTIONS:
            raise self._tagged(node, line)
        if isinstance(node, SequenceNode):
            return [self.plain(item, (*path, n)) for n, item in enumerate(node.value)]
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        raise DocumentError(f"{self.source}:{line}: only mappings, lists and plain values are read.")

    def _mapping(self, node: MappingNode, path: Path_) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self._scalar(key_node, line) if isinstance(key_node, ScalarNode) else None
            if not isinstance(key, str):
                # YAML 1.2 keeps `on` and `yes` as text, so only numbers, booleans and null land here.
                shown = key_node.value if isinstance(key_node, ScalarNode) else "a collection"
                raise DocumentError(f"{self.source}:{line}: a key must be text, got {quote(shown)}; put it in quotes.")
            if key in values:
                raise DocumentError(f"{self.source}:{line}: the key {quote(key)} stands twice; keep one of them.")
            self.lines[(*path, key)] = line
            values[key] = self.plain(value_node, (*path, key))
        return values

    def _scalar(self, node: ScalarNode, line: int) -> str | int | float | bool | None:
        kind = str(node.tag).removeprefix(_TAG)
        if kind not in _SCALARS:
            raise self._tagged(node, line)
        if kind in {"null", "bool", "int", "float"}:
            if len(node.value) > 400:  # Python refuses to convert longer integers
                raise DocumentError(f"{self.source}:{line}: the number {quote(node.value)} is too long.")
            try:
                value: str | int | float | bool | None = self.constructor.construct_object(node)
            except (ValueError, LookupError) as error:  # the text does not fit a tag such as !!int
                raise DocumentError(f"{self.source}:{line}: {quote(node.value)} is no {kind}.") from error
            return value
        return str(node.value)  # text, and what looks like a date or a merge key, as it was written

    def _tagged(self, node: Node, line: int) -> DocumentError:
        tag = quote(str(node.tag))
        return DocumentError(f"{self.source}:{line}: the tag {tag} is not read; only plain values are.")
