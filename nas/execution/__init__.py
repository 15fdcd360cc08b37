"""Where candidates run: in this process, in processes of their own, on a cluster."""

from nas.errors import Interrupted
from nas.execution.bounds import Bounds
from nas.execution.doing import do
from nas.execution.here import Here
from nas.execution.jobs import Ended, Evaluate, Executor, Job, Listener, Question, Resumable
from nas.execution.processes import Processes, check_not_imported

__all__ = [
    "Bounds",
    "Ended",
    "Evaluate",
    "Executor",
    "Here",
    "Interrupted",
    "Job",
    "Listener",
    "Processes",
    "Question",
    "Resumable",
    "check_not_imported",
    "do",
]
