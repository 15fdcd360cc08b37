"""Who works at a trial: a driver named so that another on the same host can tell whether it is still alive.

HOST BOOT PIDS PID START RANDOM          words of a text; "-" where the system does not tell
"""

import os
import re
import secrets
import socket
from pathlib import Path
from weakref import WeakValueDictionary
from zlib import crc32


class Holder:
    """One open ledger of one process. While it is open, what it has claimed is being worked at."""

    def __init__(self) -> None:
        self.name = " ".join([_host(), _boot(), str(os.getpid()), _started(os.getpid()) or "-", secrets.token_hex(3)])
        _open[self.name] = self

    def close(self) -> None:
        """What it claimed and did not end may be taken over from now on."""
        _open.pop(self.name, None)


_open: WeakValueDictionary[str, Holder] = WeakValueDictionary()
"""The holders of this process."""


def is_dead(name: str) -> bool:
    """Whether the holder of that name is gone for sure: a closed one of this process, or a process of this host that has ended.

    Of a holder elsewhere nothing is sure, and its lease counts.
    """
    words = name.split()
    if len(words) != 5:
        return False
    host, boot, pid, start, _ = words
    if "-" in (boot, start) or (host, boot) != (_host(), _boot()) or not pid.isdecimal():
        return False
    if int(pid) == os.getpid() and start == _started(os.getpid()):
        return name not in _open
    return not _is_running(int(pid), start)


def _host() -> str:
    return re.sub(r"\s", "_", socket.gethostname()) or "-"


def _boot() -> str:
    """This boot of this machine, and this name space of process ids, within which alone a process id means the same.

    Containers may share kernel and host name.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
        return crc32(b"%d %b" % (os.stat("/proc/self/ns/pid").st_ino, boot)).to_bytes(4).hex()
    except OSError:
        return "-"


def _is_running(pid: int, start: str) -> bool:
    """Whether the process that began then is there still; one that has ended and that nobody has waited for is not."""
    words = _status(pid)
    if words:
        return words[0] not in "ZX" and words[19] == start
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True  # the system may hide processes of others, and it may be that one


def _started(pid: int) -> str | None:
    """When the process began, in ticks since boot; None where the system does not tell."""
    words = _status(pid)
    return words[19] if words else None


def _status(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    words = text.rpartition(")")[2].split()  # before it comes the command's name, which may hold anything
    return words if len(words) > 19 else []
