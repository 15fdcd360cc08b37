"""The Ray cluster that candidates run on: one of our own on this machine, or one that is there already.

One of our own listens on the loopback interface alone, wants a token that nobody is shown, shows no dashboard, and tells nobody
of its use; its files lie in a private folder that goes with it.
"""

import logging
import math
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from nas.errors import ClusterError, printable, quote

ADDRESS = re.compile(r"(?:auto|[A-Za-z0-9._-]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5})")
LONGEST_PLACE = 20
"""Characters of the folder for temporary files. Ray puts sockets some 85 deeper, and a socket's path has at most 107."""

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",  # a lost worker is told once, by us
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # who asks for no GPU sees none
}


def check_installed() -> None:
    """Look for Ray without loading it.

    Raises:
        ClusterError: it is not installed.
    """
    try:
        found = find_spec("ray") is not None
    except ValueError:  # it is there without being a module
        found = False
    if not found:
        raise ClusterError("Ray is not installed; `pip install nas-harness[ray]` brings it.")


def import_ray() -> ModuleType:
    """Ray, which keeps to itself what is of no use to who searches."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    return ray


@contextmanager
def cluster(address: str | None, *, cpus: float, gpus: float) -> Iterator[ModuleType]:
    """Within it this process is connected to a Ray cluster.

    Without an address that is a cluster of our own with so many CPUs and GPUs, which ends with it; or one that this process has
    joined before, which stays joined. At an address, `HOST:PORT` or `auto`, one is joined by the token in `RAY_AUTH_TOKEN` or in
    the file that `RAY_AUTH_TOKEN_PATH` names.

    Raises:
        ClusterError: Ray is not installed, the address is none, nobody answers there, or there is no token.
    """
    if address is not None and not ADDRESS.fullmatch(address):
        raise ClusterError(f"A Ray cluster's address is HOST:PORT, or auto, got {quote(address)}.")
    check_installed()
    if address is None and "ray" in sys.modules and import_ray().is_initialized():
        yield import_ray()
    elif address is None:
        with _own(cpus, gpus) as ray:
            yield ray
    else:
        with _joined(address) as ray:
            yield ray


@contextmanager
def _joined(address: str) -> Iterator[ModuleType]:
    home = Path.home() / ".ray" / "auth_token"
    given = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH") or home.is_file()
    mode = os.environ.get("RAY_AUTH_MODE")
    if mode != "disabled" and not given:
        raise ClusterError(
            "A Ray cluster is joined by a token, and there is none; put it into RAY_AUTH_TOKEN, or the name of its file into "
            "RAY_AUTH_TOKEN_PATH (or set RAY_AUTH_MODE=disabled for a cluster that wants none)."
        )
    with _environment({} if mode else {"RAY_AUTH_MODE": "token"}):
        ray = import_ray()
        with _signals_kept():
            try:
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            except (ConnectionError, RuntimeError, ValueError, OSError) as error:
                why = printable(error).partition(". ")[0]
                raise ClusterError(f"No Ray cluster answers at {address}: {why}.") from None
        try:
            with _silenced():
                yield ray
        finally:
            ray.shutdown()


@contextmanager
def _silenced() -> Iterator[None]:
    """Within it Ray prints none of what its nodes report to the standard output, where results are read."""
    from ray._private import worker

    before = vars(worker).get("print_to_stdstream")
    worker.print_to_stdstream = lambda *_, **__: None
    try:
        yield
    finally:
        if before is not None:
            worker.print_to_stdstream = before


@contextmanager
def _own(cpus: float, gpus: float) -> Iterator[ModuleType]:
    folder = _private_folder()
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(_token())
    own = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_AUTH_TOKEN": None,  # it would come first
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # by this Ray takes the loopback interface on every system
    }
    with _environment(own), _kept(folder, cpus, gpus) as address, _joined(address) as ray:
        yield ray


@cache
def _token() -> str:
    """One for this process, in which Ray reads it but once."""
    return secrets.token_hex(32)


@contextmanager
def _kept(folder: Path, cpus: float, gpus: float) -> Iterator[str]:
    """Within it a node runs that a keeper ends, and whose folder it deletes, however this process ends; its address."""
    options = [str(math.ceil(cpus)), "" if gpus else "0"]
    paths = os.pathsep.join(path for path in sys.path if not path.startswith((sys.prefix, sys.base_prefix)))
    keeper = subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-m", "nas.execution.ray_keeper", str(folder), *options],
        env={**os.environ, **QUIET, "PYTHONPATH": paths},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the driver
    )
    try:
        assert keeper.stdout is not None  # noqa: S101 - a pipe
        said = keeper.stdout.readline().strip()
        if not ADDRESS.fullmatch(said):
            raise ClusterError(f"No Ray cluster could be started on this machine: {said or 'it says nothing'}.")
        yield said
    finally:
        keeper.communicate()  # it ends as its standard input does


def _private_folder() -> Path:
    """A new one that nobody else may enter."""
    place = tempfile.gettempdir()
    if len(place) > LONGEST_PLACE:
        place = "/tmp"  # noqa: S108 - the folder in it is private
    return Path(tempfile.mkdtemp(prefix="nas-ray-", dir=place))


@contextmanager
def _environment(values: dict[str, str | None]) -> Iterator[None]:
    """Within it the environment has these values; None for a variable that is not there."""
    before = {name: os.environ.get(name) for name in values}

    def put(values: dict[str, str | None]) -> None:
        for name, value in values.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    put(values)
    try:
        yield
    finally:
        put(before)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself as it starts; after this it has who had it before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
