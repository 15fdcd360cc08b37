"""Processor, memory, disk, limits: what the operating system says at once."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nas.doctor.check import Check, advice, gib, ok, problem
from nas.records.machine import usable_cores

LITTLE_MEMORY, NO_MEMORY = 2 * 2**30, 2**29
LITTLE_DISK, NO_DISK = 2 * 2**30, 100 * 2**20
FEW_FILES = 1024
"""Descriptors that a driver with some dozen workers may need."""


def check_machine(beside: Path) -> Iterator[Check]:
    """Threads, load, memory, descriptors, and the disk that the folder `beside` and the temporary files are on."""
    yield from _threads()
    yield from _load()
    yield from _memory()
    yield from _descriptors()
    yield from _disk("disk", beside)
    yield from _disk("temp", Path(tempfile.gettempdir()))


def _threads() -> Iterator[Check]:
    given, policy = os.environ.get("OMP_NUM_THREADS"), os.environ.get("OMP_WAIT_POLICY")
    cores = usable_cores()
    said = f"{cores} core{'s' * (cores != 1)}; OMP_NUM_THREADS {given or 'not set'}, OMP_WAIT_POLICY {policy or 'not set'}"
    if given is not None and not (given.isdigit() and 1 <= int(given) <= cores):
        yield advice("threads", said, "export OMP_NUM_THREADS=1: more threads than cores wait for each other")
    elif (policy or "").upper() != "PASSIVE":
        change = "export OMP_WAIT_POLICY=PASSIVE: threads that spin make small networks many times slower on a busy machine"
        yield advice("threads", said, change)
    else:
        yield ok("threads", said)
    quota = _quota()
    if quota is not None and quota < cores:
        change = f"no more than {max(1, int(quota))} --workers: what is above the share waits"
        yield advice("cpu share", f"this container may use {quota:g} of {cores} cores", change)


def _quota() -> float | None:
    """Cores that the control group grants; None where it sets no bound."""
    try:
        granted, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return None if granted == "max" else int(granted) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _load() -> Iterator[Check]:
    try:
        load, cores = os.getloadavg()[0], usable_cores()
    except (OSError, AttributeError):
        return
    if load > cores:
        change = "measure latencies when less goes on; searches only take longer"
        yield advice("load", f"{load:.1f} processes want {cores} cores", change)
    else:
        yield ok("load", f"{load:.1f} on {cores} cores")


def _memory() -> Iterator[Check]:
    known = _meminfo()
    if not {"MemTotal", "MemAvailable"} <= known.keys():
        return
    total, left = known["MemTotal"], known["MemAvailable"]
    bound = _bound()
    if bound is not None and bound[0] < total:
        total, left = bound[0], min(left, bound[0] - bound[1])
    said = f"{gib(left)} of {gib(total)} free"
    if left < NO_MEMORY:
        yield problem("memory", said, "end other programs: a candidate takes about half a GiB before its network")
    elif left < LITTLE_MEMORY:
        yield advice("memory", said, "few --workers: each takes about half a GiB before its network")
    else:
        yield ok("memory", said)


def _meminfo() -> dict[str, int]:
    """Name → bytes."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    parts = [line.split() for line in lines]
    return {part[0].rstrip(":"): int(part[1]) * 1024 for part in parts if len(part) > 1 and part[1].isdigit()}


def _bound() -> tuple[int, int] | None:
    """Bytes that the control group grants, and that are in use; None where it sets no bound."""
    folder = Path("/sys/fs/cgroup")
    try:
        granted = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = (folder / "memory.current").read_text(encoding="ascii").strip()
        return None if granted == "max" else (int(granted), int(used))
    except (OSError, ValueError):
        return None


def _descriptors() -> Iterator[Check]:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FEW_FILES:
        most = FEW_FILES * 4 if hard == resource.RLIM_INFINITY else min(FEW_FILES * 4, hard)
        yield advice("open files", f"at most {soft:,}", f"ulimit -n {most}: each worker needs some")
    else:
        yield ok("open files", "any number" if soft == resource.RLIM_INFINITY else f"at most {soft:,}")


def _disk(name: str, folder: Path) -> Iterator[Check]:
    try:
        usage = shutil.disk_usage(folder)
    except OSError as error:
        yield problem(name, f"{folder}: {error.strerror or type(error).__name__}", "make the folder, or name another")
        return
    said = f"{gib(usage.free)} of {gib(usage.total)} free in {folder.absolute()}"
    if not os.access(folder, os.W_OK):
        yield problem(name, f"{folder.absolute()} cannot be written", "name another folder, or change its permissions")
    elif usage.free < NO_DISK or _no_files_left(folder):
        yield problem(name, said, "make room: checkpoints and results cannot be written")
    elif usage.free < LITTLE_DISK:
        yield advice(name, said, "make room: checkpoints of large networks take gigabytes")
    else:
        yield ok(name, said)


def _no_files_left(folder: Path) -> bool:
    """Whether the file system can hold no further files, however many bytes are free."""
    if not hasattr(os, "statvfs"):
        return False
    found = os.statvfs(folder)
    return found.f_files > 0 and found.f_favail < 100
