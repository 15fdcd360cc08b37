"""An architecture: the answers to every choice that applied, and the id that names them on every machine."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from nas.errors import SpaceError, quote
from nas.space.domain import Value


@dataclass(frozen=True, eq=False)
class Architecture:
    """Answers in the order they were given; choices that do not apply are absent, so that one network has one form."""

    space: str
    version: int
    choices: Mapping[str, Value]

    @cached_property
    def id(self) -> str:
        """Sixteen hexadecimal digits of the SHA-256 of the canonical JSON; equal on every machine."""
        text = json.dumps(self.to_data(), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Architecture) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {"space": self.space, "version": self.version, "choices": dict(self.choices)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The architecture that `to_data` wrote; `Space.architecture` checks its answers against a space.

        Raises:
            SpaceError: a field is missing or of the wrong kind.
        """
        for field, kind in (("space", str), ("version", int), ("choices", Mapping)):
            if not isinstance(data, Mapping) or not isinstance(data.get(field), kind):
                raise SpaceError(f"An architecture needs space, version and choices; {field!r} is missing in {quote(data)}.")
        return cls(data["space"], data["version"], dict(data["choices"]))
