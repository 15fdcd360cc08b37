"""Which architecture is meant: choices as JSON, a file of them, a trial of a study, or one drawn from the space."""

import json
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.errors import SearchError, printable, quote
from nas.records import Ledger, default_ledger
from nas.space import Architecture, Real, Space

TRIAL = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*):([0-9]{1,9}|[0-9a-f]{16})")
"""STUDY:NUMBER, or STUDY:ID with an architecture's id."""

LONGEST = 10_000_000
"""Bytes of a file that are read: a record holds its learning curve too."""

WAYS = "choices as JSON ('{\"stem.features\": 16}'), a file of them, or STUDY:NUMBER"


def pick_architecture(
    space: Space, named: str | None = None, *, random_seed: int | None = None, ledger: str = ""
) -> Architecture:
    """The architecture of `space` that `named` means; without a name the one drawn from `random_seed`, or the first.

    A name is choices as JSON, the path of a JSON file that holds them (alone or as "choices"), or STUDY:NUMBER or STUDY:ID, a
    trial of a study in the ledger. The first architecture takes the first value of every choice.

    Raises:
        NasError: it means none, or is both named and drawn.
    """
    if named is None:
        return space.sample(random.Random(random_seed)) if random_seed is not None else space.walk(_first)  # noqa: S311 - no secret
    if random_seed is not None:
        raise SearchError(
            f"An architecture is named or drawn, got {quote(named)} and the random seed {random_seed}; leave one out."
        )
    if named.lstrip().startswith("{"):
        return space.architecture(_choices(named, "The architecture"))
    if match := TRIAL.fullmatch(named):
        return space.architecture(_tried(match[1], match[2], ledger or default_ledger()).choices)
    try:
        with Path(named).open("rb") as file:  # a device has no size, and may have no end
            text = file.read(LONGEST).decode("utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a text"
        raise SearchError(f"An architecture is {WAYS}, got {quote(named)}: {reason}.") from error
    return space.architecture(_choices(text, printable(named)))


def _first(_name: str, domain: Any) -> Any:
    return domain.low if isinstance(domain, Real) else next(iter(domain))


def _choices(text: str, source: str) -> Mapping[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SearchError(f"{source} is not JSON: {error}.") from error
    if isinstance(data, dict) and isinstance(data.get("choices"), dict):
        data = data["choices"]
    if not isinstance(data, dict):
        raise SearchError(f"{source} is a JSON object of choices, got {quote(data)}.")
    return data


def _tried(study: str, key: str, url: str) -> Architecture:
    with Ledger(url, create=False) as ledger:
        trials = ledger.trials(ledger.study(study))
    found = [trial for trial in trials if key in (trial.architecture.id, str(trial.number) if trial.stage == "search" else "")]
    if not found:
        raise SearchError(f"The study {study!r} has no trial {key}; it has {len(trials)}, see `nas rank {study}`.")
    return found[0].architecture
