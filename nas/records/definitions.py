"""What decides about a study's trials, and what differs between two definitions, in words."""

import json
from collections.abc import Mapping
from typing import Any

_PROSE = {"summary", "source", "licence", "floor", "floor_by", "task"}
"""What a space or a benchmark says of itself; mending a word of it makes no other study."""


def meaning(definition: Mapping[str, Any]) -> dict[str, Any]:
    """What decides about a study's trials, of all that its definition says, as JSON gives it back."""
    data: dict[str, Any] = json.loads(to_json(definition))
    for part in ("space", "benchmark"):
        if isinstance(data.get(part), dict):
            data[part] = {key: value for key, value in data[part].items() if key not in _PROSE}
    return data


def to_json(value: Any) -> str:
    """Plain data as the ledger keeps them."""
    data = dict(value) if isinstance(value, Mapping) else value
    return json.dumps(data, separators=(",", ":"), allow_nan=False)  # ASCII: a message may hold what UTF-8 cannot


def difference(begun: Mapping[str, Any], fresh: Mapping[str, Any]) -> str:
    """What differs first between two definitions, in words."""
    for key in [*begun, *fresh]:
        if begun.get(key) != fresh.get(key):
            if key in {"space", "benchmark"}:
                then, today = (f"{side[key]['name']} version {side[key]['version']}" for side in (begun, fresh))
                if then == today:
                    return f"with another declaration of the {key} {then}"
                return f"with the {key} {then}, now it is {today}"
            return f"with {key} {_words(begun.get(key))}, now it is {_words(fresh.get(key))}"
    return "with the same definition"


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(item)}" for key, item in value.items() if item is not None) or "none"
    return "none" if value is None else str(value)
