"""Where candidates run: in this process, in processes of their own, on a cluster."""

from nas.errors import Interrupted
from nas.execution.doing import do
from nas.execution.here import Here
from nas.execution.jobs import Ended, Evaluate, Executor, Job, Listener, Question, Resumable

__all__ = ["Ended", "Evaluate", "Executor", "Here", "Interrupted", "Job", "Listener", "Question", "Resumable", "do"]
