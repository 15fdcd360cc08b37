"""Where candidates run: in this process, in processes of their own, on a cluster."""

from nas.execution.jobs import Ended, Evaluate, Executor, Interrupted, Job, Listener, Question, Resumable

__all__ = ["Ended", "Evaluate", "Executor", "Interrupted", "Job", "Listener", "Question", "Resumable"]
