"""Candidates in processes of their own on this machine: the driver's side.

What evaluates is made once, in a process that begins anew (see `template`); a candidate costs a fork. Whatever a candidate does,
the others and the driver go on; and none of these processes outlives the driver.
"""

import atexit
import os
import pickle
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import current_process, get_context, resource_tracker
from multiprocessing.context import SpawnProcess
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from types import TracebackType
from typing import Any, Self

from nas import errors
from nas.errors import NasError, SearchError, quote
from nas.execution.bounds import Bounds
from nas.execution.frames import Channel, Garbled
from nas.execution.jobs import Ended, Evaluate, Job, Listener
from nas.execution.letters import job_to_data
from nas.execution.lineage import born, end_group
from nas.execution.logs import entry
from nas.execution.template import ORDER, TERMINAL, Terms, begin_template
from nas.execution.waking import Alarm
from nas.records import Epoch, Record

UNGUARDED = 77
"""The exit status of a process that found itself importing a script which begins processes as it is imported."""

GUARD = "A script with workers searches under `if __name__ == '__main__':`, since each process that it begins imports the script."

FRUITLESS = 20
"""Workers that die without a job, and without any candidate's end between them, before it is given up."""

CLOSING_SECONDS = 4.0
"""That processes have for their end before they are killed."""


def check_not_imported() -> None:
    """End this process, if it is one that was begun for candidates and imports the script that did so; a search calls this first.

    Raises:
        SystemExit: it is; the process that began it says what to do.
    """
    if getattr(current_process(), "_inheriting", False):
        raise SystemExit(UNGUARDED)


class Processes:
    """An `Executor` that runs each candidate in a process of its own, and ends it with all that it started."""

    def __init__(
        self,
        make: Callable[[], Evaluate],
        listener: Listener,
        *,
        workers: int,
        bounds: Bounds,
        gpus: Sequence[str] = (),
        per_gpu: int = 1,
        threads: int = 1,
    ) -> None:
        """Begin to make what evaluates, elsewhere, and return at once; what `make` raises, `wait` raises.

        `make` must be picklable: a function of a module, or a `functools.partial` of one. Each of `gpus`, named as
        CUDA_VISIBLE_DEVICES does, serves `per_gpu` workers, as the only one they see; without `gpus` they see none. `make` must
        not use CUDA, since nothing that was forked afterwards could; an evaluation does. Programs see `threads` as the number
        of threads to use.

        Raises:
            SearchError: `make` cannot be sent to another process, there are more workers than GPUs serve, or the system cannot
                fork.
        """
        check_not_imported()
        if not hasattr(os, "fork"):
            raise SearchError("Workers need a system that forks processes, such as Linux; search with one worker.")
        if workers < 1 or per_gpu < 1 or threads < 1:
            raise SearchError(f"Workers, workers per GPU and threads are at least 1, got {workers}, {per_gpu} and {threads}.")
        if gpus and workers > len(gpus) * per_gpu:
            raise SearchError(
                f"GPUs, {len(gpus)} of them, serve {per_gpu} worker{'s' * (per_gpu != 1)} each, and {workers} were asked for; "
                "ask for fewer workers, or for more per GPU."
            )
        self.slots = workers
        self.listener = listener
        self._made = _pickled(make)
        self._threads = threads
        try:
            folder = Path(tempfile.gettempdir()) / f"nas-{os.getpid()}-{secrets.token_hex(8)}"
        except OSError as error:
            raise SearchError(f"There is no folder for candidates ({error.strerror}); TMPDIR names one that is.") from None
        self._interrupted = Alarm()
        self._selector = DefaultSelector()
        self._selector.register(self._interrupted, EVENT_READ)
        self._ended: list[Ended] = []
        self._fruitless = 0
        self._ready = False
        """Whether any worker was ever up."""
        self._template: _Template | None = None
        self._closed = False
        self._terms = Terms(bounds=bounds, gpus=tuple(gpus), threads=threads, folder=folder)
        self._workers = [_Seat(number, (number - 1) % len(gpus) if gpus else 0) for number in range(1, workers + 1)]
        atexit.register(self.close)
        try:
            for seat in self._workers:
                self._fill(seat)
        except BaseException:
            self.close()
            raise

    @property
    def free(self) -> int:
        """How many jobs could start now."""
        return sum(seat.job is None for seat in self._workers)

    def ready(self) -> None:
        """Wait until what evaluates is made, or until `interrupt`.

        Raises:
            NasError: it cannot be made.
        """
        while not (self._ready or self._interrupted.rung):
            self._attend(60.0)
            for seat in self._workers:
                self._heed_all(seat)

    def start(self, job: Job) -> None:
        """Begin `job` with a worker that has none, on the GPU that has least to do; returns at once."""
        busy = [seat.gpu for seat in self._workers if seat.job is not None]
        seat = min((seat for seat in self._workers if seat.job is None), key=lambda seat: busy.count(seat.gpu))
        seat.job = job
        seat.begun = seat.heard = time.monotonic()
        seat.told_to_stop = False
        seat.channel.send({"what": "job", "job": job_to_data(job)})

    def wait(self, seconds: float) -> Sequence[Ended]:
        """Serve the listener until a job has ended, or so many seconds are over; returns those that ended.

        Raises:
            NasError: what evaluates cannot be made, or refuses a job.
        """
        end = time.monotonic() + seconds
        while True:
            self._pass_on_interrupt()
            for seat in self._workers:
                self._heed_all(seat)
            if self._ended:
                ended, self._ended = self._ended, []
                return ended
            left = end - time.monotonic()
            if not self._attend(max(0.0, left)) and left <= 0:
                return []

    def silent(self, job: Job) -> float:
        """Seconds since its worker was last heard of; 0 until it was."""
        seat = self._seat_of(job)
        if seat is None or not seat.up:
            return 0.0
        with suppress(EOFError):
            if seat.channel.fill():
                seat.heard = time.monotonic()
        return time.monotonic() - seat.heard

    def cancel(self, job: Job) -> None:
        """End `job` at once, and its worker with it, which may be stopped; another takes its place."""
        if (seat := self._seat_of(job)) is not None:
            self._empty(seat)
            self._fill(seat)

    def interrupt(self) -> None:
        """Ask all candidates to write a checkpoint and end; those that cannot end at once. A signal's handler may call this."""
        self._interrupted.ring()

    def close(self) -> None:
        """End all processes, and leave nothing behind; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        for seat in self._workers:
            seat.close()
        if self._template is not None:
            self._template.close(at_once=not self._ready)
        for seat in self._workers:
            seat.kill()
        shutil.rmtree(self._terms.folder, ignore_errors=True)
        self._selector.close()
        self._interrupted.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # Messages.

    def _attend(self, seconds: float) -> bool:
        """Take in what arrives within so many seconds; whether anything did."""
        pending = [seat for seat in self._workers if seat.channel.pending]
        ready = self._selector.select(min(seconds, 0.05) if pending else seconds)
        for seat in pending:
            seat.channel.flush()
        for key, _ in ready:
            if key.fileobj is self._interrupted:
                self._selector.unregister(self._interrupted)  # it rings for ever
            elif isinstance(key.data, _Seat):
                self._hear(key.data)
            elif self._template is not None:
                self._hear_template(self._template)
        return bool(ready)

    def _hear(self, seat: "_Seat") -> None:
        try:
            seat.channel.fill()
            seat.heard = time.monotonic()
        except EOFError:
            self._heed_all(seat)
            self._lose(seat)

    def _heed_all(self, seat: "_Seat") -> None:
        """Do what the messages ask for that have arrived from a worker."""
        channel = seat.channel
        try:
            while seat.channel is channel and (message := channel.receive()) is not None:
                self._heed(seat, message)
        except Garbled:
            self._lose(seat)

    def _heed(self, seat: "_Seat", message: dict[str, Any]) -> None:
        job = seat.job
        match message["what"]:
            case "up":
                seat.worker = message["pid"], message["born"]
                seat.up = self._ready = True
            case "begun" if job is not None:
                seat.candidate = message["pid"], message["born"]
                self.listener.on_begun(job, self._where(seat))
            case "known" if job is not None:
                self._answer(seat, message, self.listener.on_known(job, message["figures"]))
            case "epoch" if job is not None:
                self._answer(seat, message, self.listener.on_epoch(job, Epoch(**message["epoch"])))
            case "replicate" if job is not None:
                self._answer(seat, message, self.listener.on_replicate(job, message["number"], message["figures"]))
            case "ended" if job is not None:
                seat.job, seat.candidate = None, None
                self._fruitless = 0
                if refused := message.get("refused"):
                    raise _raised(refused)
                data = message.get("record")
                self._ended.append(
                    Ended(
                        job=job,
                        record=Record.from_data(data) if data else None,
                        lost=message.get("lost", False),
                        reason=message.get("reason", ""),
                        log=message.get("log", ""),
                    )
                )

    @staticmethod
    def _answer(seat: "_Seat", message: dict[str, Any], stop: bool) -> None:
        if message["waits"]:
            seat.channel.send({"what": "answer", "stop": bool(stop)})

    def _where(self, seat: "_Seat") -> str:
        return f"worker {seat.number}" + (f", GPU {self._terms.gpus[seat.gpu]}" if self._terms.gpus else "")

    def _pass_on_interrupt(self) -> None:
        for seat in self._workers if self._interrupted.rung else ():
            if seat.job is not None and not seat.told_to_stop:
                seat.told_to_stop = True
                seat.channel.send({"what": "interrupt"})

    # Workers that come and go.

    def _seat_of(self, job: Job) -> "_Seat | None":
        return next((seat for seat in self._workers if seat.job is not None and seat.job.id == job.id), None)

    def _fill(self, seat: "_Seat") -> None:
        """Have the template fork a worker."""
        ours, theirs = socket.socketpair()
        with theirs:
            seat.channel = Channel(ours)
            self._selector.register(seat.channel, EVENT_READ, seat)
            for _ in range(2):
                if self._template is None:
                    self._template = _Template(self._made, self._terms, self._threads)
                    self._selector.register(self._template.channel, EVENT_READ)
                try:
                    self._template.ask_for(seat, theirs)
                except OSError:
                    self._hear_template(self._template)
                else:
                    return

    def _empty(self, seat: "_Seat") -> None:
        """End a worker and its candidate, whatever they are at."""
        self._selector.unregister(seat.channel)
        seat.channel.close()
        seat.kill()
        seat.job = None
        seat.up = False

    def _lose(self, seat: "_Seat") -> None:
        """A worker is gone, or has lost its mind."""
        if self._template is not None and not self._ready:
            self._hear_template(self._template)  # it may say why
        job, begun = seat.job, seat.begun
        self._empty(seat)
        self._fruitless += job is None
        if self._fruitless > FRUITLESS + self.slots:
            raise SearchError(
                f"{self._fruitless} workers died one after another that had nothing to do; memory may be short: ask for fewer "
                "workers."
            )
        if job is not None:
            reason = f"{self._where(seat)} was killed, or has crashed"
            log = entry(round(time.monotonic() - begun, 3), "event", f"{reason[0].upper()}{reason[1:]}.")
            self._ended.append(Ended(job=job, record=None, lost=True, reason=reason, log=log))
        self._fill(seat)

    def _hear_template(self, template: "_Template") -> None:
        """It has ended, or says why it will.

        Raises:
            NasError: nothing can be evaluated.
        """
        try:
            template.channel.fill()
            gone = False
        except EOFError:
            gone = True
        message = template.channel.receive()
        if message is not None:
            raise _raised(message)
        if gone:
            self._selector.unregister(template.channel)
            self._template = None
            status = template.close()
            if not self._ready:
                raise SearchError(_why_none(status))


def _raised(message: dict[str, Any]) -> NasError:
    kind = getattr(errors, message["kind"], None)
    if isinstance(kind, type) and issubclass(kind, NasError):
        return kind(message["message"])
    return NasError(message["message"])


def _why_none(status: int | None) -> str:
    if status == UNGUARDED:
        return GUARD
    if status is not None and status < 0:
        return f"The process that makes ready for candidates was ended by signal {-status}; memory may be short."
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if script is not None and not Path(script).exists():  # as where Python reads it from standard input
        return f"Processes for candidates import the script that begins them, and {quote(script)} is no file; write it to one."
    return f"No process for candidates could begin. {GUARD}"


def _pickled(make: Callable[[], Evaluate]) -> bytes:
    try:
        return bytes(ForkingPickler.dumps(make))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise SearchError(
            f"What evaluates candidates cannot be sent to processes of their own ({error}); give a function of a module, no "
            "lambda and none within another, or search with one worker."
        ) from None


class _Seat:
    """A place for a worker, and the job it is at."""

    def __init__(self, number: int, gpu: int) -> None:
        self.number = number
        self.gpu = gpu
        self.job: Job | None = None
        self.up = False
        """Whether the worker has said a word."""
        self.begun = self.heard = 0.0
        self.told_to_stop = False
        self.worker: tuple[int, str] | None = None
        self.candidate: tuple[int, str] | None = None
        """Processes, and when they were born."""
        self._channel: Channel | None = None

    @property
    def channel(self) -> Channel:
        """By which it speaks; it has one as soon as the template is asked for a worker."""
        assert self._channel is not None  # noqa: S101
        return self._channel

    @channel.setter
    def channel(self, channel: Channel) -> None:
        self._channel = channel

    def close(self) -> None:
        """Let the worker know that it is needed no more."""
        if self._channel is not None:
            self._channel.close()

    def kill(self) -> None:
        """Kill worker and candidate, if they are there."""
        if self.worker is not None and born(self.worker[0]) == self.worker[1]:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.worker[0], signal.SIGKILL)
        if self.candidate is not None:
            end_group(*self.candidate)
        self.worker = self.candidate = None


class _Template:
    """The process of which workers are forks, as the driver sees it."""

    def __init__(self, made: bytes, terms: Terms, threads: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs, _environment(_variables(threads)), _undisturbed():
            context = get_context("spawn")  # a fork would take over threads and locks of the driver
            self.process: SpawnProcess = context.Process(
                target=begin_template, args=(made, theirs, os.getpid(), terms), name="nas-template"
            )
            self.process.start()
        self.channel = Channel(ours)

    def ask_for(self, seat: _Seat, end: socket.socket) -> None:
        """Have it fork a worker that speaks by `end`.

        Raises:
            OSError: it is gone.
        """
        socket.send_fds(self.channel.socket, [ORDER.pack(seat.number, seat.gpu)], [end.fileno()])

    def close(self, *, at_once: bool = False) -> int | None:
        """End it and all its workers, `at_once` where it has none; returns its exit status."""
        self.channel.close()
        if at_once:
            self.process.kill()
        self.process.join(CLOSING_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        status = self.process.exitcode
        self.process.close()
        return status


def _variables(threads: int) -> dict[str, str]:
    """Variables that libraries read as they are loaded."""
    return {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")}


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Within it, processes begin with these variables."""
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Within it, processes begin deaf to Ctrl-C, which a terminal sends to all of them; this one hears of it afterwards."""
    _begin_tracker()  # else it begins here, and lets the signals through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, TERMINAL)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_tracker() -> None:
    """Have the process run that clears up what candidates leave, who are killed once they have told what came of them.

    It would say so of each; but what is left is for it to clear up, and for nobody to hear of.
    """
    quiet = "ignore:resource_tracker:UserWarning"
    with _environment({"PYTHONWARNINGS": ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), quiet]))}):
        resource_tracker.ensure_running()
