"""The state of CMA-ES as plain data.

Optuna keeps its optimiser on a trial as a pickle, and loads that again at the next proposal. What stands in a ledger is read as
data and never unpickled: the state goes there as numbers, and comes back as a pickle that this process has made.
"""

import base64
import pickle
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

PICKLED = re.compile(r"(cma|sepcma|cmawm):optimizer:\d+")
"""The pickle's parts, in hexadecimal."""

KINDS: Mapping[str, str] = {"cma": "CMA", "sepcma": "SepCMA"}
"""What the notes begin with → the class of the optimiser, of those that numbers describe; that with a margin holds another."""

STATE = ":state"
"""Ends the name of a state as plain data."""


def without_pickles(notes: Mapping[str, Any]) -> dict[str, Any]:
    """What a sampler noted on a trial, the optimiser as numbers; nothing of one of another kind, which begins anew."""
    parts: dict[str, dict[int, str]] = {}
    kept = {}
    for name, value in notes.items():
        if PICKLED.fullmatch(name):
            kind, _, number = name.split(":")
            parts.setdefault(kind, {})[int(number)] = value
        else:
            kept[name] = value
    for kind, hexadecimal in parts.items():
        whole = "".join(part for _, part in sorted(hexadecimal.items()))
        if kind in KINDS:
            optimizer = pickle.loads(bytes.fromhex(whole))  # noqa: S301 - Optuna pickled it in this process
            kept[kind + STATE] = {name: _put(value) for name, value in optimizer.__getstate__().items()}
    return kept


def with_pickles(notes: Mapping[str, Any]) -> dict[str, Any]:
    """What `without_pickles` gave, as Optuna wants it; a pickle that comes from elsewhere is left out."""
    cmaes = import_module("cmaes")

    given = {}
    for name, value in notes.items():
        kind = name.removesuffix(STATE)
        if name.endswith(STATE) and kind in KINDS:
            optimizer = object.__new__(getattr(cmaes, KINDS[kind]))
            optimizer.__setstate__({part: _taken(one) for part, one in value.items()})
            given[f"{kind}:optimizer:0"] = pickle.dumps(optimizer).hex()
        elif not PICKLED.fullmatch(name):
            given[name] = value
    return given


def _put(value: Any) -> list[Any]:
    """A number, an array of numbers, or nothing, as plain data."""
    if value is None or (isinstance(value, bool | int | float) and not isinstance(value, np.generic)):
        return [value]
    array = np.asarray(value)
    return [array.dtype.str, list(array.shape), base64.b64encode(array.tobytes()).decode("ascii")]


def _taken(data: list[Any]) -> Any:
    """What was `_put`."""
    if len(data) == 1:
        return data[0]
    kind, shape, content = data
    return np.frombuffer(base64.b64decode(content), dtype=np.dtype(str(kind))).reshape(shape).copy()[()]
