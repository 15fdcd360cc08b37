"""torchrun as a test starts it: two processes on the CPU of this machine, at a port that is free."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PATHS = os.pathsep.join(map(str, (HERE, HERE / "training")))


def torchrun(*words: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """What came of `torchrun --nproc-per-node 2` with these words."""
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=seconds, check=False, env=environment())


def command(*words: str) -> list[str]:
    """The words of a command line."""
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *words]


def environment() -> dict[str, str]:
    """Of the processes: one thread each, and no network but the machine's own."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": PATHS}
