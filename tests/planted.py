"""Studies whose truth is known: architectures of a small space, and figures that follow from the choices by a rule and chance."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from nas.benchmark import Budget
from nas.records import Ledger, Machine, Record, StudyEntry, Trial
from nas.space import Architecture, Space, digest, parse_space, space_to_data

PLAIN = parse_space(
    """
name: plain
version: 1
accepts: image
layers:
  - conv: {features: [8, 16, 32], kernel: [1, 3, 5], stride: [1, 2]}
    name: stem
  - head: {dropout: {real: [0.0, 0.5]}, pool: [average, max]}
"""
)

NESTED = parse_space(
    """
name: nested
version: 1
accepts: image
layers:
  - repeat: stage
    times: {int: [1, 3]}
    layers:
      - one_of: kind
        options:
          conv: {features: [8, 16, 32]}
          pool: {kind: [max, average]}
  - head: {dropout: {real: [0.0, 0.5]}}
"""
)

Rule = Callable[[Any, random.Random], dict[str, float]]
"""The figures of an architecture, by its choices."""

MACHINE = Machine(system="Linux x86_64", processor="Abacus", cores=2, memory_gib=4)
BUDGET = Budget(epochs=3)


def study(space: Space = PLAIN, *, limits: Sequence[str] = (), objective: str = "validation_accuracy") -> StudyEntry:
    definition = {
        "space": {**space_to_data(space), "digest": digest(space)},
        "objectives": [{"figure": objective, "direction": "maximize"}],
        "limits": [*limits],
    }
    return StudyEntry(id=1, name="planted", definition=definition, begun_at="2026-01-01T00:00:00+00:00")


def trial(number: int, architecture: Architecture, figures: dict[str, float], **changes: Any) -> Trial:
    own: dict[str, Any] = {"outcome": "complete", "budget": BUDGET, "machine": MACHINE, "device": "cpu", "threads": 1, "seed": 0}
    record = Record(figures=figures, **{**own, **changes.pop("record", {})})
    values: dict[str, Any] = {
        "id": number + 1,
        "study": "planted",
        "stage": "search",
        "number": number,
        "state": "complete",
        "architecture": architecture,
        "evaluation": f"{number:016x}",
        "reused_from": None,
        "begun_at": "",
        "ended_at": "",
        "proposal": {},
        "record": record,
    }
    return Trial(**{**values, **changes})


def trials(count: int, rule: Rule, space: Space = PLAIN, *, seed: int = 0) -> list[Trial]:
    """Architectures drawn by chance, one a trial."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        architecture = space.sample(rng)
        found.append(trial(number, architecture, rule(architecture.choices, rng)))
    return found


def searched(count: int, rule: Rule, space: Space = PLAIN, *, seed: int = 0) -> list[Trial]:
    """As a strategy finds them: after a tenth by chance, each second one is the best so far with one choice drawn anew."""
    rng = random.Random(seed)
    found: list[Trial] = []
    for number in range(count):
        architecture = space.sample(rng)
        if number >= count // 10 and number % 2:
            best = max(found, key=lambda one: one.record.figures["validation_accuracy"])  # type: ignore[union-attr]
            other, names = space.sample(rng), list(best.architecture.choices)
            changed = rng.choice(names)
            answers = {**best.architecture.choices, **({changed: other.choices[changed]} if changed in other.choices else {})}
            architecture = space.walk(lambda name, _: answers.get(name, other.choices.get(name)))  # noqa: B023
        found.append(trial(number, architecture, rule(architecture.choices, rng)))
    return found


def keep(ledger: Ledger, found: Sequence[Trial], entry: StudyEntry) -> None:
    """Write the trials into a ledger, as those of a study."""
    begun = ledger.begin_study(entry.name, entry.definition)
    for one in found:
        trial = ledger.begin_trial(begun, one.stage, one.number, one.architecture, one.evaluation)
        assert one.record is not None
        ledger.end_trial(trial, one.record)
