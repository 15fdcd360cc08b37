"""An array of SLURM jobs that share one study: each runs the same command, with a driver and workers of its own.

    submit(words) → task … task, each a process of submitit's ──► nas WORDS

Nothing coordinates the tasks but the ledger, which all must reach. Where SLURM wants a machine back, or a task's time is up, its
command is stopped as by Ctrl-C, so that its candidates write checkpoints, and the task goes back into the queue. submitit keeps
what it submits in a pickle, which holds the command's words alone, in a folder that nobody else may enter.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nas.errors import ClusterError, printable, quote
from nas.execution.lineage import die_with_parent

if TYPE_CHECKING:
    from submitit.core.utils import DelayedSubmission

MINUTES = 60
"""Of one task, before it goes back into the queue, if nothing else is asked for."""
WARNING_SECONDS = 90
"""Before a task's time is up, it is told."""
STOP_SECONDS = 20.0
"""That a command has for a stop in good order, and LAST_SECONDS after a second request, before it is killed."""
LAST_SECONDS = 5.0
LOOK_SECONDS = 0.1
OFTEN = 10_000
"""Times that a task may go back into the queue."""

NAME = re.compile(r"[a-z][a-z0-9_-]*")
VALUE = re.compile(r"[A-Za-z0-9_.,:;=@%+/*\[\] -]*")
LISTS = frozenset({"setup", "teardown", "srun_args", "additional_parameters", "job_name", "array_parallelism", "signal_delay_s"})
"""Parameters of submitit's that are no plain values, or ours."""


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """What was put into the queue."""

    jobs: tuple[str, ...]
    """As SLURM numbers them."""
    folder: Path
    """Where each has its logs, JOB_0_log.out and JOB_0_log.err."""


class Task:
    """What a task does: it runs `nas` with these words to its end, or stops it and goes back into the queue."""

    def __init__(self, words: Sequence[str]) -> None:
        """`words` are all that is kept."""
        self.words = list(words)
        self.process: subprocess.Popen[bytes] | None = None

    def __reduce__(self) -> tuple[type["Task"], tuple[list[str]]]:
        return Task, (self.words,)

    def __call__(self) -> None:
        """Run the command.

        Raises:
            ClusterError: it ended with another status than 0.
        """
        command = [sys.executable, "-m", "nas", *self.words]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_settle)  # noqa: S603 - ours
        try:
            while not _ended(self.process):
                time.sleep(LOOK_SECONDS)
        finally:
            self.stop()
        if status := self.process.wait():
            raise ClusterError(f"The command ended with status {status}; its last lines say why.")

    def checkpoint(self) -> "DelayedSubmission":
        """Stop the command, and say what is to be done instead; submitit calls this from a signal's handler."""
        from submitit.core.utils import DelayedSubmission

        self.stop()
        return DelayedSubmission(self)

    def stop(self) -> None:
        """Have the command stop in good order; else kill it."""
        if self.process is None:
            return
        for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGTERM, LAST_SECONDS), (signal.SIGKILL, LAST_SECONDS)):
            if _ended(self.process):
                return
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)
            until = time.monotonic() + seconds
            while time.monotonic() < until and not _ended(self.process):
                time.sleep(LOOK_SECONDS)


def _settle() -> None:
    """Before the command: SLURM tells all processes of a task when its time is up, and only the task shall heed it."""
    die_with_parent(signal.SIGTERM)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def _ended(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it is over; takes no lock, so that a signal's handler may ask."""
    if process.returncode is not None:
        return True
    with suppress(ChildProcessError):
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return True


def submit(
    words: Sequence[str],
    *,
    ledger: str,
    folder: Path,
    tasks: int = 1,
    minutes: int = MINUTES,
    cpus: int = 1,
    gpus: int = 0,
    options: Mapping[str, str] | None = None,
    executor: Literal["slurm", "local"] = "slurm",
    name: str = "nas",
) -> Submitted:
    """Put `tasks` into the queue that each run `nas` with `words`, such as `["search", "residual_cnn", "--on", "digits"]`.

    `minutes`, `cpus` and `gpus` are those of one task; `options` go to `sbatch`, such as partition, account, qos, mem or
    constraint. `folder` must be one that all nodes reach. With `executor` local the tasks run on this machine at once, without
    SLURM.

    Raises:
        ClusterError: submitit or SLURM is not here, the ledger is a file, or an option is none of theirs.
    """
    submitit = _submitit(executor)
    if executor == "slurm" and "postgres" not in ledger.partition(":")[0]:
        raise ClusterError(
            "Tasks of an array share a ledger that every node reaches, and SQLite is for one machine; give --ledger "
            "postgresql://USER@HOST/DATABASE."
        )
    for what, number, least in (("tasks", tasks, 1), ("minutes", minutes, 3), ("cpus", cpus, 1), ("gpus", gpus, 0)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise ClusterError(f"An array has at least {least} {what}, got {quote(number)}.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    try:
        queue = submitit.AutoExecutor(folder=folder, cluster=executor, **{f"{executor}_max_num_timeout": OFTEN})
        queue.update_parameters(
            name=re.sub(r"[^A-Za-z0-9._-]", "-", name),
            timeout_min=minutes,
            nodes=1,
            tasks_per_node=1,
            cpus_per_task=cpus,
            gpus_per_node=gpus,
            slurm_array_parallelism=tasks,
            slurm_signal_delay_s=WARNING_SECONDS,
            **_parameters(submitit, options or {}),
        )
        jobs = queue.submit_array([Task(words) for _ in range(tasks)])
    except ClusterError:
        raise
    except (RuntimeError, ValueError, NameError, OSError, submitit.core.utils.FailedJobError) as error:
        raise ClusterError(f"The array was not submitted: {printable(error)[:300].rstrip('.')}.") from None
    return Submitted(jobs=tuple(job.job_id for job in jobs), folder=folder)


def _submitit(executor: str) -> Any:
    try:
        import submitit
    except ImportError:
        raise ClusterError("submitit is not installed; `pip install nas-harness[slurm]` brings it.") from None
    if executor == "slurm" and (shutil.which("sbatch") is None or shutil.which("srun") is None):
        raise ClusterError("SLURM is not on this machine, which has no sbatch and srun; submit from a login node of the cluster.")
    return submitit


def _parameters(submitit: Any, options: Mapping[str, str]) -> dict[str, Any]:
    """`options` as submitit takes them: those it knows by its names, and others as they are for sbatch."""
    known = submitit.SlurmExecutor._valid_parameters() - LISTS
    given: dict[str, Any] = {}
    more: dict[str, str] = {}
    for option, value in options.items():
        if not NAME.fullmatch(option) or not VALUE.fullmatch(value) or option.replace("-", "_") in LISTS:
            raise ClusterError(f"An option for sbatch is NAME=VALUE, such as partition=gpu, got {quote(f'{option}={value}')}.")
        name = option.replace("-", "_")
        if name in known:
            given[f"slurm_{name}"] = int(value) if value.isdigit() else value
        else:
            more[name] = value
    return {**given, **({"slurm_additional_parameters": more} if more else {})}
