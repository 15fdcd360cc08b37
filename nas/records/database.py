"""Work in a database that may be away for a while: transactions that are tried again, and one line where that does not help.

`work(connection, again)` is one transaction; `again` says whether it was tried before. Then it may have been done already, the
answer having been lost, so that it has to look.
"""

import errno
import os
import random
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import quote as quote_url

import sqlalchemy as sa

from nas.errors import LedgerError, Parked, printable
from nas.records.addresses import PASSWORD, Address
from nas.records.schema import suit_postgresql

T = TypeVar("T")
Trouble = Literal["away", "full", "lasting"]

OPENING_SECONDS = 15.0
"""How long a database that does not answer is tried while a ledger is being opened: its URL may be wrong."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_LITTLE_ROOM = 1 << 20
"""Bytes; a disk that has less is full to SQLite, which writes several pages at once."""
_PASSING = {"57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "53300", "40001", "40P01", "55P03"}
"""PostgreSQL's codes: shut down, starting up, a session idle for too long, too many of them, a deadlock, a lock too long held."""
_LASTING = re.compile(
    r"authentication|no password|does not exist|pg_hba|translate host|resolve host|not known|not permitted|invalid|unsupported"
    r"|ssl.*(not|require)|certificate",
    re.IGNORECASE,
)
"""A connection that is refused with these words will be refused again."""


class Database:
    """A ledger's database: a SQLite file or a PostgreSQL server. Threads may share it."""

    def __init__(self, address: Address, *, read_only: bool, retry_seconds: float) -> None:
        self.address = address
        self.retry_seconds = retry_seconds
        self.read_only = read_only
        self.may_make = True
        """Whether connecting makes a file where there is none; not any more once the ledger is open, since then it is gone."""
        self.engine = self._sqlite(address.path) if address.path is not None else _postgresql(address)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file."""
        return self.address.path is not None

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` reads, all as of one moment where it is one statement."""
        return self.run(lambda connection, _: work(connection), "BEGIN")

    def write(self, work: Callable[[sa.Connection, bool], T]) -> T:
        """What `work` returns, once what it wrote is on the disk."""
        return self.run(work, "BEGIN IMMEDIATE")

    def run(self, work: Callable[[sa.Connection, bool], T], begin: str, seconds: float | None = None) -> T:
        """Do `work` in a transaction, and again where the database was away, for so many seconds.

        Raises:
            Parked: it stays away, or a disk is full.
            LedgerError: anything else the database says.
        """
        seconds = self.retry_seconds if seconds is None else seconds
        began, pause, again = time.monotonic(), _FIRST_PAUSE, False
        while True:
            try:
                with self.engine.connect() as connection:
                    if self.is_sqlite and begin:
                        connection.exec_driver_sql(begin)
                    done = work(connection, again)
                    connection.commit()
                    return done
            except UnicodeDecodeError:
                trouble, reason = "lasting", "it is damaged, and holds what is no text"
            except sa.exc.NoResultFound:
                trouble, reason = "lasting", "it is damaged, and lacks a row that it had"
            except sa.exc.SQLAlchemyError as error:
                trouble, reason = self._diagnose(error)
            if trouble == "lasting":
                raise LedgerError(f"The ledger {self.address.place} cannot be used: {reason}.")
            if trouble == "full":
                raise Parked(f"{reason}; make room, and the same command goes on.")
            if time.monotonic() - began + pause > seconds:
                gone = f"did not answer for {time.monotonic() - began:.0f} s"
                raise Parked(f"The ledger {self.address.place} {gone}: {reason}; once it does, the same command goes on.")
            again = True
            time.sleep(pause * (0.5 + random.random() / 2))  # noqa: S311 - so that many do not come back at once
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _diagnose(self, error: sa.exc.SQLAlchemyError) -> tuple[Trouble, str]:
        """What kind of trouble it is, and in words; never the statement, its parameters or the URL."""
        origin = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig is not None else error
        if isinstance(origin, sa.exc.SQLAlchemyError):
            return "lasting", type(error).__name__
        lines = str(origin).strip().splitlines() or [type(origin).__name__]
        reason = printable(lines[0])[:200].rstrip(".")
        if self.address.path is not None:
            return _sqlite_trouble(origin, reason, self.address.path)
        state = getattr(origin, "sqlstate", None)
        if state == "53100":
            return "full", f"The disk of the database server of the ledger {self.address.place} is full"
        if state is None:
            # psycopg's words begin with where it tried to connect to, one line an address; what failed comes last.
            told = [line for line in map(printable, lines) if "failed" in line or "error" in line] or [reason]
            reason = told[-1].rpartition("FATAL:")[2].strip()[:200].rstrip(".")
        dropped = isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
        nowhere = state is None and isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)
        if nowhere and _LASTING.search(reason):
            if "no password" in reason or "authentication" in reason:
                reason = f"{reason}; give the password in {PASSWORD}, PGPASSWORD or a pgpass file"
            return "lasting", reason
        if state == "42501":
            reason = f"{reason}; give its role a database of its own, or the right to CREATE there"
        passing = dropped or nowhere or state in _PASSING or str(state).startswith("08")
        return ("away" if passing else "lasting"), reason

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _sqlite(self, path: Path) -> sa.Engine:
        place = f"file:{quote_url(str(path.absolute()))}"
        if not self.read_only:

            def connect() -> sqlite3.Connection:
                return sqlite3.connect(f"{place}?mode={'rwc' if self.may_make else 'rw'}", uri=True, check_same_thread=False)

            engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.QueuePool)
            sa.event.listen(engine, "connect", _set_pragmas)
            return engine
        # SQLite wants to make files beside a WAL database even to read it, unless it is told that nobody writes. Where a log lies
        # beside it somebody does, or died at it, and what the log holds counts.
        quiet = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
        uri = f"{place}?mode=ro{quiet}"
        return sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True), poolclass=sa.NullPool)


def _sqlite_trouble(origin: BaseException, reason: str, path: Path) -> tuple[Trouble, str]:
    name = getattr(origin, "sqlite_errorname", "") or ""
    disk = Address(path=path.absolute().parent).place
    if name == "SQLITE_FULL" or "disk is full" in reason:
        return "full", f"The disk of {disk}, where the ledger is, is full"
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")) and not os.access(path.parent, os.W_OK):
        return "lasting", f"nothing can be written to {disk}, where its log has to lie; move it, or name another with --ledger"
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")) and not _has_room(path.parent):
        return "full", f"The disk of {disk}, where the ledger is, is full"
    if name.startswith("SQLITE_IOERR") and ("WRITE" in name or "FSYNC" in name or "TRUNCATE" in name or "SHM" in name):
        return "full", f"The disk of {disk}, where the ledger is, takes nothing more ({reason})"
    if name.startswith("SQLITE_CANTOPEN") and not path.exists():
        return "away", "its file is gone, and is to be put back"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "away", "another process has locked it"
    return "lasting", reason


def _has_room(folder: Path) -> bool:
    try:
        disk = os.statvfs(folder)
    except OSError as error:
        return error.errno != errno.ENOSPC
    return disk.f_bavail * disk.f_frsize >= _LITTLE_ROOM and (disk.f_files == 0 or disk.f_favail > 0)


def _set_pragmas(connection: Any, _: object) -> None:
    """Wait for other processes, and let a finished write survive a power cut."""
    connection.isolation_level = None  # transactions begin where `Database.run` says so
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def switch_to_wal(connection: sa.Connection) -> None:
    """Keep readers and the writer apart. SQLite does not wait by itself where several processes switch a new file at once."""
    for attempt in range(60):
        try:
            if connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() != "wal":
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            return
        except sa.exc.OperationalError:
            if attempt == 59:
                raise
            time.sleep(0.05 + random.random() / 10)  # noqa: S311 - so that they do not meet again


def _postgresql(address: Address) -> sa.Engine:
    assert address.server is not None  # noqa: S101 - it is no file
    arguments: dict[str, Any] = {
        "connect_timeout": 10,
        "application_name": "nas",
        # A host that is gone without a word is noticed within half a minute.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 25000,
        "prepare_threshold": None,
    }
    arguments = {key: value for key, value in arguments.items() if key not in address.server.query}
    if address.password is not None:
        arguments["password"] = address.password
    try:
        engine = sa.create_engine(address.server, connect_args=arguments)
    except ModuleNotFoundError:
        raise LedgerError("A PostgreSQL ledger needs the package psycopg; `pip install 'nas-harness[postgresql]'`.") from None
    sa.event.listen(engine, "connect", _set_patience)
    suit_postgresql()
    return engine


def _set_patience(connection: Any, _: object) -> None:
    """Let nobody wait for ever for a driver that was stopped within a transaction."""
    connection.autocommit = True
    connection.execute("SET idle_in_transaction_session_timeout = '20s'")
    connection.execute("SET lock_timeout = '30s'")
    connection.autocommit = False
