"""What the JSON of a leaderboard and of trials holds, as JSON Schemas that are part of the package.

Within a version fields are added only, and a reader passes over those that it does not know; where one goes or means something
else, the version is another.
"""

import json
from importlib.resources import files
from typing import Any, Literal

Kind = Literal["leaderboard", "trials"]

LEADERBOARD, TRIALS = "urn:nas-harness:leaderboard:1", "urn:nas-harness:trials:1"
"""Ids and versions, which the data carry as "schema"."""


def read_schema(kind: Kind) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what `nas rank --json` or `nas trials --json` prints."""
    found: dict[str, Any] = json.loads((files("nas.reports.schema") / f"{kind}.schema.json").read_text(encoding="utf-8"))
    return found
