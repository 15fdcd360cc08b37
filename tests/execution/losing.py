"""How a node of a cluster is lost: all that is on it, at one moment."""

import os
import signal
import subprocess
from collections.abc import Iterable
from contextlib import suppress

from nas.execution.lineage import descendants


def lose(node: "subprocess.Popen[str]") -> set[int]:
    """Kill the node and all processes below it; returns which.

    They are stopped first, until none is left that could start another: one that were started between the look and the kill would
    live on for a moment, as no part of a machine that is lost does.
    """
    stopped: set[int] = set()
    while new := {node.pid, *descendants(node.pid)} - stopped:
        _signal(new, signal.SIGSTOP)
        stopped |= new
    _signal(stopped, signal.SIGKILL)
    return stopped


def _signal(processes: Iterable[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)
