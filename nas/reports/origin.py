"""Where a study's figures come from: its definition, the machines, versions and commits behind them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from nas.benchmark import Budget
from nas.ranking.leaderboard import UNTOLD
from nas.records import LOOKED_UP, Record, StudyEntry, Trial
from nas.reports.outcome import SIMPLE, words
from nas.space import Space, size_if_counted

Facts = tuple[tuple[str, str], ...]
"""What something is called, and what it is."""

EXACT_BELOW = 10**15
"""Sizes from here on are told by their magnitude first."""

MAX_DIGITS = 60
"""Of a size that is written out."""


def asked(entry: StudyEntry) -> str:
    """What was asked, in one line."""
    space, benchmark = entry.definition["space"], entry.definition["benchmark"]
    goals = ", ".join(f"{goal['direction']} {goal['figure'].replace('_', ' ')}" for goal in entry.definition["objectives"])
    limits = f", {', '.join(entry.definition['limits'])}" if entry.definition["limits"] else ""
    return f"{space['name']} v{space['version']} on {benchmark['name']} v{benchmark['version']}: {goals}{limits}"


def question(entry: StudyEntry, space: Space) -> Facts:
    """What was asked: space and benchmark."""
    benchmark = entry.definition["benchmark"]
    floor = ", ".join(f"{words(name)} {value:g}" for name, value in benchmark["floor"].items())
    facts = [
        ("Space", f"{space.name} v{space.version}: {holds(size_if_counted(space))}. {space.summary}"),
        ("Benchmark", f"{benchmark['name']} v{benchmark['version']}: {benchmark['summary']}"),
        ("Data", benchmark["source"]),
        ("Licence", benchmark["licence"]),
        ("Floor", f"{floor} ({benchmark.get('floor_by', SIMPLE)})" if floor else ""),
    ]
    return tuple((label, text.strip()) for label, text in facts if text)


def holds(count: float | None) -> str:
    """How many architectures there are, exactly where that can be read."""
    if count is None:
        return "more architectures than can be counted"
    if count == math.inf:
        return "infinitely many architectures"
    if count < EXACT_BELOW:
        return f"{count:,} architecture{'s' if count != 1 else ''}"
    mantissa, _, power = f"{Decimal(count):.1e}".partition("e+")  # no float holds what a large space holds
    about = f"about {mantissa} × 10^{power} architectures"
    return f"{about} (exactly {count:,})" if int(power) < MAX_DIGITS else about


def definition(entry: StudyEntry) -> Facts:
    """How it was searched."""
    given = entry.definition
    benchmark = given["benchmark"]
    table = benchmark.get("table")
    untold = table is not None and not table["fidelities"]
    looked_up = f"none: figures are looked up in {table['file']}, digest {table['digest']}" if table else ""
    return (
        ("Strategy", f"{given['strategy']}, seed {given['seed']}"),
        ("Pruner", given["pruner"]),
        ("Objectives", ", ".join(f"{goal['direction']} {goal['figure']}" for goal in given["objectives"])),
        ("Limits", ", ".join(given["limits"]) or "none"),
        ("Budget", UNTOLD if untold else str(Budget(**given["budget"]))),
        ("Budget of a finalist", UNTOLD if untold else str(Budget(**benchmark["final_budget"]))),
        ("Recipe", looked_up or pairs(benchmark["recipe"])),
        ("Space digest", given["space"]["digest"]),
    )


def evidence(entry: StudyEntry, trials: Sequence[Trial]) -> Facts:
    """Where and with what the figures were made; several of a kind are all named."""
    records = [trial.record for trial in trials if trial.record is not None]
    ends = [trial.ended_at for trial in trials if trial.ended_at]
    facts = [
        ("Begun", minute(entry.begun_at)),
        ("Last trial ended", minute(max(ends)) if ends else ""),
        *(("Machine", machine) for machine in distinct(_machine(record) for record in records)),
        ("Commit", _commits(records)),
        ("Versions", _versions(records)),
    ]
    return tuple((label, text) for label, text in facts if text)


def minute(stamp: str) -> str:
    """A time stamp of the ledger, to the minute."""
    return f"{stamp[:10]} {stamp[11:16]} UTC"


def pairs(values: Mapping[str, Any]) -> str:
    """`a 1, b 2`."""
    return ", ".join(f"{key.replace('_', ' ')} {_value(value)}" for key, value in values.items())


def distinct(texts: Iterable[str]) -> list[str]:
    """Each of `texts` once, in the order they come."""
    return list(dict.fromkeys(texts))


def _value(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _machine(record: Record) -> str:
    if record.device == LOOKED_UP:
        return f"none: figures are from a table, {record.machine}"
    return f"{record.machine} (id {record.machine.id}); candidates ran on {record.setting.use}"


def _commits(records: Sequence[Record]) -> str:
    commits = distinct(record.commit or "none: not run from a checkout" for record in records)
    dirty = " (-dirty: with changes that were not committed)" if any(commit.endswith("-dirty") for commit in commits) else ""
    return ", ".join(commits) + dirty


def _versions(records: Sequence[Record]) -> str:
    found: dict[str, list[str]] = {}
    for record in records:
        for package, version in record.versions.items():
            if version not in found.setdefault(package, []):
                found[package].append(version)
    return ", ".join(f"{package} {' and '.join(versions)}" for package, versions in found.items())
