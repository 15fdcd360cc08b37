"""What every tracker is told of a study and its trials, and what came of telling it."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas.benchmark import Budget, Objective
from nas.records import Record, StudyEntry, Trial


@dataclass(frozen=True, kw_only=True)
class Told:
    """How many trials a tracker has been told of."""

    added: int
    """By this call."""
    known: int
    """That it had already."""
    waiting: int
    """That have not ended; another call tells of them."""


def identity(entry: StudyEntry) -> str:
    """Names the study in a tracker: equal for the same study, whatever ledger it is copied to."""
    named = json.dumps([entry.name, entry.begun_at, entry.definition["space"].get("digest")])
    return hashlib.sha256(named.encode()).hexdigest()[:16]


def objectives(entry: StudyEntry) -> list[Objective]:
    """What the study steers by."""
    return [Objective(**objective) for objective in entry.definition["objectives"]]


def study_facts(entry: StudyEntry) -> dict[str, str]:
    """What was asked, as short texts."""
    given = entry.definition
    benchmark, space = given["benchmark"], given["space"]
    return {
        "space": f"{space['name']} v{space['version']}",
        "space_digest": str(space.get("digest", "")),
        "benchmark": f"{benchmark['name']} v{benchmark['version']}",
        "strategy": str(given["strategy"]),
        "pruner": str(given["pruner"]),
        "seed": str(given["seed"]),
        "limits": ", ".join(given["limits"]) or "none",
        "objectives": ", ".join(f"{goal['direction']} {goal['figure']}" for goal in given["objectives"]),
        "budget": str(Budget(**given["budget"])),
        "begun_at": entry.begun_at,
    }


def figures_of(record: Record | None) -> dict[str, float]:
    """The figures that are finite numbers, which is all that trackers take."""
    return {name: float(value) for name, value in (record.figures if record else {}).items() if math.isfinite(value)}


def trial_facts(trial: Trial) -> Mapping[str, Any]:
    """What is known of a trial beside its choices and figures; nothing that names a person or a host."""
    record = trial.record
    facts: dict[str, Any] = {
        "stage": trial.stage,
        "trial": trial.number,
        "ledger_id": trial.id,
        "state": trial.state,
        "architecture": trial.architecture.id,
        "reused_from": trial.reused_from,
    }
    if record is not None:
        facts |= {
            "seed": record.seed,
            "budget": str(record.budget),
            "seconds": record.seconds,
            "machine": str(record.machine),
            "device": record.setting.use,
            "commit": record.commit,
            "error": f"{record.error.kind}: {record.error.message}" if record.error else None,
            "broken_limits": "; ".join(record.broken_limits) or None,
            "notes": "; ".join(record.notes) or None,
        }
    return {name: value for name, value in facts.items() if value is not None}
