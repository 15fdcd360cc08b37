"""The JSON schema (draft 2020-12) of a space's YAML, so that an editor completes it and marks what is wrong as it is typed.

It is as strict as a schema can be: names that are declared nowhere, and what a layer makes of a shape, are found by reading the
space.
"""

from collections.abc import Mapping
from typing import Any

from nas.benchmark import KINDS
from nas.space.tree import MAX_CELL_NODES, MAX_TIMES, MERGES, NAME, RESERVED

Schema = dict[str, Any]

_NAME = f"^{NAME.pattern}$"
_PLAIN: Schema = {"type": ["string", "number", "boolean", "null"]}


def space_schema(layers: Mapping[str, Mapping[str, Any]]) -> Schema:
    """Of a space whose layers are `layers`: name → the JSON schema of its options as values."""
    options = {name: _options(schema) for name, schema in layers.items() if name not in RESERVED}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A search space of nas-harness",
        "type": "object",
        "required": ["name", "version", "accepts", "layers"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string", "pattern": _NAME, "description": "What the space is called."},
            "version": {"type": "integer", "minimum": 1, "description": "Raise it when what an answer means has changed."},
            "accepts": {
                "description": "The kinds of input that its networks are fed.",
                "anyOf": [
                    {"enum": list(KINDS)},
                    {"type": "array", "items": {"enum": list(KINDS)}, "minItems": 1, "uniqueItems": True},
                ],
            },
            "summary": {"type": "string", "description": "What it is, in a line."},
            "choices": {"$ref": "#/$defs/choices"},
            "layers": {"$ref": "#/$defs/sequence", "minItems": 1},
            "limits": {
                "description": "What every architecture worth training keeps to.",
                "type": "array",
                "items": {"type": "string", "pattern": r"^\s*[a-z][a-z0-9_]*(:[\w.-]+)?\s*(<=|>=|<|>)\s*[0-9.eE+_-]+\s*$"},
            },
        },
        "$defs": {
            "reference": {"type": "string", "pattern": rf"^\${NAME.pattern}$", "description": "The answer to a shared choice."},
            "range": {"anyOf": [_range("integer"), _range("number")]},
            "choice": {"type": "array", "items": _PLAIN, "minItems": 1, "uniqueItems": True},
            "choices": {
                "description": "Choices that several layers share, read as $name.",
                "type": "object",
                "propertyNames": {"pattern": _NAME},
                "additionalProperties": {"anyOf": [_PLAIN, {"$ref": "#/$defs/choice"}, {"$ref": "#/$defs/range"}]},
            },
            "sequence": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            "node": _node(options, layers),
            "alternatives": _alternatives(options),
            **{f"layer_{name}": schema for name, schema in options.items()},
        },
    }


def _node(options: Mapping[str, Schema], layers: Mapping[str, Mapping[str, Any]]) -> Schema:
    """A layer, a repeat, a one_of, a parallel or a cell."""
    bare = [name for name in options if not layers[name].get("required")]
    return {
        "anyOf": [
            {"enum": bare, "description": "A layer without options."},
            {
                "description": "A layer: its kind and options.",
                "type": "object",
                "minProperties": 1,
                "properties": {"name": {"type": "string", "pattern": _NAME}, **_references(options)},
                "additionalProperties": False,
                "oneOf": [{"required": [name]} for name in options],
            },
            _keyed("repeat", "The layers, so many times.", {"times": _times(), "choices": {"$ref": "#/$defs/choices"}}, "layers"),
            _keyed("one_of", "One of several.", {"by": {"$ref": "#/$defs/reference"}}, "options"),
            _keyed("parallel", "Branches side by side.", {"merge": _option({"enum": list(MERGES)})}, "branches"),
            _keyed(
                "cell",
                "A graph whose every edge is one of the operations.",
                {
                    "nodes": {"type": "integer", "minimum": 2, "maximum": MAX_CELL_NODES},
                    "by": {"$ref": "#/$defs/reference"},
                },
                "operations",
            ),
        ]
    }


def _keyed(key: str, description: str, properties: Schema, inside: str) -> Schema:
    """A node that is told by `key`, whose value is its name."""
    within: Schema = {
        "layers": {"$ref": "#/$defs/sequence", "minItems": 1},
        "branches": {
            "type": "object",
            "minProperties": 2,
            "propertyNames": {"pattern": _NAME},
            "additionalProperties": {"$ref": "#/$defs/sequence"},
        },
    }.get(inside, {"$ref": "#/$defs/alternatives"})
    return {
        "description": description,
        "type": "object",
        "required": [key, inside, *(name for name in ("times", "nodes") if name in properties)],
        "additionalProperties": False,
        "properties": {key: {"type": "string", "pattern": _NAME}, **properties, inside: within},
    }


def _alternatives(options: Mapping[str, Schema]) -> Schema:
    """Layers under their kinds, or sequences under names of their own."""
    either = {name: {"anyOf": [schema, {"$ref": "#/$defs/sequence"}]} for name, schema in _references(options).items()}
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": _NAME},
        "properties": either,
        "additionalProperties": {"$ref": "#/$defs/sequence"},
    }


def _references(options: Mapping[str, Schema]) -> dict[str, Schema]:
    return {name: {"$ref": f"#/$defs/layer_{name}"} for name in options}


def _options(schema: Mapping[str, Any]) -> Schema:
    """The options of a layer; none at all where none is needed."""
    needed = list(schema.get("required", []))
    return {
        "description": schema.get("description", ""),
        "type": "object" if needed else ["object", "null"],
        "properties": {name: _option(field) for name, field in schema.get("properties", {}).items()},
        "additionalProperties": False,
        **({"required": needed} if needed else {}),
    }


def _option(field: Mapping[str, Any]) -> Schema:
    """A value that `field` allows, a choice of such values, a range of them, or a reference."""
    told = {key: field[key] for key in ("description", "default") if key in field}
    value = {key: part for key, part in field.items() if key not in {"description", "default", "title"}}
    kinds = {one.get("type") for one in value.get("anyOf", [value])}
    ranges = [_range(kind) for kind in ("integer", "number") if kind in kinds or (kind == "integer" and "number" in kinds)]
    choice = {"type": "array", "items": value, "minItems": 1, "uniqueItems": True}
    return {**told, "anyOf": [value, choice, {"$ref": "#/$defs/reference"}, *ranges]}


def _times() -> Schema:
    return _option({"type": "integer", "minimum": 0, "maximum": MAX_TIMES, "description": "How often."})


def _range(kind: str) -> Schema:
    """{int: [1, 4]} or {real: [0, 0.5]}."""
    key = "int" if kind == "integer" else "real"
    bounds = {"type": "array", "items": {"type": kind}, "minItems": 2, "maxItems": 2}
    step: Schema = {"step": {"type": "integer", "minimum": 1}} if key == "int" else {}
    return {
        "type": "object",
        "required": [key],
        "additionalProperties": False,
        "properties": {key: bounds, **step, "log": {"type": "boolean"}},
    }
