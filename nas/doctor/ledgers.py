"""The ledger: whether it opens, where it lies, and for a server what it says of itself."""

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.doctor.check import Check, advice, gib, ok, problem
from nas.errors import LedgerError, NasError

if TYPE_CHECKING:
    import sqlalchemy as sa

    from nas.records.addresses import Address

SHARED = {
    *("9p", "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.gcsfuse", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs"),
    *("glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "smb2", "smb3", "smbfs"),
}
"""File systems that several machines share, on which SQLite's locks and its shared memory cannot be relied on."""

SKEW = 2.0
"""Seconds by which two clocks may differ unnoticed: time stamps of trials come from the machines that ran them."""

ANSWER_SECONDS = 3.0
"""How long a server may take to answer."""

WAY_OUT = "name another by --ledger or NAS_LEDGER, or mend what it says"


def folder_of(url: str) -> Path:
    """The folder that files of the ledger at `url` lie in."""
    from nas.records.addresses import find_address

    try:
        return find_address(url).beside("x").parent
    except LedgerError:
        return Path()


def check_ledger(url: str) -> Iterator[Check]:
    """Look at the ledger at `url`; none is made."""
    from nas.records.addresses import find_address

    try:
        address = find_address(url)
    except LedgerError as error:
        yield problem("ledger", str(error), WAY_OUT)
        return
    yield from _sqlite(address, address.path) if address.path is not None else _postgresql(address, url)
    yield from _weights(address.beside("weights"))


def _sqlite(address: "Address", path: Path) -> Iterator[Check]:
    from nas.records import Ledger

    kind = file_system(path.parent)
    if kind in SHARED:
        found = f"{address.place} lies on {kind}, which several machines share; SQLite may lose what two of them write"
        yield problem("ledger", found, "a local disk, or for many machines a PostgreSQL ledger")
    if not path.exists():
        if path.parent.is_dir():
            yield ok("ledger", f"none at {address.place} yet; the first search makes it")
        else:
            yield problem("ledger", f"the folder of {address.place} does not exist", "make it")
        return
    try:
        damage = _damage(path)
        with Ledger(str(path), create=False) as ledger:
            studies = len(ledger.studies())
    except NasError as error:
        yield problem("ledger", str(error), WAY_OUT)
        return
    if damage:
        yield problem("ledger", f"{address.place} is damaged: {damage}", "restore a copy of it")
    else:
        yield ok("ledger", f"{address.place}: {_studies(studies)}; SQLite {sqlite3.sqlite_version}")


def _weights(folder: Path) -> Iterator[Check]:
    """What the weights of finalists take, where there are any."""
    sizes = [path.stat().st_size for path in folder.glob("*/*.safetensors")]
    if sizes:
        yield ok("weights", f"of {len(sizes):,} finalists' trainings in {folder}: {gib(sum(sizes))}; yours to delete")


def _studies(count: int) -> str:
    return f"{count:,} stud{'y' if count == 1 else 'ies'}"


def _damage(path: Path) -> str:
    """What SQLite finds wrong with the file; empty where it finds nothing.

    Raises:
        LedgerError: it cannot be read.
    """
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise LedgerError(f"The ledger {path} cannot be opened: {error}.") from error
    try:
        found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        found = str(error)
    finally:
        connection.close()
    return "" if found == "ok" else found


def file_system(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The kind of file system that `folder` lies on; empty where the system does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
        target = folder.resolve()
    except OSError:
        return ""
    kind, longest = "", -1
    for line in lines:
        before, _, after = line.partition(" - ")
        words = before.split()
        if len(words) < 5 or not after:
            continue
        point = Path(words[4].encode().decode("unicode_escape"))  # a space is written \040
        if target.is_relative_to(point) and len(point.parts) >= longest:  # the later mount hides the earlier one
            kind, longest = after.split()[0], len(point.parts)
    return kind


def _postgresql(address: "Address", url: str) -> Iterator[Check]:
    from nas.records import Ledger
    from nas.records.database import Database

    yield _password(address)
    try:
        database = Database(address, read_only=True, retry_seconds=0)
        try:
            asked = time.time()
            told = database.run(_ask, "BEGIN", ANSWER_SECONDS)
            answered = time.time()
        finally:
            database.close()
    except NasError as error:
        yield problem("ledger", str(error), WAY_OUT)
        return
    said = f"{address.shown}: PostgreSQL {told['version']}, answers in {1000 * (answered - asked):,.0f} ms"
    if not told["ledger"]:
        yield ok("ledger", f"{said}; no ledger in it yet, the first search makes it")
    else:
        try:
            with Ledger(url, create=False) as ledger:
                yield ok("ledger", f"{said}; {_studies(len(ledger.studies()))}")
        except NasError as error:
            yield problem("ledger", str(error), WAY_OUT)
    yield from _server(told, (asked + answered) / 2, (answered - asked) / 2)


def _ask(connection: "sa.Connection", again: bool) -> dict[str, Any]:  # noqa: ARG001 - reading twice does no harm
    import sqlalchemy as sa

    def one(query: str) -> Any:
        return connection.execute(sa.text(query)).scalar()

    return {
        "clock": float(one("SELECT extract(epoch FROM clock_timestamp())")),
        "version": str(one("SHOW server_version")).split()[0],
        "most": int(one("SHOW max_connections")),
        "used": int(one("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")),
        "encrypted": bool(one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")),
        "local": one("SELECT inet_server_addr() IS NULL OR host(inet_client_addr()) = host(inet_server_addr())"),
        "ledger": "ledger" in sa.inspect(connection).get_table_names(),
    }


def _server(told: dict[str, Any], now: float, error: float) -> Iterator[Check]:
    skew = told["clock"] - now
    words = f"the server's clock is {abs(skew):.1f} s {'ahead' if skew > 0 else 'behind'}"
    if abs(skew) - error > SKEW:
        yield advice("clock", words, "let a time service keep both clocks; leases count by the server's alone")
    else:
        yield ok("clock", "agrees with the server's")
    if not told["encrypted"] and not told["local"]:
        change = "add ?sslmode=require to the URL, where the server offers it"
        yield advice("encryption", "what goes to the server can be read on the way", change)
    if told["used"] > 0.8 * told["most"]:
        said = f"{told['used']} of {told['most']} connections to the server are taken"
        yield advice("connections", said, "raise max_connections of the server: a driver takes two or three")


def _password(address: "Address") -> Check:
    """Where the password comes from; never the password."""
    from nas.records.addresses import ENVIRONMENT, PASSWORD

    pgpass = Path(os.environ.get("PGPASSFILE") or Path.home() / ".pgpass")
    if os.environ.get(PASSWORD):
        return ok("password", f"from {PASSWORD}")
    if address.password is not None:
        return ok("password", f"from the URL in {ENVIRONMENT}")
    if os.environ.get("PGPASSWORD"):
        return ok("password", "from PGPASSWORD")
    if not pgpass.is_file():
        return ok("password", f"none given, neither in {PASSWORD}, PGPASSWORD nor a pgpass file")
    if os.name == "posix" and pgpass.stat().st_mode & 0o077:
        return problem("password", f"{pgpass} can be read by others, so that it is passed over", f"chmod 600 {pgpass}")
    return ok("password", f"from {pgpass}, if it has a line for this server")
