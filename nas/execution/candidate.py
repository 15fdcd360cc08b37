"""The process of one candidate: evaluates it, tells its worker how it does, and is killed when it has told what came of it."""

import ctypes
import faulthandler
import os
import resource
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from nas.errors import Interrupted, NasError
from nas.execution.doing import QUESTIONS, do
from nas.execution.frames import Garbled, send_and_wait, wait_for_answer
from nas.execution.jobs import Evaluate, Job, Resumable
from nas.execution.lineage import die_with_parent
from nas.records import Epoch, Setting


def become_candidate(
    evaluate: Evaluate,
    job: Job,
    end: socket.socket,
    *,
    out: int,
    err: int,
    folder: Path,
    file_bytes: int,
    threads: int,
    worker: int,
) -> NoReturn:
    """The whole life of a process that was forked from `worker` for `job`: it tells by `end`, and prints to `out` and `err`."""
    status = 1
    try:
        os.setsid()
        die_with_parent()
        if os.getppid() != worker:
            os._exit(1)
        _settle_in(out, err, folder, file_bytes)
        end.setblocking(True)
        if threads > 1:
            keep_to_threads(threads)
        _Candidate(evaluate, job, end).run()
        status = 0
    finally:
        os._exit(status)


def _settle_in(out: int, err: int, folder: Path, file_bytes: int) -> None:
    """A place of its own: files, folder, limits, and signals as a program expects them."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, wanted in enumerate((nothing, out, err)):
        os.dup2(wanted, number)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]
    faulthandler.enable(2)
    os.chdir(folder)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    with suppress(OSError, ValueError):  # a stricter limit is there already
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with suppress(OSError):  # where memory ends for all, let it be this process that the kernel chooses
        Path("/proc/self/oom_score_adj").write_text("1000")
    for number in (signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT):  # Python ignores the first, and its own faults would hide
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def keep_to_threads(threads: int) -> None:
    """Have torch, where it is installed, compute on so many."""
    with suppress(ImportError):
        import torch

        torch.set_num_threads(threads)


class _Candidate:
    """A `Listener` that asks the worker."""

    def __init__(self, evaluate: Evaluate, job: Job, end: socket.socket) -> None:
        self.evaluate = evaluate
        self.job = job
        self.end = end
        self.interrupted = False

    def run(self) -> None:
        """Evaluate, and tell what came of it."""
        message = self.outcome()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).fflush(None)
        try:
            self.tell(message)
        except (Garbled, TypeError) as error:
            self.tell(_failed("raised", f"its Record cannot be sent: {error}"))

    def outcome(self) -> dict[str, Any]:
        if isinstance(self.evaluate, Resumable):  # another has nothing to write, and ends at once
            signal.signal(signal.SIGTERM, self._note)
        try:
            if isinstance(setting := getattr(self.evaluate, "setting", None), Setting):
                self.tell({"what": "setting", "setting": asdict(setting)})
            record = do(self.evaluate, self.job, self, lambda: self.interrupted, telling=QUESTIONS)
        except Interrupted:
            return {"what": "interrupted"}
        except NasError as error:
            return {"what": "refused", "kind": type(error).__name__, "message": str(error)}
        except SystemExit as error:
            return _failed("exited", f"sys.exit({error.code!r}) was called.")
        except MemoryError as error:
            return _failed("out_of_memory", f"on the host: {error}")
        except BaseException as error:  # a function of one's own may raise anything; the study must outlive it
            kind = "out_of_memory" if type(error).__name__ == "OutOfMemoryError" else "raised"
            return _failed(kind, f"{type(error).__name__}: {error}")
        return {"what": "record", "record": record.to_data()}

    def _note(self, *_: object) -> None:
        self.interrupted = True

    def tell(self, message: Mapping[str, Any]) -> None:
        try:
            send_and_wait(self.end, message)
        except OSError:  # the worker is gone
            os._exit(1)

    def ask(self, question: str, **told: Any) -> bool:
        waits = question in self.job.asks
        self.tell({"what": question, "waits": waits, **told})
        if not waits:
            return False
        try:
            return bool(wait_for_answer(self.end)["stop"])
        except (EOFError, OSError):
            os._exit(1)

    def on_begun(self, job: Job, where: str) -> None:
        """The worker tells that."""

    def on_known(self, job: Job, figures: Mapping[str, float]) -> bool:  # noqa: ARG002 - it has one
        """Figures that are known before training."""
        return self.ask("known", figures=dict(figures))

    def on_epoch(self, job: Job, epoch: Epoch) -> bool:  # noqa: ARG002 - it has one
        """A point of its learning curve."""
        return self.ask("epoch", epoch=asdict(epoch))

    def on_replicate(self, job: Job, number: int, figures: Mapping[str, float]) -> bool:  # noqa: ARG002 - it has one
        """What a replicate's training came to."""
        return self.ask("replicate", number=number, figures=dict(figures))


def _failed(kind: str, message: str) -> dict[str, Any]:
    return {"what": "failed", "kind": kind, "message": message}
