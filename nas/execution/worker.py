"""A worker: the supervisor of one candidate at a time, each in a process that is forked for it. It runs no code of theirs.

It passes on what a candidate tells and is answered, keeps its log, holds it to its bounds, and ends it with all that it started,
whatever came of it. What befalls a candidate becomes its Record here.
"""

import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any, NoReturn

from nas.execution.bounds import Bounds
from nas.execution.candidate import become_candidate
from nas.execution.frames import Channel, Garbled
from nas.execution.jobs import Evaluate, Job
from nas.execution.letters import job_from_data
from nas.execution.lineage import (
    adopt_orphans,
    born,
    descendants,
    end_descendants,
    end_group,
    own_bytes,
    resident_bytes,
)
from nas.execution.logs import Log
from nas.records import Epoch, Failure, Machine, Record, Replicate, Setting

BEAT_SECONDS = 1.0
"""Between two signs of life."""

LOOK_SECONDS = 0.05
"""Between two looks at the memory of a candidate."""

MEASURE_SECONDS = 0.25
"""Between two looks at the size of its files, at least."""

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What Records say of where they come from."""

    setting: Setting
    versions: Mapping[str, str]
    commit: str | None


class Worker:
    """The process's whole life: `run` ends it."""

    def __init__(
        self,
        *,
        evaluate: Evaluate,
        origin: Origin,
        bounds: Bounds,
        threads: int,
        driver: Channel,
        lifeline: int,
        folder: Path,
    ) -> None:
        """Serve `driver` until it, or who holds the other end of `lifeline`, is gone; `folder` is the worker's own."""
        self.evaluate = evaluate
        self.origin = origin
        self.bounds = bounds
        self.threads = threads
        self.driver = driver
        self.lifeline = lifeline
        self.folder = folder
        self.attempt: _Attempt | None = None
        self.selector = DefaultSelector()
        self.beat_at = 0.0

    def run(self) -> NoReturn:
        """Do what the driver asks, until it is gone."""
        status = 1
        try:
            adopt_orphans()
            self.folder.mkdir(mode=0o700, parents=True)  # the last to go took their common folder along
            self.selector.register(self.driver, EVENT_READ, self._hear_driver)
            self.selector.register(self.lifeline, EVENT_READ, self._leave)
            self.driver.send({"what": "up", "pid": os.getpid(), "born": born(os.getpid())})
            with suppress(_Left):
                while True:
                    self._turn()
            status = 0
        finally:
            if self.attempt is not None:
                self.attempt.end()
            end_descendants()
            shutil.rmtree(self.folder, ignore_errors=True)
            with suppress(OSError):  # others are at work in it
                self.folder.parent.rmdir()
            os._exit(status)

    def _turn(self) -> None:
        now = time.monotonic()
        if now >= self.beat_at:
            if not self.driver.pending:
                self.driver.send({"what": "alive"})
            self.beat_at = now + BEAT_SECONDS
        due = self.attempt.look_at if self.attempt is not None else self.beat_at
        due = now + LOOK_SECONDS if self.driver.pending else due
        for key, _ in self.selector.select(max(0.0, min(due, self.beat_at) - now)):
            key.data()
        self.driver.flush()
        if self.attempt is not None and self.attempt.over():
            self._finish(self.attempt)

    def _leave(self) -> NoReturn:
        raise _Left

    def _hear_driver(self) -> None:
        try:
            self.driver.fill()
        except EOFError:
            self._leave()
        while (message := self.driver.receive()) is not None:
            match message["what"]:
                case "job":
                    self._begin(job_from_data(message["job"]))
                case "answer" if self.attempt is not None:
                    self.attempt.channel.send({"stop": message["stop"]})
                case "interrupt" if self.attempt is not None:
                    self.attempt.interrupt()

    def _begin(self, job: Job) -> None:
        folder = self.folder / str(job.id)
        try:
            folder.mkdir(mode=0o700)
            attempt = _Attempt(job, folder, self)
        except OSError as error:
            self.driver.send({"what": "ended", "lost": True, "reason": f"no process could be begun ({error.strerror})"})
            return
        self.attempt = attempt
        self.driver.send({"what": "begun", "pid": attempt.pid, "born": born(attempt.pid)})

    def _finish(self, attempt: "_Attempt") -> None:
        self.attempt = None
        self.driver.send(attempt.end())
        shutil.rmtree(attempt.folder, ignore_errors=True)


class _Left(Exception):
    """The driver, or who started this worker, is gone."""


class _Attempt:
    """One candidate's process and what is known of it."""

    def __init__(self, job: Job, folder: Path, worker: Worker) -> None:
        self.job = job
        self.folder = folder
        self.worker = worker
        self.bounds = worker.bounds
        self.log = Log(self.bounds.log_bytes)
        self.begun = time.monotonic()
        self.look_at = self.begun + LOOK_SECONDS
        self.measure_at = self.begun + MEASURE_SECONDS
        self.weigh_at = 0.0
        self.setting = worker.origin.setting
        self.figures: dict[str, float] = {}
        self.curve: list[Epoch] = []
        self.replicates: list[Replicate] = []
        self.last: dict[str, Any] | None = None
        """The message that says what came of it."""
        self.broken: tuple[str, str] | None = None
        """The kind of failure that it was ended for, and the reason in words."""
        self.interrupted = False
        self.status: int | None = None
        """Of the process that has ended, as `os.waitpid` tells it."""
        self.files: list[int] = []
        self.pid = self._fork()

    def _fork(self) -> int:
        ours, theirs = socket.socketpair()
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        worker, parent = self.worker, os.getpid()
        try:
            pid = os.fork()
        except OSError:
            for one in (out, err, out_end, err_end):
                os.close(one)
            ours.close()
            theirs.close()
            raise
        if pid == 0:
            try:
                worker.selector.close()
                for number in (worker.driver.fileno(), ours.fileno(), worker.lifeline, out, err):
                    os.close(number)
                become_candidate(
                    worker.evaluate,
                    self.job,
                    theirs,
                    out=out_end,
                    err=err_end,
                    folder=self.folder,
                    file_bytes=int(self.bounds.file_bytes),
                    threads=worker.threads,
                    worker=parent,
                )
            finally:
                os._exit(1)
        theirs.close()
        os.close(out_end)
        os.close(err_end)
        self.channel = Channel(ours)
        self.listened: dict[int, Callable[[], None]] = {ours.fileno(): self._hear}
        for stream, number in (("stdout", out), ("stderr", err)):
            os.set_blocking(number, False)
            self.files.append(number)
            self.listened[number] = _Output(self, stream, number).read
        if hasattr(os, "pidfd_open"):
            with suppress(OSError):
                number = os.pidfd_open(pid)
                self.files.append(number)
                self.listened[number] = self._wait
        for number, listen in self.listened.items():
            worker.selector.register(number, EVENT_READ, listen)
        self.log.event(f"Begun as process {pid}.")
        return pid

    def forget(self, number: int) -> None:
        """Listen no more to what came by a file."""
        if self.listened.pop(number, None) is not None:
            self.worker.selector.unregister(number)

    def _hear(self) -> None:
        """What the candidate tells."""
        try:
            self.channel.fill()
        except EOFError:
            self.forget(self.channel.fileno())
            return
        try:
            while self.last is None and (message := self.channel.receive()) is not None:
                self._heed(message)
        except (Garbled, KeyError, TypeError, ValueError) as error:
            self._break("crashed", f"what it told could not be understood: {error}")

    def _heed(self, message: dict[str, Any]) -> None:
        what = message["what"]
        match what:
            case "setting":
                given = message["setting"]
                self.setting = Setting(**{**given, "machine": Machine(**given["machine"])})
            case "known":
                self.figures |= message["figures"]
            case "epoch":
                self.curve.append(Epoch(**message["epoch"]))
            case "replicate":
                one = Replicate(seed=self.job.seed + message["number"], figures=message["figures"], curve=())
                self.replicates.append(one)
            case "record" | "failed" | "refused" | "interrupted":
                self.last = message
            case _:
                raise ValueError(f"a message {what!r}")
        if what == "epoch" or message.get("waits"):
            self.worker.driver.send(message)

    def interrupt(self) -> None:
        """Ask it to stop."""
        self.interrupted = True
        self.log.event("Asked to stop.")
        if self.status is None:
            os.kill(self.pid, signal.SIGTERM)

    def over(self) -> bool:
        """Whether there is nothing to wait for any more; looks at the bounds if it is time."""
        now = time.monotonic()
        if now >= self.look_at and self.status is None:
            self.look_at = now + LOOK_SECONDS
            self._wait()
            self._look(now)
        return self.status is not None or self.last is not None or self.broken is not None

    def _wait(self) -> None:
        if self.status is None and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            self.status = os.waitpid(self.pid, 0)[1]

    def _break(self, kind: str, reason: str) -> None:
        if self.broken is None:
            self.broken = kind, reason
            self.log.event(f"Ended: {reason}")

    def _look(self, now: float) -> None:
        bounds = self.bounds
        if bounds.seconds is not None and now - self.begun >= bounds.seconds:
            self._break("timed_out", f"it was at work for more than its {bounds.seconds:g} s.")
        elif bounds.memory_bytes is not None and now >= self.weigh_at:
            held = self._weigh(bounds.memory_bytes)
            if held > bounds.memory_bytes:
                self._break(
                    "out_of_memory", f"it held {_mib(held)} of the host's memory, more than its {_mib(bounds.memory_bytes)}."
                )
        if now >= self.measure_at and self.broken is None:
            held = folder_bytes(self.folder)
            took = time.monotonic() - now
            self.measure_at = now + max(MEASURE_SECONDS, 20 * took)
            if held > bounds.file_bytes:
                self._break("out_of_disk", f"it wrote {_mib(held)}, more than its {_mib(bounds.file_bytes)}.")

    def _weigh(self, most: int) -> int:
        """The memory of all its processes: what is shared is looked at only where it matters, since that takes long."""
        everyone = descendants(os.getpid())
        whole = sum(map(resident_bytes, everyone))
        if whole <= most:
            return whole
        begin = time.monotonic()
        own = sum(map(own_bytes, everyone))
        self.weigh_at = begin + 5 * (time.monotonic() - begin)
        return own

    def end(self) -> dict[str, Any]:
        """End it and all that it started; returns what the driver is told."""
        left = len([pid for pid in descendants(os.getpid()) if pid != self.pid])
        for _ in range(2):  # what it told and printed last: as far as it came, then, of the dead, all that is left
            for listen in list(self.listened.values()):
                listen()
            end_group(self.pid)
            if self.status is None:
                with suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
                self.status = os.waitpid(self.pid, 0)[1]
        seconds = time.monotonic() - self.begun
        end_descendants()
        if left:
            self.log.event(f"{left} process{'es' * (left != 1)} that it left {'were' if left != 1 else 'was'} ended.")
        told = self._told(seconds)
        for number in list(self.listened):
            self.forget(number)
        for number in self.files:
            os.close(number)
        self.channel.close()
        return {"what": "ended", **told, "log": self.log.text()}

    def _told(self, seconds: float) -> dict[str, Any]:
        assert self.status is not None  # noqa: S101 - it has ended
        last = self.last or {"what": ""}
        if last["what"] == "record":
            return {"record": last["record"]}
        if last["what"] == "refused":
            return {"refused": {"kind": last["kind"], "message": last["message"]}}
        if last["what"] == "interrupted" and self.broken is None:
            self.log.event("Stopped, as it was asked to.")
            return {"reason": "interrupted"}
        if last["what"] == "failed":
            return self._failed(last["kind"], last["message"], seconds)
        if self.broken is not None:
            return self._failed(*self.broken, seconds)
        if not os.WIFSIGNALED(self.status):
            status = os.waitstatus_to_exitcode(self.status)
            self.log.event(f"Ended by itself with status {status}.")
            if self.interrupted:
                return {"reason": "interrupted"}
            return self._failed("exited", f"its process ended itself with status {status} before there was a result.", seconds)
        number = os.WTERMSIG(self.status)
        name = f"{_name(number)} ({signal.strsignal(number)})"
        self.log.event(f"Ended by {name}.")
        if self.interrupted:
            return {"reason": "interrupted"}
        if number in OUTSIDE:
            return {"lost": True, "reason": f"its process was ended from outside by {name}"}
        if number == signal.SIGXFSZ:
            return self._failed("out_of_disk", f"it wrote a file larger than {_mib(self.bounds.file_bytes)}.", seconds)
        return self._failed("crashed", f"{name}.", seconds)

    def _failed(self, kind: str, message: str, seconds: float) -> dict[str, Any]:
        record = Record(
            outcome="failed",
            error=Failure(kind=kind, message=in_short(message)),
            figures=self.figures,
            curve=tuple(self.curve),
            replicates=tuple(self.replicates),
            seed=self.job.seed,
            budget=self.job.budget,
            seconds=seconds,
            **vars(self.setting),
            versions=self.worker.origin.versions,
            commit=self.worker.origin.commit,
        )
        return {"record": record.to_data()}


OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
"""Signals that a program's own faults do not send."""


class _Output:
    """A stream that the candidate prints to."""

    def __init__(self, attempt: _Attempt, stream: str, number: int) -> None:
        self.attempt = attempt
        self.stream = stream
        self.number = number

    def read(self) -> None:
        """Take in what is there, a pipe's fill at most."""
        try:
            data = os.read(self.number, 2**16)
        except BlockingIOError:
            return
        if data:
            self.attempt.log.output(self.stream, data)
        else:
            self.attempt.forget(self.number)


def folder_bytes(folder: Path) -> int:
    """What the files below `folder` take on the disk; those that vanish meanwhile do not count."""
    total, folders = 0, [str(folder)]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as entries:
            for one in entries:
                with suppress(OSError):
                    total += one.stat(follow_symlinks=False).st_blocks * 512
                    if one.is_dir(follow_symlinks=False):
                        folders.append(one.path)
    return total


def in_short(message: str) -> str:
    """`message` on one line, without the name of whoever is at home here."""
    home = str(Path.home())
    private = message.replace(home, "~") if len(home) > 1 else message
    return " ".join(private.split())[:300]


def _mib(count: float) -> str:
    return f"{count / MIB:,.0f} MiB"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
