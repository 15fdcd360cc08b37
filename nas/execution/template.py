"""The process that makes what evaluates, once, and of which all workers are forks: they hold the data in common.

    driver ──spawn──► template ──fork──► worker ──fork──► candidate        one candidate at a time each

Nothing runs in it but `make`; so it has one thread, and forks of it are sound. With GPUs, CUDA is not touched before the fork of
a candidate, since no fork can use it afterwards.
"""

import ctypes
import gc
import os
import pickle
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from select import select
from typing import Any, cast

from nas.errors import NasError
from nas.execution.bounds import Bounds
from nas.execution.candidate import keep_to_threads
from nas.execution.frames import Channel
from nas.execution.jobs import Evaluate
from nas.execution.lineage import adopt_orphans, die_with_parent, end_descendants
from nas.execution.worker import Origin, Worker, in_short
from nas.records import Setting, commit, this_machine, versions

ORDER = struct.Struct("!II")
"""What the driver asks for, beside the worker's end of their channel: its number, and which of the GPUs it has."""

TERMINAL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)
"""Signals that a terminal, or who ends a job, sends to all processes of a command: it is the driver that acts on them."""

SECRETS = ("NAS_LEDGER", "NAS_LEDGER_PASSWORD", "PGPASSWORD", "PGPASSFILE", "PGSERVICEFILE")
"""Variables that candidates need not know, and should not print."""

LAST_SECONDS = 2.0
"""That workers have for ending by themselves."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How workers work."""

    bounds: Bounds
    gpus: Sequence[str]
    threads: int
    """Of each candidate."""
    folder: Path
    """In which workers have theirs."""


def begin_template(made: bytes, control: socket.socket, driver: int, terms: Terms) -> None:
    """The template's whole life; `made` is the pickled `make`, as multiprocessing hands arguments to its processes."""
    signal.pthread_sigmask(signal.SIG_BLOCK, TERMINAL)
    die_with_parent()
    if os.getppid() != driver:
        return
    for name in SECRETS:
        _forget(name)
    # What torch compiles it keeps beside temporary files, and a candidate's go with it.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(tempfile.gettempdir(), f"torchinductor_uid_{os.getuid()}"))
    if terms.gpus:
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # to ask for GPUs without CUDA
    else:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # a backward pass would begin a thread for each
    try:
        evaluate = _make(made, terms)
        template = _Template(evaluate, _origin(evaluate, terms), control, driver, terms)
    except NasError as error:
        _refuse(control, type(error).__name__, str(error))
        return
    except BaseException as error:
        _refuse(control, "SearchError", f"What evaluates could not be made: {type(error).__name__}: {error}")
        if not isinstance(error, Exception):
            raise
        return
    template.run()


def _forget(name: str) -> None:
    """Have this process without that variable, also as /proc shows what it began with."""
    if name not in os.environ:
        return
    with suppress(AttributeError, OSError, TypeError):
        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_void_p
        if place := getenv(name.encode()):
            ctypes.memset(place, 0, len(os.fsencode(os.environ[name])))
    del os.environ[name]


def _make(made: bytes, terms: Terms) -> Evaluate:
    make = cast("Callable[[], Evaluate]", pickle.loads(made))  # noqa: S301 - from the process that began this one
    if terms.threads > 1 or "torch" in sys.modules:
        keep_to_threads(1)  # a fork has none of the threads that were begun before it, and would wait for them
    evaluate = make()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        raise RuntimeError("it used CUDA, which no process forked later can use; leave that to the first candidate")
    return evaluate


def _origin(evaluate: Evaluate, terms: Terms) -> Origin:
    setting = None if terms.gpus else getattr(evaluate, "setting", None)
    if not isinstance(setting, Setting):
        setting = Setting(machine=this_machine(), device="cpu", threads=terms.threads)
    return Origin(setting=setting, versions=versions(), commit=commit())


def _refuse(control: socket.socket, kind: str, message: str) -> None:
    control.setblocking(True)
    channel = Channel(control)
    channel.send({"what": "refused", "kind": kind, "message": in_short(message)})


class _Template:
    """Forks workers as the driver asks for them, and clears up after those that were killed."""

    def __init__(self, evaluate: Evaluate, origin: Origin, control: socket.socket, driver: int, terms: Terms) -> None:
        self.evaluate = evaluate
        self.origin = origin
        self.control = control
        self.driver = driver
        self.terms = terms
        self.workers: dict[int, Path] = {}
        """Process → its folder."""
        self.begun = 0
        self.lifeline, self.held = os.pipe()
        self.woken, self.waking = os.pipe()

    def run(self) -> None:
        """Until the driver is gone."""
        gc.collect()
        gc.freeze()
        adopt_orphans()
        die_with_parent(0)  # from now on it sees for itself, and clears up
        os.set_blocking(self.waking, False)
        os.set_blocking(self.woken, False)
        signal.set_wakeup_fd(self.waking, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            while os.getppid() == self.driver:
                ready, _, _ = select([self.control.fileno(), self.woken], [], [], 1.0)
                if self.woken in ready:
                    with suppress(BlockingIOError):
                        os.read(self.woken, 4096)
                self._reap()
                if self.control.fileno() in ready and not self._obey():
                    break
        finally:
            self._end()

    def _obey(self) -> bool:
        """Fork the worker that is asked for; False once the driver asks for no more."""
        try:
            order, ends, *_ = socket.recv_fds(self.control, ORDER.size, 1)
        except OSError:
            return False
        if len(order) < ORDER.size or not ends:
            return False
        number, gpu = ORDER.unpack(order)
        end = socket.socket(fileno=ends[0])
        self.begun += 1
        folder = self.terms.folder / f"{number}-{os.getpid()}-{self.begun}"
        try:
            pid = os.fork()
        except OSError:  # the driver sees that the worker is gone, and asks for another
            end.close()
            time.sleep(0.2)
            return True
        if pid == 0:
            try:
                self._become_worker(end, folder, gpu)
            finally:
                os._exit(1)
        end.close()
        self.workers[pid] = folder
        return True

    def _become_worker(self, end: socket.socket, folder: Path, gpu: int) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.control.close()
        for number in (self.held, self.woken, self.waking):
            os.close(number)
        if self.terms.gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.terms.gpus[gpu]
        given: dict[str, Any] = {"evaluate": self.evaluate, "origin": self.origin}
        given |= {"bounds": self.terms.bounds, "threads": self.terms.threads}
        Worker(**given, driver=Channel(end), lifeline=self.lifeline, folder=folder).run()

    def _reap(self) -> None:
        """Clear up after workers that have ended."""
        for pid in list(self.workers):
            if os.waitpid(pid, os.WNOHANG)[0]:
                folder = self.workers.pop(pid)
                end_descendants(frozenset(self.workers))
                shutil.rmtree(folder, ignore_errors=True)

    def _end(self) -> None:
        os.close(self.held)
        last = time.monotonic() + LAST_SECONDS
        while self.workers and time.monotonic() < last:
            select([self.woken], [], [], 0.1)
            with suppress(BlockingIOError):
                os.read(self.woken, 4096)
            self._reap()
        end_descendants()
        shutil.rmtree(self.terms.folder, ignore_errors=True)
