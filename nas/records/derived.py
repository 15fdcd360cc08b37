"""A trial that was made of another: quantised, pruned, taught by it, or trained anew by another recipe.

    parent (a finalist's training) → how (a method, its options) → child, a trial of its own at the same benchmark and seed

A `Descent` is what has to be done, as plain data that travels to whoever does it; a `Derived` is what a Record says of it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Parent:
    """A trial whose weights are kept."""

    evaluation: str
    """The trial, as the ledger names its work."""
    choices: Mapping[str, Any]
    """Of its architecture."""
    seed: int
    weights: Path | None
    """The file that they are kept in; None where the method asks for none."""
    architecture: str = ""
    """Its id, for people."""
    words: str = ""
    """How it was made itself, for people; empty for a finalist."""


@dataclass(frozen=True, kw_only=True)
class Descent:
    """How a child is to be made."""

    method: str
    """A name of the entry points `nas.derivations`."""
    options: Mapping[str, Any]
    """All that the method has, those that were not given too: what a default becomes later changes no work that is done."""
    parents: tuple[Parent, ...]
    """The child's parent first; a method may learn from others beside."""

    @property
    def key(self) -> list[Any]:
        """What names the work beside architecture, benchmark, budget and seed."""
        return ["derived", self.method, dict(sorted(self.options.items())), [parent.evaluation for parent in self.parents]]

    def words(self, options: str) -> str:
        """What the child is called, given its options for people: all steps from the finalist on, and who taught it."""
        taught = [" ".join(filter(None, ("teacher", one.architecture, one.words))) for one in self.parents[1:]]
        own = " ".join(filter(None, (self.method, ", ".join(filter(None, (options, *taught))))))
        return " → ".join(filter(None, (self.parents[0].words, own)))

    def to_data(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        parents = [
            {**asdict(parent), "weights": str(parent.weights.absolute()) if parent.weights else None} for parent in self.parents
        ]
        return {"method": self.method, "options": dict(self.options), "parents": parents}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The descent that `to_data` wrote."""
        parents = (
            Parent(**{**parent, "weights": Path(parent["weights"]) if parent["weights"] else None}) for parent in data["parents"]
        )
        return cls(method=data["method"], options=data["options"], parents=tuple(parents))


@dataclass(frozen=True, kw_only=True)
class Derived:
    """What a Record says of where it comes from."""

    method: str
    options: Mapping[str, Any]
    words: str
    """Method and options for people, after those of the steps before it, and with its teachers."""
    parent: str
    """The parent's trial, as the ledger names its work."""
    beside: tuple[str, ...] = ()
    """Other trials that it learned from, likewise."""
    file_bytes: int | None = None
    """Of the file that its weights are kept in, as it lies on the disk; None where they are not kept."""
    parent_file_bytes: int | None = None
    turn_ms: float | None = None
    """Of one pass, timed in turns with the parent's, so that other work meets both alike; see `nas.profiling.interleaving`."""
    parent_turn_ms: float | None = None
    tied: bool | None = None
    """Whether these two cannot be told apart; None where they were not timed."""
    turn_mj: float | None = None
    """Millijoules of one pass, measured after the parent's; None where nothing on the device counts energy."""
    parent_turn_mj: float | None = None
    plain: bool = True
    """Whether the file holds the weights of the architecture as it is built, so that others can begin from them."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """What the method tells of itself, such as the share of weights that are zero."""

    @property
    def size_share(self) -> float | None:
        """Its file as a share of the parent's."""
        return self.file_bytes / self.parent_file_bytes if self.file_bytes and self.parent_file_bytes else None

    @property
    def energy_share(self) -> float | None:
        """Its energy of a pass as a share of the parent's."""
        return self.turn_mj / self.parent_turn_mj if self.turn_mj and self.parent_turn_mj else None

    @property
    def time_share(self) -> float | None:
        """Its time of a pass as a share of the parent's."""
        return self.turn_ms / self.parent_turn_ms if self.turn_ms and self.parent_turn_ms else None
