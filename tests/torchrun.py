"""torchrun as a test starts it: two processes on the CPU of this machine, at a port that is free."""

import os
import random
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent
PATHS = os.pathsep.join(map(str, (HERE, HERE / "training", HERE / "protocols", *filter(None, [os.environ.get("PYTHONPATH")]))))


def torchrun(*words: str, seconds: float = 240) -> subprocess.CompletedProcess[str]:
    """What came of `torchrun --nproc-per-node 2` with these words."""
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=seconds, check=False, env=environment())


def command(*words: str) -> list[str]:
    """The words of a command line."""
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *words]


def environment() -> dict[str, str]:
    """Of the processes: one thread each, and no network but the machine's own."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": PATHS}


def pair(*words: str) -> list[subprocess.Popen[str]]:
    """Two processes as torchrun would start them, with nobody who ends one where the other ends."""
    common = {**environment(), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    return [
        subprocess.Popen([sys.executable, *words], env={**common, "RANK": rank}, stdout=subprocess.PIPE, text=True)
        for rank in ("0", "1")
    ]


def _free_port() -> int:
    """A port that nobody has, below those that the system gives whoever asks for any: it is bound once torch is loaded."""
    chance = random.SystemRandom()
    while True:
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port := chance.randrange(16_000, 32_000)))
            return port
