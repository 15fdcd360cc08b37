"""Processes and those that they started, as Linux tells of them in /proc; elsewhere little is known, and nothing fails."""

import ctypes
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

_PDEATHSIG = 1
_CHILD_SUBREAPER = 36

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@cache
def _prctl() -> Callable[..., int] | None:
    try:
        found: Callable[..., int] = ctypes.CDLL(None).prctl
    except (AttributeError, OSError, TypeError):
        return None
    return found


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Have this process sent a signal when the thread that started it ends; 0 for no longer."""
    if (prctl := _prctl()) is not None:
        prctl(_PDEATHSIG, int(number), 0, 0, 0)


def adopt_orphans() -> None:
    """Have this process become the parent of all its descendants whose parents end."""
    if (prctl := _prctl()) is not None:
        prctl(_CHILD_SUBREAPER, 1, 0, 0, 0)


def born(pid: int) -> str:
    """What tells a process from a later one of the same number; empty where it is gone, or the system does not tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return ""


def children(pid: int) -> list[int]:
    """The processes that `pid` started or adopted, the dead that nobody waited for among them."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except OSError:
        pass
    return found


def descendants(pid: int) -> list[int]:
    """All processes below `pid`, parents before children."""
    found = children(pid)
    for one in found:  # grows as it is walked
        found += children(one)
    return found


def resident_bytes(pid: int) -> int:
    """Memory of a process, what it shares with others counted whole; 0 where it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def own_bytes(pid: int) -> int:
    """Memory of a process, what it shares with others counted by its share; takes milliseconds."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return resident_bytes(pid)


def end_descendants(spared: frozenset[int] = frozenset(), seconds: float = 1.5) -> int:
    """Kill all processes below this one but the children `spared` and what they started; returns how many there were.

    It must adopt orphans, and nobody else in it may wait for children. What the kernel cannot end in so many seconds is left.
    """
    killed: set[int] = set()
    end = time.monotonic() + seconds
    while True:
        reap(spared)
        mine = [pid for pid in children(os.getpid()) if pid not in spared]
        below = mine + [one for pid in mine for one in descendants(pid)]
        if not below:
            return len(killed)
        for pid in below:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        killed |= set(below)
        if time.monotonic() > end:
            return len(killed)
        time.sleep(0.001)


def reap(spared: frozenset[int] = frozenset()) -> None:
    """Wait for those children that are dead, but for those `spared`."""
    for pid in children(os.getpid()):
        if pid not in spared:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def end_group(leader: int, born_at: str = "") -> None:
    """Kill the process group that `leader` leads, if it is the one that was `born_at`; empty for whichever it is."""
    if born_at and born(leader) != born_at:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
