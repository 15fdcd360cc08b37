"""The vocabulary as plain data, for people and editors: each kind of layer with its options, from types and docstrings."""

import inspect
from collections.abc import Mapping
from typing import Any

from nas import registry
from nas.errors import NasError
from nas.models.vocabulary import layer_kind


def layer_schemas() -> dict[str, Mapping[str, Any]]:
    """Name of a layer → the JSON schema of its options; a layer that cannot be loaded is left out."""
    found: dict[str, Mapping[str, Any]] = {}
    for name in registry.owners(registry.LAYERS):
        try:
            found[name] = layer_kind(name).model_json_schema()
        except NasError:
            continue
    return found


def describe_layer(name: str) -> dict[str, Any]:
    """What the layer `name` takes, what it does, and its options with type, default and documentation.

    Raises:
        RegistryError: there is none, or it cannot be loaded.
    """
    kind = layer_kind(name)
    schema = kind.model_json_schema()
    needed = schema.get("required", [])
    options = [
        {
            "option": option,
            "type": _type(field),
            "default": "needed" if option in needed else _plain(field.get("default")),
            "documentation": " ".join(field.get("description", "").split()),
        }
        for option, field in schema.get("properties", {}).items()
    ]
    return {
        "name": name,
        "package": registry.owner(registry.owners(registry.LAYERS)[name][0]),
        "accepts": ", ".join(shape.__name__.lower() for shape in kind.accepts),
        "documentation": inspect.cleandoc(kind.__doc__ or ""),
        "options": options,
    }


def _type(field: Mapping[str, Any]) -> str:
    """The values that a field takes, for people."""
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    if "enum" in field or "const" in field:
        return " | ".join(_plain(value) for value in field.get("enum", [field.get("const")]))
    low, high = (
        next((f"{sign}{field[key]:g}" for key, sign in keys if key in field), "")
        for keys in ((("minimum", ""), ("exclusiveMinimum", "above ")), (("maximum", ""), ("exclusiveMaximum", "below ")))
    )
    bounds = f" {low}..{high}" if low and high else f" from {low}" if low else f" to {high}" if high else ""
    return f"{field.get('type', 'any value')}{bounds}"


def _plain(value: object) -> str:
    return (
        {True: "true", False: "false", None: "null"}.get(value, str(value))
        if value is None or isinstance(value, bool)
        else str(value)
    )
