"""A search from end to end: what is asked, the loop, the finals, and the study that comes out."""

from nas.execution import Evaluate
from nas.records import default_ledger
from nas.searching.asking import Answered, Asked
from nas.searching.auditing import audit
from nas.searching.config import SearchConfig, check_input, check_limits, resolve_benchmark
from nas.searching.deriving import derive, methods
from nas.searching.evaluating import make_evaluator
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
from nas.searching.explaining import explain
from nas.searching.handing_over import export
from nas.searching.loop import run, search
from nas.searching.picking import pick_architecture
from nas.searching.reproducing import Reproduced, reproduce
from nas.searching.retraining import finals
from nas.searching.robustness import ask
from nas.searching.single import Trained, train_one
from nas.searching.study import Study
from nas.searching.tensorboard import to_tensorboard
from nas.searching.together import following
from nas.searching.weights import weights_of
from nas.space import resolve_space

__all__ = [
    "Answered",
    "Asked",
    "EpochEnded",
    "Evaluate",
    "Event",
    "OnEvent",
    "Progress",
    "Reproduced",
    "RunBegun",
    "RunEnded",
    "SearchConfig",
    "Study",
    "Trained",
    "TrialBegun",
    "TrialEnded",
    "ask",
    "audit",
    "check_input",
    "check_limits",
    "default_ledger",
    "derive",
    "explain",
    "export",
    "finals",
    "following",
    "make_evaluator",
    "methods",
    "pick_architecture",
    "reproduce",
    "resolve_benchmark",
    "resolve_space",
    "run",
    "search",
    "to_data",
    "to_tensorboard",
    "train_one",
    "weights_of",
]
