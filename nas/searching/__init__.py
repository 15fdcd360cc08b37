"""A search from end to end: what is asked, the loop, the finals, and the study that comes out."""

from nas.searching.config import SearchConfig, check_input, check_limits, default_ledger, resolve_benchmark
from nas.searching.evaluating import Evaluate, make_evaluator
from nas.searching.events import (
    EpochEnded,
    Event,
    OnEvent,
    Progress,
    RunBegun,
    RunEnded,
    TrialBegun,
    TrialEnded,
    to_data,
)
from nas.searching.loop import run, search
from nas.searching.retraining import finals
from nas.searching.study import Study
from nas.space import resolve_space

__all__ = [
    "EpochEnded",
    "Evaluate",
    "Event",
    "OnEvent",
    "Progress",
    "RunBegun",
    "RunEnded",
    "SearchConfig",
    "Study",
    "TrialBegun",
    "TrialEnded",
    "check_input",
    "check_limits",
    "default_ledger",
    "finals",
    "make_evaluator",
    "resolve_benchmark",
    "resolve_space",
    "run",
    "search",
    "to_data",
]
